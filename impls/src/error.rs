//! Errors of the reference implementations. Each names the defect, its place, and the remedy.

use std::path::{Path, PathBuf};

use elbow_base::Remedy;
pub use elbow_base::UnknownName;
use thiserror::Error;

/// An error of files, settings or training. Its message names the fields.
#[allow(missing_docs)]
#[derive(Debug, Error)]
pub enum Error {
    /// A name that is not among the known ones.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// An error of the crates below.
    #[error(transparent)]
    Base(elbow_base::Error),
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// A file with other content than expected.
    #[error("{}: {message}", path.display())]
    Format { path: PathBuf, message: String },
    /// A setting that is missing or does not fit.
    #[error("{0}")]
    Setting(String),
    /// A data set that is in none of the folders.
    #[error("{what}: {fetch}, or name the folder that has it")]
    MissingData { what: String, fetch: String },
    /// A folder that holds another run.
    #[error("{}: {message}", run.display())]
    OtherRun { run: PathBuf, message: &'static str },
    /// A device that cannot be used.
    #[error("device {name:?} is not available: {message}")]
    Device { name: String, message: String },
    /// A training step whose loss or gradient is not finite.
    #[error(
        "step {step}: the loss is {loss} and the gradient's norm {gradient_norm} (batch key {key}): lower learning_rate or \
         raise warmup_steps; last good checkpoint: {kept}"
    )]
    Diverged { step: u64, loss: f64, gradient_norm: f64, key: String, kept: String },
}

impl Error {
    /// A file that could not be read.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A file or a folder that could not be made, changed or removed.
    pub fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// A file with other content than expected.
    pub fn format(path: &Path, message: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), message: message.into() }
    }
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl From<elbow_arrays::Error> for Error {
    fn from(error: elbow_arrays::Error) -> Self {
        match error {
            elbow_arrays::Error::Io { path, source } => Self::Io { path, source },
            error => Self::Base(error.into()),
        }
    }
}

impl From<elbow_images::Error> for Error {
    fn from(error: elbow_images::Error) -> Self {
        Self::Base(error.into())
    }
}

impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownName(name) => name.into(),
            Error::Base(error) => error,
            Error::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::input(error.to_string(), "check the path; bundled data is looked for in the data folder")
                    .mended_by(Remedy::Data)
            }
            Error::Io { .. } => Self::environment(error.to_string(), "check permissions"),
            Error::Write { path, source } => Self::writing(&path)(source),
            Error::Device { .. } => Self::environment(error.to_string(), "`elbow doctor` lists devices; use the CPU")
                .mended_by(Remedy::Device),
            Error::OtherRun { .. } => {
                Self::input(error.to_string(), "delete it, or name another folder for this run").mended_by(Remedy::Run)
            }
            Error::MissingData { what, fetch } => {
                Self::input(what, format!("{fetch}, or name the folder that has it")).mended_by(Remedy::Data)
            }
            Error::Format { .. } | Error::Setting(_) | Error::Diverged { .. } => Self::input(error.to_string(), ""),
        }
    }
}

impl From<elbow_base::Error> for Error {
    fn from(error: elbow_base::Error) -> Self {
        match error.unknown_name() {
            Some(unknown) => Self::UnknownName(unknown.clone()),
            None => Self::Base(error),
        }
    }
}
