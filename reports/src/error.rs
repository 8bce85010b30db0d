//! The errors of reading rows and of rendering them.

use std::io;
use std::path::{Path, PathBuf};

/// Why rows cannot be read or rendered. The message of each holds its cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that the system does not let read or write.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// `read`, `write` or `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file of the report that could not be written.
    #[error("{}", .0.what)]
    Write(#[from] elbow_base::Error),
    /// A line of a row file that is no row of this version.
    #[error("{}, line {line}: {problem}", path.display())]
    Row {
        /// The row file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with the line.
        problem: String,
    },
    /// A figure that cannot be drawn.
    #[error("claim {claim}: {problem}")]
    Figure {
        /// The id of the claim that has the figure.
        claim: String,
        /// What is wrong with the figure.
        problem: String,
    },
    /// One figure id in two claims, or twice in one.
    #[error("claims {first} and {second} both have a figure {figure}")]
    SharedFigure {
        /// The id of the figure.
        figure: String,
        /// The id of one claim.
        first: String,
        /// The id of the other.
        second: String,
    },
    /// The template of the page could not be filled.
    #[error("{0}")]
    Page(minijinja::Error),
    /// The JUnit document could not be written.
    #[error("{0}")]
    Junit(quick_junit::SerializeError),
}

impl Error {
    /// Turns the cause into an error about one file or folder.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Io { action, path: path.to_owned(), cause }
    }
}
