//! ONNX files: their inputs and outputs, their execution, and the canonical Inception.

mod engine;
mod inception;
mod session;

use tract_onnx::pb::{ModelProto, TensorProto, TypeProto, tensor_shape_proto::dimension::Value, type_proto};
use tract_onnx::prelude::Framework;

pub use engine::Engine;
pub use inception::Inception;
pub use session::OnnxSession;

use super::Graph;
use crate::{Error, Result};

/// Reads the inputs and outputs of a network from the bytes of an ONNX file.
pub fn read(bytes: &[u8]) -> Result<Graph> {
    let wrong = |what: String| Error::input(what, "give an ONNX network of one image input [N, C, H, W]");
    let model = tract_onnx::onnx().proto_model_for_read(&mut &*bytes);
    let model = model.map_err(|e| wrong(format!("not an ONNX file: {e}")))?;
    let (channels, size) = input_shape(&model).ok_or_else(|| wrong("its input is no image".to_owned()))?;
    let graph = model.graph.as_ref().ok_or_else(|| wrong("no graph".to_owned()))?;
    let output = |name: &str| graph.output.iter().position(|output| output.name == name);
    let features = output("features").unwrap_or(0);
    let logits = output("logits").filter(|&logits| logits != features);
    let outside = |tensor: &&TensorProto| !tensor.external_data.is_empty() || tensor.data_location.unwrap_or(0) != 0;
    if let Some(tensor) = graph.initializer.iter().find(outside) {
        let what = format!("tensor {} lies in another file, which a hash of this one does not see", tensor.name);
        return Err(Error::input(what, "save the network as one file, with its weights inside"));
    }
    let outputs = [features].into_iter().chain(logits).collect();
    Ok(Graph { channels, size, outputs, canonical: inception::is_canonical(&model) })
}

/// Number of channels of the first input \[N, C, H, W\], and its height and width where they are fixed.
fn input_shape(model: &ModelProto) -> Option<(usize, Option<[usize; 2]>)> {
    let graph = model.graph.as_ref()?;
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let input = graph.input.iter().find(|input| !is_weight(&input.name))?;
    let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) = &input.r#type else { return None };
    let fixed = |dim: Option<&Value>| match dim {
        Some(Value::DimValue(n)) => usize::try_from(*n).ok().filter(|&n| n > 0),
        _ => None,
    };
    let dims: Vec<Option<usize>> = tensor.shape.as_ref()?.dim.iter().map(|dim| fixed(dim.value.as_ref())).collect();
    let &[_, channels, height, width] = &dims[..] else { return None };
    Some((channels?, height.zip(width).map(|(height, width)| [height, width])))
}
