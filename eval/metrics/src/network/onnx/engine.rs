//! A network compiled for one input shape, run by ONNX Runtime or by tract.
//!
//! Each image is computed by itself on one thread, and as many at once as there are cores. So the features of an image
//! do not depend on a batch or on the number of threads.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TypedModel, TypedRunnableModel, tvec,
};

use super::super::runtime::{Runtime, unloadable};
use crate::{Error, Result};

/// A network compiled for inputs of one shape, shared by threads.
pub enum Engine {
    /// Idle sessions of ONNX Runtime; one is added where more threads run at once than there are sessions.
    Native {
        bytes: Arc<[u8]>,
        environment: &'static Environment,
        cuda: Option<i32>,
        idle: Mutex<Vec<Session>>,
    },
    Embedded(Arc<TypedRunnableModel>),
}

impl Engine {
    /// Compiles a network for inputs \[1, channels, height, width\].
    pub fn new(bytes: &Arc<[u8]>, runtime: &Runtime, shape: [usize; 4]) -> Result<Self> {
        match runtime {
            Runtime::Native { library, cuda } => {
                let environment = native_environment(library)?;
                let first = native_session(environment, bytes, *cuda).map_err(|e| match *cuda {
                    None => not_compiled(e.to_string()),
                    Some(device) => Error::CudaDevice(device, e.to_string()),
                })?;
                Ok(Self::Native { bytes: Arc::clone(bytes), environment, cuda: *cuda, idle: Mutex::new(vec![first]) })
            }
            Runtime::Embedded => {
                let plan = tract_onnx::onnx()
                    .model_for_read(&mut &bytes[..])
                    .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
                    .and_then(|model| model.into_optimized())
                    .and_then(TypedModel::into_runnable)
                    .map_err(|e| not_compiled(format!("{e:#}")))?;
                Ok(Self::Embedded(plan))
            }
        }
    }

    /// Number of images to run at once.
    pub fn threads(&self) -> usize {
        match self {
            Self::Native { cuda: Some(_), .. } => 1,
            _ => std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }

    /// The outputs with these indices for one input of this shape.
    pub fn run(
        &self,
        input: Vec<f32>,
        shape: [usize; 4],
        wanted: &[usize],
    ) -> std::result::Result<Vec<Vec<f32>>, String> {
        match self {
            Self::Native { bytes, environment, cuda, idle } => {
                let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
                let waiting = lock().pop();
                let mut session = match waiting {
                    Some(session) => session,
                    None => native_session(environment, bytes, *cuda).map_err(|e| e.to_string())?,
                };
                let outputs = native_run(&mut session, &input, shape, wanted).map_err(|e| e.to_string());
                lock().push(session);
                outputs
            }
            Self::Embedded(plan) => {
                let run = || -> tract_onnx::prelude::TractResult<Vec<Vec<f32>>> {
                    let outputs = plan.run(tvec!(Tensor::from_shape(&shape, &input)?.into()))?;
                    let values = |&i: &usize| Ok(outputs[i].to_plain_array_view::<f32>()?.iter().copied().collect());
                    wanted.iter().map(values).collect()
                };
                run().map_err(|e| format!("{e:#}"))
            }
        }
    }
}

/// A network that does not compile for its input, with the error of the runtime.
fn not_compiled(why: String) -> Error {
    Error::input(why, "give an ONNX network that takes one image")
}

pub(super) fn native_session(environment: &Environment, bytes: &[u8], cuda: Option<i32>) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
    if let Some(index) = cuda {
        // TF32 keeps 10 bits of a product: features would differ from those of other tools in the third digit.
        let provider = ort::ep::CUDA::default().with_device_id(index).with_tf32(false);
        builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
    }
    builder.commit_from_memory(bytes)
}

fn native_run(session: &mut Session, input: &[f32], shape: [usize; 4], wanted: &[usize]) -> ort::Result<Vec<Vec<f32>>> {
    let outputs = session.run(ort::inputs![TensorRef::from_array_view((shape, input))?])?;
    wanted.iter().map(|&i| Ok(outputs[i].try_extract_tensor::<f32>()?.1.to_vec())).collect()
}

/// The environment of ONNX Runtime. A process can have only one, so the first library stays.
pub(super) fn native_environment(library: &Path) -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<std::result::Result<Environment, String>> = OnceLock::new();
    let open = || {
        if !library.is_file() {
            return Err("no such file".to_owned());
        }
        ort::init_from(library).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    };
    ENVIRONMENT.get_or_init(open).as_ref().map_err(|e| unloadable(library, e))
}
