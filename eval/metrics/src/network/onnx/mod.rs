//! ONNX files: their inputs and outputs, their execution, and the canonical Inception.

mod engine;
mod failure;
mod inception;
mod limits;
mod native;
mod precision;
mod session;
mod structure;

use std::collections::BTreeSet;

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TypeProto, ValueInfoProto, tensor_shape_proto::dimension::Value};
use tract_onnx::pb::{tensor_shape_proto::Dimension, type_proto};
use tract_onnx::prelude::Framework;

pub use engine::Engine;
pub use inception::Inception;
pub use session::OnnxSession;

use super::graph::{Graph, Input};
use crate::{Error, Result};

/// Names of outputs that hold features: this program's, and those of transformers.
const KNOWN: [&str; 3] = ["features", "pooler_output", "image_embeds"];
/// The output of class logits.
const LOGITS: &str = "logits";
const ADVICE: &str = "give an ONNX network of one image input [N, C, H, W]";

/// Reads the inputs and outputs of a network from the bytes of an ONNX file. `features` names the output of the
/// features, where it is not the one that is known. Other bytes come with it where it had to be made one of
/// single precision and of one image, or where the features are a tensor inside it.
pub fn read(bytes: &[u8], features: Option<&str>) -> Result<(Graph, Option<Vec<u8>>)> {
    let wrong = |what: &str| Error::input(what, ADVICE);
    let model = tract_onnx::onnx().proto_model_for_read(&mut &*bytes);
    let mut model = model.map_err(|e| wrong(&format!("not an ONNX file: {e}")))?;
    let canonical = inception::is_canonical(&model);
    let graph = model.graph.as_mut().ok_or_else(|| wrong("it has no graph"))?;
    structure::check(graph)?;
    let place = image_input(graph)?;
    let promoted = features.is_some_and(|name| promote(graph, name));
    let features = features_output(graph, features)?;
    let is_vector = |output: &ValueInfoProto| dims(output).is_none_or(|dims| dims.len() <= 2);
    let logits = graph.output.iter().position(|output| output.name == LOGITS && is_vector(output));
    let outputs = BTreeSet::from_iter([features].into_iter().chain(logits));
    let name = graph.output[features].name.clone();
    let (channels, size) = image_shape(&graph.input[place])?;
    let batched = one_image(graph, place);
    let (kind, cast) = precision::make_single(graph, place, &outputs)?;
    let input = Input { channels, size, levels: kind == DataType::Uint8 };
    let graph = Graph { input, features: (features, name), logits, canonical };
    Ok((graph, (batched || cast || promoted).then(|| model.encode_to_vec())))
}

/// The one input that is no weight.
fn image_input(graph: &GraphProto) -> Result<usize> {
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<usize> = (0..graph.input.len()).filter(|&i| !is_weight(&graph.input[i].name)).collect();
    match inputs[..] {
        [] => Err(Error::input("it has no input", ADVICE)),
        [input] => Ok(input),
        _ => Err(Error::input(format!("it has {} inputs: {}", inputs.len(), listed(&graph.input)), ADVICE)),
    }
}

/// Makes a tensor inside the network an output of it; whether it was none, and a node computes it.
fn promote(graph: &mut GraphProto, name: &str) -> bool {
    let is_output = graph.output.iter().any(|output| output.name == name);
    let is_computed = graph.node.iter().any(|node| node.output.iter().any(|output| output == name));
    if is_output || !is_computed {
        return false;
    }
    // Its type and shape follow from the graph.
    graph.output.push(ValueInfoProto { name: name.to_owned(), ..Default::default() });
    true
}

/// The output of the features: the one that is named, or one of a known name, or the only one. Class logits are taken
/// by their name alone.
fn features_output(graph: &GraphProto, named: Option<&str>) -> Result<usize> {
    let find = |name: &str| graph.output.iter().position(|output| output.name == name);
    let known: Vec<usize> = KNOWN.iter().filter_map(|name| find(name)).collect();
    match (named, &known[..], &graph.output[..]) {
        (_, _, []) => {
            Err(Error::input("it has no outputs", "export the network again, with its features as an output"))
        }
        (Some(name), _, outputs) => {
            find(name).ok_or_else(|| Error::UnknownOutput(format!("no output {name:?} among {}", listed(outputs))))
        }
        (None, &[only], _) => Ok(only),
        (None, _, [only]) if only.name != LOGITS => Ok(0),
        (None, _, [logits]) => {
            Err(Error::UnknownOutput(format!("its only output, {}, holds scores of classes", described(logits))))
        }
        // `features` is this program's own name, and comes before the others.
        (None, &[first, ..], _) if graph.output[first].name == KNOWN[0] => Ok(first),
        (None, _, outputs) => {
            Err(Error::UnknownOutput(format!("it has {} outputs: {}", outputs.len(), listed(outputs))))
        }
    }
}

/// The extents of a tensor where they are known.
fn dims(value: &ValueInfoProto) -> Option<&[Dimension]> {
    match &value.r#type {
        Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) => Some(&tensor.shape.as_ref()?.dim),
        _ => None,
    }
}

fn extent(dim: &Dimension) -> Option<usize> {
    match dim.value {
        Some(Value::DimValue(n)) => usize::try_from(n).ok().filter(|&n| n > 0),
        _ => None,
    }
}

/// Number of channels of an input \[N, C, H, W\], and its height and width where they are fixed.
fn image_shape(input: &ValueInfoProto) -> Result<(usize, Option<[usize; 2]>)> {
    let shape: Vec<Option<usize>> = dims(input).unwrap_or_default().iter().map(extent).collect();
    let wrong = |what: &str, advice: &str| Error::input(format!("its input {}{what}", described(input)), advice);
    match shape[..] {
        [_, rows, _, Some(1 | 3)] if !matches!(rows, Some(1 | 3)) => {
            Err(wrong(" looks like [N, H, W, C]; elbow gives [N, C, H, W]", "export the network with channels first"))
        }
        [_, None, _, _] => Err(wrong(
            " has no fixed number of channels",
            "export it with its channels fixed (dynamic_axes for the batch, and at most for height and width)",
        )),
        [_, Some(channels), height, width] => Ok((channels, height.zip(width).map(|(height, width)| [height, width]))),
        _ => Err(wrong(" is no image", ADVICE)),
    }
}

/// Sets the batch of the input to one image where it is fixed to more; whether it was.
fn one_image(graph: &mut GraphProto, input: usize) -> bool {
    let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) = &mut graph.input[input].r#type
    else {
        return false;
    };
    let batch = tensor.shape.as_mut().and_then(|shape| shape.dim.first_mut());
    let Some(batch) = batch.filter(|batch| extent(batch).is_some_and(|n| n != 1)) else { return false };
    batch.value = Some(Value::DimValue(1));
    // Shapes of the larger batch.
    graph.value_info.clear();
    true
}

fn listed(values: &[ValueInfoProto]) -> String {
    values.iter().map(described).collect::<Vec<_>>().join(", ")
}

/// Name and shape: `logits [N, 1000]`.
fn described(value: &ValueInfoProto) -> String {
    let dim = |dim: &Dimension| match &dim.value {
        Some(Value::DimValue(n)) => n.to_string(),
        Some(Value::DimParam(name)) => name.clone(),
        None => "?".to_owned(),
    };
    let shape = dims(value).map(|dims| dims.iter().map(dim).collect::<Vec<_>>().join(", "));
    shape.map_or_else(|| value.name.clone(), |shape| format!("{} [{shape}]", value.name))
}
