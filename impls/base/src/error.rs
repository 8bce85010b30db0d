//! Errors that name the defect, its place, and the remedy.

use std::fmt;
use std::io;
use std::path::Path;

use thiserror::Error as ThisError;

/// A name that is not among the known ones.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
#[error("unknown {kind} {name:?}: choose one of {}", known.join(", "))]
pub struct UnknownName {
    /// The kind of thing that is named: "schedule", "weighting".
    pub kind: &'static str,
    /// The unknown name.
    pub name: String,
    /// The names that are known.
    pub known: Vec<String>,
}

impl UnknownName {
    /// The error for a `name` that is not in `known`, a list separated by ", ".
    pub fn listed(kind: &'static str, name: &str, known: &str) -> Self {
        Self::new(kind, name, &known.split(", ").collect::<Vec<_>>())
    }

    /// The error for a `name` that is not among `known`.
    pub fn new<S: AsRef<str>>(kind: &'static str, name: &str, known: &[S]) -> Self {
        let known = known.iter().map(|k| k.as_ref().to_owned()).collect();
        Self { kind, name: name.to_owned(), known }
    }
}

/// Where the cause of an error lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the usage or the input.
    Input,
    /// In the environment, which lacks a library, weights, a device, or room on the disk.
    Environment,
    /// In this program, which has a defect.
    Internal,
}

/// A choice of the caller's that would mend an error. Programs that offer the choice can say how it is made there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another folder or file for results.
    Output,
    /// Another folder for a training run.
    Run,
    /// A new training run that begins with the weights of another one.
    Weights,
    /// Another folder with data.
    Data,
    /// Another device.
    Device,
    /// The training objective's own estimator of a bound.
    ObjectiveEstimator,
    /// The convention of a feature network's input.
    Convention,
    /// The Python of the programs to be compared with.
    Peers,
}

/// An error of the evaluation suite: one line of what and where, one line of what to do.
#[derive(Debug)]
pub struct Error {
    /// Where the cause lies.
    pub kind: Kind,
    /// The defect, and its place.
    pub what: String,
    /// The remedy; may be empty.
    pub advice: String,
    /// The choice that would mend it, where there is one.
    pub remedy: Option<Remedy>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Bad usage or bad input.
    pub fn input(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind: Kind::Input, what: what.into(), advice: advice.into(), remedy: None, source: None }
    }

    /// Something is missing in the environment.
    pub fn environment(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind: Kind::Environment, what: what.into(), advice: advice.into(), remedy: None, source: None }
    }

    /// A defect of this program.
    pub fn internal(what: impl Into<String>) -> Self {
        let advice = "this is a defect of elbow: please report it with the command that you ran";
        Self { kind: Kind::Internal, what: what.into(), advice: advice.into(), remedy: None, source: None }
    }

    /// The error, mended by this choice.
    pub fn mended_by(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// The error with the name of a file in front.
    pub fn in_file(self, path: &Path) -> Self {
        self.of(path.display())
    }

    /// The error with the name of its subject in front.
    pub fn of(self, name: impl fmt::Display) -> Self {
        Self { what: format!("{name}: {}", self.what), ..self }
    }

    /// The error with the library's error that caused it.
    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..self }
    }

    /// The unknown name that this error reports, if it is one.
    pub fn unknown_name(&self) -> Option<&UnknownName> {
        self.source.as_ref()?.downcast_ref()
    }

    /// A file that could not be read.
    pub fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| {
            let (file, kind) = (path.display(), error.kind());
            let failure = match kind {
                io::ErrorKind::IsADirectory => Self::input(format!("{file} is a folder"), "name a file"),
                io::ErrorKind::InvalidData => Self::input(format!("{file}: {error}"), "name a text in UTF-8"),
                io::ErrorKind::PermissionDenied => {
                    Self::environment(format!("cannot read {file}: {error}"), "check permissions")
                }
                _ => Self::input(format!("cannot read {file}: {error}"), "check the path"),
            };
            failure.caused_by(io::Error::from(kind))
        }
    }

    /// A file that could not be written.
    pub fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| {
            let what = format!("cannot write {}: {error}", path.display());
            let advice = match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    "a file stands where a folder is needed: name another folder"
                }
                _ => "free some room, or choose a writable folder",
            };
            let full = Self::environment(what, advice);
            full.caused_by(io::Error::from(error.kind())).mended_by(Remedy::Output)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.advice.is_empty() {
            write!(f, "\n  {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<UnknownName> for Error {
    fn from(error: UnknownName) -> Self {
        let near = nearest(&error.name, &error.known);
        let advice = near.map(|name| format!("did you mean {name}?")).unwrap_or_default();
        Self::input(error.to_string(), advice).caused_by(error)
    }
}

/// The known name nearest to `name`, within half of its length.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let distance = |candidate: &&String| strsim::damerau_levenshtein(name, candidate);
    known.iter().min_by_key(distance).filter(|candidate| distance(candidate) <= name.len().max(3) / 2)
}
