//! What runs a network: ONNX Runtime's shared library where it is found, tract, compiled into this program, otherwise.
//!
//! Both run one image at a time on one thread, and as many at once as there are cores: so a row of features does not
//! depend on the batch, nor on the number of threads.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use impls::hash::sha256;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use tract_onnx::prelude::{
    DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, TypedModel, TypedRunnableModel, tvec,
};

use crate::failure::Failure;

/// What runs the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// ONNX Runtime's shared library at this path, on the CPU or on a CUDA device.
    Native { library: PathBuf, cuda: Option<i32> },
    /// tract, compiled into this program.
    Embedded,
}

/// Where the shared library is looked for when nobody names it.
const PLACES: [&str; 4] = ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/opt/onnxruntime/lib"];
const LIBRARIES: [&str; 3] = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

impl Runtime {
    /// The library named on the command line or by `ORT_DYLIB_PATH`, or in one of the usual places; the embedded runtime
    /// where there is none, or where it is named `none`. `device`: `cpu` or `cuda:N`, which needs the library.
    pub fn find(named: Option<&Path>, device: &str) -> Result<Self, Failure> {
        if named == Some(Path::new("none")) && device == "cpu" {
            return Ok(Self::Embedded);
        }
        let library = named
            .map(Path::to_owned)
            .or_else(|| std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from))
            .or_else(|| {
                let places = PLACES.iter().flat_map(|place| LIBRARIES.map(|name| Path::new(place).join(name)));
                places.into_iter().find(|path| path.is_file())
            });
        let number = match device {
            "cpu" => None,
            "cuda" => Some("0"),
            other => Some(other.strip_prefix("cuda:").unwrap_or(other)),
        };
        let unknown = |_| Failure::input(format!("device {device:?}"), "name a device as cpu or cuda:0");
        let cuda = number.map(str::parse::<u16>).transpose().map_err(unknown)?.map(i32::from);
        match (library, cuda) {
            (Some(library), cuda) => Ok(Self::Native { library, cuda }),
            (None, None) => Ok(Self::Embedded),
            (None, Some(_)) => {
                let what = format!("device {device}: no ONNX Runtime with CUDA was found");
                Err(Failure::environment(what, "name libonnxruntime.so of onnxruntime-gpu with --ort-lib"))
            }
        }
    }

    /// What distinguishes its arithmetic from another's: features are cached under it.
    pub fn identity(&self) -> Result<String, Failure> {
        match self {
            Self::Embedded => Ok("tract".to_owned()),
            Self::Native { library, cuda } => {
                let bytes = std::fs::read(library).map_err(|e| unloadable(library, &e.to_string()))?;
                Ok(format!("onnxruntime {} {cuda:?}", sha256(&bytes)))
            }
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native { cuda: None, .. } => f.write_str("ONNX Runtime (native library)"),
            Self::Native { cuda: Some(index), .. } => write!(f, "ONNX Runtime (native library) on cuda:{index}"),
            Self::Embedded => f.write_str("tract (embedded)"),
        }
    }
}

/// A network ready for inputs of one shape; threads share it.
pub enum Engine {
    /// A session for each thread that asks at the same time.
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
    pub fn new(bytes: &Arc<[u8]>, runtime: &Runtime, shape: [usize; 4]) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::input(what, "give an ONNX network that takes one image");
        match runtime {
            Runtime::Native { library, cuda } => {
                let environment = native_environment(library)?;
                let first = native_session(environment, bytes, *cuda).map_err(|e| match cuda {
                    None => wrong(e.to_string()),
                    Some(index) => {
                        let what = format!("device cuda:{index}: {e}");
                        Failure::environment(
                            what,
                            "use --device cpu, or name the library of onnxruntime-gpu with --ort-lib",
                        )
                    }
                })?;
                Ok(Self::Native { bytes: Arc::clone(bytes), environment, cuda: *cuda, idle: Mutex::new(vec![first]) })
            }
            Runtime::Embedded => {
                let plan = tract_onnx::onnx()
                    .model_for_read(&mut &bytes[..])
                    .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
                    .and_then(|model| model.into_optimized())
                    .and_then(TypedModel::into_runnable)
                    .map_err(|e| wrong(format!("{e:#}")))?;
                Ok(Self::Embedded(plan))
            }
        }
    }

    /// How many images it is good to run at once.
    pub fn threads(&self) -> usize {
        match self {
            Self::Native { cuda: Some(_), .. } => 1,
            _ => std::thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }

    /// The outputs with these numbers, for one input.
    pub fn run(&self, input: Vec<f32>, shape: [usize; 4], wanted: &[usize]) -> Result<Vec<Vec<f32>>, String> {
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

fn native_session(environment: &Environment, bytes: &[u8], cuda: Option<i32>) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?.with_intra_threads(1)?.with_inter_threads(1)?;
    if let Some(index) = cuda {
        // TF32 keeps 10 bits of a product: features would differ from every other tool's in the third digit.
        let provider = ort::ep::CUDA::default().with_device_id(index).with_tf32(false);
        builder = builder.with_execution_providers([provider.build().error_on_failure()])?;
    }
    builder.commit_from_memory(bytes)
}

fn native_run(session: &mut Session, input: &[f32], shape: [usize; 4], wanted: &[usize]) -> ort::Result<Vec<Vec<f32>>> {
    let outputs = session.run(ort::inputs![TensorRef::from_array_view((shape, input))?])?;
    wanted.iter().map(|&i| Ok(outputs[i].try_extract_tensor::<f32>()?.1.to_vec())).collect()
}

/// The environment of ONNX Runtime; a process can have one only, so the first library that is asked for stays.
fn native_environment(library: &Path) -> Result<&'static Environment, Failure> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let open = || {
        if !library.is_file() {
            return Err("no such file".to_owned());
        }
        ort::init_from(library).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    };
    ENVIRONMENT.get_or_init(open).as_ref().map_err(|e| unloadable(library, e))
}

fn unloadable(library: &Path, why: &str) -> Failure {
    let what = format!("ONNX Runtime cannot be loaded from {}: {why}", library.display());
    Failure::environment(what, "correct --ort-lib or ORT_DYLIB_PATH, or leave both out to use the embedded tract")
}
