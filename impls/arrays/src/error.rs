//! Errors of reading arrays.

use std::io;
use std::path::PathBuf;

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
    /// A file is not a whole zip archive.
    #[error("{}: not an npz file: {source}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The error of the zip reader.
        source: zip::result::ZipError,
    },
    /// An array is missing, damaged, or of another type than the one asked for.
    #[error("{}: array {:?}: {what}", path.display(), name.trim_end_matches(".npy"))]
    Array {
        /// The file.
        path: PathBuf,
        /// The array's entry in the archive, with its ending `.npy`.
        name: String,
        /// The defect.
        what: String,
    },
}

impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { path, source } => Self::reading(&path)(source),
            Error::Archive { .. } => Self::input(error.to_string(), "npz files are zip archives").caused_by(error),
            Error::Array { .. } => {
                let advice = "expected an array as NumPy's savez writes it";
                Self::input(error.to_string(), advice).caused_by(error)
            }
        }
    }
}
