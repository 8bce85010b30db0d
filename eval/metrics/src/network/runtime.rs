//! The runtime of a network: ONNX Runtime's shared library where it is found, otherwise tract, compiled into this
//! program.

use std::fmt;
use std::path::{Path, PathBuf};

use elbow_base::hash::sha256;

use crate::{Error, Result};

/// The runtime of a feature network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// ONNX Runtime's shared library.
    Native {
        /// Path of the library.
        library: PathBuf,
        /// Number of a CUDA device; `None` is the CPU.
        cuda: Option<i32>,
    },
    /// tract, compiled into this program.
    Embedded,
}

/// Folders that are searched for the shared library where none is named.
const PLACES: [&str; 4] = ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/opt/onnxruntime/lib"];
const LIBRARIES: [&str; 3] = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

impl Runtime {
    /// The library `named`, or that of `ORT_DYLIB_PATH`, or one in the usual folders; the embedded runtime where there
    /// is none, or where it is named `none`. `device`: `cpu` or `cuda:N`, which needs the library.
    pub fn find(named: Option<&Path>, device: &str) -> Result<Self> {
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
            (None, Some(_)) => Err(Error::NoCudaRuntime(device.to_owned())),
        }
    }

    /// A text that differs between runtimes whose arithmetic may differ: part of the key of cached features.
    pub fn identity(&self) -> Result<String> {
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
    Error::UnloadableRuntime(library.to_owned(), why.to_owned())
}
