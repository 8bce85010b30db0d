//! Errors of reading arrays.

use std::io;
use std::path::PathBuf;

use crate::{Dtype, Header, Number};

/// An error of reading an array.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A compressed array cannot be unpacked into the folder of temporary files.
    #[error("cannot unpack {} into the folder of temporary files: {source}", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file is not a whole zip archive.
    #[error("{}: not a whole npz archive ({source})", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The error of the zip reader.
        source: zip::result::ZipError,
    },
    /// An array is missing, damaged, or of another type than the one asked for.
    #[error("{origin}: {what}")]
    Array {
        /// The file, and the array in it.
        origin: Origin,
        /// The defect.
        what: String,
        /// The remedy.
        advice: String,
    },
}

/// The place of an array: a file, and the array's name where the file is an archive.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// The array's name in an archive, without `.npy`; none in an npy file.
    pub name: Option<String>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.display().fmt(f)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, ": array {name}"))
    }
}

impl Origin {
    pub(crate) fn failed(&self, what: impl Into<String>) -> Error {
        let advice = "expected an array as NumPy's save and savez write it".to_owned();
        Error::Array { origin: self.clone(), what: what.into(), advice }
    }

    /// The type of the numbers of an array. Objects are refused with the line of Python that makes arrays of them.
    pub(crate) fn number(&self, header: &Header) -> Result<Number, Error> {
        match &header.dtype {
            Dtype::Number(number) => Ok(*number),
            Dtype::Objects => {
                let (old, new) = (self.path.display(), self.path.with_extension("arrays.npz"));
                let loaded = match &self.name {
                    Some(name) => format!("np.load({:?}, allow_pickle=True)[{name:?}]", old.to_string()),
                    None => format!("np.load({:?}, allow_pickle=True)", old.to_string()),
                };
                // numpy.save writes a dictionary as an array without axes.
                let items = if header.shape.is_empty() { format!("**{loaded}.item()") } else { format!("*{loaded}") };
                let what = "it holds Python objects (a pickle), which are never loaded: a pickle can run any program";
                let advice = format!("if you trust it: np.savez({:?}, {items})", new.display().to_string());
                Err(Error::Array { origin: self.clone(), what: what.to_owned(), advice })
            }
            Dtype::Other(_) => Err(self.failed(format!("it is of type {} where numbers were expected", header.dtype))),
        }
    }

    /// Refuses an array whose size, with its header, is not `size` bytes.
    pub(crate) fn check_size(&self, header: &Header, size: u64) -> Result<(), Error> {
        let expected = header.bytes().saturating_add(header.size);
        match size == expected {
            true => Ok(()),
            false => {
                let shape = &header.shape;
                Err(self.failed(format!("{size} bytes where {expected} were expected for the shape {shape:?}")))
            }
        }
    }
}

impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        let what = error.to_string();
        match error {
            Error::Io { path, source } if source.kind() == io::ErrorKind::IsADirectory => {
                Self::input(format!("{} is a folder", path.display()), "name a file")
            }
            Error::Io { path, source } => Self::reading(&path)(source),
            Error::Unpack { .. } => {
                Self::environment(what, "free some room there, name another in TMPDIR, or write it with np.savez")
            }
            Error::Archive { .. } => Self::input(what, "fetch the file again").caused_by(error),
            Error::Array { ref advice, .. } => Self::input(what, advice.clone()).caused_by(error),
        }
    }
}
