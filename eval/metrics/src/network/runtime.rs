//! What runs a network: ONNX Runtime's shared library where it is found, tract, compiled into this program, otherwise.

use std::fmt;
use std::path::{Path, PathBuf};

use elbow_base::hash::sha256;

use elbow_base::Error;

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
    pub fn find(named: Option<&Path>, device: &str) -> Result<Self, Error> {
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
        let unknown = |_| Error::input(format!("device {device:?}"), "name a device as cpu or cuda:0");
        let cuda = number.map(str::parse::<u16>).transpose().map_err(unknown)?.map(i32::from);
        match (library, cuda) {
            (Some(library), cuda) => Ok(Self::Native { library, cuda }),
            (None, None) => Ok(Self::Embedded),
            (None, Some(_)) => {
                let what = format!("device {device}: no ONNX Runtime with CUDA was found");
                Err(Error::environment(what, "name libonnxruntime.so of onnxruntime-gpu with --ort-lib"))
            }
        }
    }

    /// What distinguishes its arithmetic from another's: features are cached under it.
    pub fn identity(&self) -> Result<String, Error> {
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

pub(super) fn unloadable(library: &Path, why: &str) -> Error {
    let what = format!("ONNX Runtime cannot be loaded from {}: {why}", library.display());
    Error::environment(what, "correct --ort-lib or ORT_DYLIB_PATH, or leave both out to use the embedded tract")
}
