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
    /// A folder that holds another run, with the name of a folder that this one could have.
    #[error("{} {message}", run.display())]
    OtherRun { run: PathBuf, message: String, folder: PathBuf },
    /// A device that cannot be used.
    #[error("device {name:?} is not available: {message}")]
    Device { name: String, message: String },
    /// A training whose numbers are no longer finite. `kept`: the step of the newest checkpoint, all of whose numbers are.
    #[error("step {step}: {what} (batch key {key}); last finite checkpoint: {}", .kept.map_or("none".into(), |kept| format!("step {kept}")))]
    Diverged { step: u64, what: String, key: String, kept: Option<u64> },
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
            Error::Io { path, source } => Self::reading(&path)(source),
            Error::Write { path, source } => Self::writing(&path)(source),
            Error::Device { .. } => Self::environment(error.to_string(), "`elbow doctor` lists devices; use the CPU")
                .mended_by(Remedy::Device),
            Error::OtherRun { ref folder, .. } => {
                let advice = format!("name another folder for this run, such as {}", folder.display());
                Self::input(error.to_string(), advice).mended_by(Remedy::Run)
            }
            Error::Diverged { kept: Some(_), .. } => {
                let advice = "lower learning_rate or raise warmup_steps in a new run, which can begin with the weights of this one";
                Self::input(error.to_string(), advice).mended_by(Remedy::Weights)
            }
            Error::Diverged { .. } => {
                let advice =
                    "lower learning_rate or raise warmup_steps; nothing was saved, so the folder can be used again";
                Self::input(error.to_string(), advice)
            }
            Error::MissingData { what, fetch } => {
                Self::input(what, format!("{fetch}, or name the folder that has it")).mended_by(Remedy::Data)
            }
            Error::Format { .. } | Error::Setting(_) => Self::input(error.to_string(), ""),
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

/// The error of a sampler's step, counted from 1, in which the network or what is made of it is no number.
pub(crate) fn not_finite(step: u64) -> Error {
    let what = format!("step {step}: the network answered with what is no number");
    Error::Base(elbow_base::Error::input(what, "its training has diverged, or the guidance is too strong"))
}
