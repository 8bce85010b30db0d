//! A network compiled for one input shape, run by ONNX Runtime or by tract.
//!
//! Each image is computed by itself on one thread, and as many at once as there are cores. So the features of an image
//! do not depend on a batch or on the number of threads.

use std::sync::Arc;

use ort::session::Session;
use ort::value::TensorRef;
use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedRunnableModel, tvec,
};
use tract_onnx::tract_hir::internal::bail;

use super::super::layer::Output;
use super::super::runtime::Runtime;
use super::failure::{guarded, one_line};
use super::limits;
use super::native::Sessions;
use crate::{Error, Result};

/// A network compiled for inputs of one shape, shared by threads.
pub enum Engine {
    Native(Sessions),
    Embedded(Arc<TypedRunnableModel>),
}

impl Engine {
    /// Compiles a network for inputs \[1, channels, height, width\].
    pub fn new(bytes: &Arc<[u8]>, runtime: &Runtime, shape: [usize; 4]) -> Result<Self> {
        match runtime {
            Runtime::Native { library, cuda } => {
                let sessions = Sessions::new(bytes, library, *cuda)?;
                sessions.warm()?;
                Ok(Self::Native(sessions))
            }
            Runtime::Embedded => guarded(|| embedded(bytes, shape)).map(Self::Embedded).map_err(not_compiled),
        }
    }

    /// Number of images to run at once.
    pub fn threads(&self) -> usize {
        match self {
            Self::Native(sessions) if sessions.on_cuda() => 1,
            _ => std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }

    /// The outputs with these indices for one input of this shape.
    pub fn run(
        &self,
        input: Vec<f32>,
        shape: [usize; 4],
        wanted: &[usize],
    ) -> std::result::Result<Vec<Output>, String> {
        match self {
            Self::Native(sessions) => {
                sessions.run(|session| native_run(session, &input, shape, wanted)).map_err(|e| one_line(&e.to_string()))
            }
            Self::Embedded(plan) => guarded(|| {
                let outputs = plan.run(tvec!(Tensor::from_shape(&shape, &input)?.into()))?;
                let output = |&i: &usize| {
                    let values = outputs[i].to_plain_array_view::<f32>()?.iter().copied().collect();
                    Ok(Output { shape: outputs[i].shape().to_vec(), values })
                };
                wanted.iter().map(output).collect()
            }),
        }
    }
}

/// tract's plan for a network and an input of one shape.
fn embedded(bytes: &[u8], shape: [usize; 4]) -> TractResult<Arc<TypedRunnableModel>> {
    let most = limits::largest(shape.iter().product::<usize>() * size_of::<f32>(), bytes.len());
    let onnx = tract_onnx::onnx();
    let proto = onnx.proto_model_for_read(&mut &*bytes)?;
    let mut nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    if let Some(node) = nodes.find(|node| !onnx.op_register.0.contains_key(&node.op_type)) {
        bail!("the embedded runtime has no operator {}", node.op_type);
    }
    let model = onnx.model_for_proto_model(&proto)?.with_input_fact(0, f32::fact(shape).into())?;
    limits::check(&model, most)?;
    let model = model.into_typed()?;
    limits::check_typed(&model, most)?;
    model.into_optimized()?.into_runnable()
}

/// A network that tract does not compile for its input, with its error.
fn not_compiled(why: String) -> Error {
    Error::input(why, "export it with other operators or shapes, or name the library of ONNX Runtime in ORT_DYLIB_PATH")
}

fn native_run(session: &mut Session, input: &[f32], shape: [usize; 4], wanted: &[usize]) -> ort::Result<Vec<Output>> {
    let outputs = session.run(ort::inputs![TensorRef::from_array_view((shape, input))?])?;
    let output = |&i: &usize| {
        let (shape, values) = outputs[i].try_extract_tensor::<f32>()?;
        Ok(Output { shape: shape.iter().map(|&n| n as usize).collect(), values: values.to_vec() })
    };
    wanted.iter().map(output).collect()
}
