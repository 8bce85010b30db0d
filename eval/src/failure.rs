//! What can go wrong, with the exit code that says whose turn it is: one line of what and where, one of what to do.

use std::fmt;
use std::path::Path;

/// An error that ends the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    /// What went wrong and where.
    pub what: String,
    /// What to do about it; may be empty.
    pub fix: String,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bad usage or bad input.
    Input,
    /// The environment lacks something: a library, weights, a device, room on the disk.
    Environment,
    /// A defect of this program.
    Internal,
}

impl Failure {
    pub fn input(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind: Kind::Input, what: what.into(), fix: fix.into() }
    }

    pub fn environment(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind: Kind::Environment, what: what.into(), fix: fix.into() }
    }

    pub fn internal(what: impl Into<String>) -> Self {
        let fix = "this is a defect of elbow: please report it with the command that you ran";
        Self { kind: Kind::Internal, what: what.into(), fix: fix.into() }
    }

    /// The same failure, found in this file.
    pub fn in_file(self, path: &Path) -> Self {
        Self { what: format!("{}: {}", path.display(), self.what), ..self }
    }

    /// A file that could not be read: the user's to mend.
    pub fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| Self::input(format!("cannot read {}: {error}", path.display()), "check the path")
    }

    /// A file that could not be written: the environment's to mend.
    pub fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |error| {
            let what = format!("cannot write {}: {error}", path.display());
            Self::environment(what, "choose a writable folder with --out, or free some room")
        }
    }

    /// 2 bad usage or input, 3 something missing in the environment, 4 internal error.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Input => 2,
            Kind::Environment => 3,
            Kind::Internal => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.fix.is_empty() {
            write!(f, "\n  {}", self.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<impls::UnknownName> for Failure {
    fn from(error: impls::UnknownName) -> Self {
        let near = nearest(&error.name, &error.known);
        Self::input(error.to_string(), near.map(|name| format!("did you mean {name}?")).unwrap_or_default())
    }
}

impl From<impls::Error> for Failure {
    fn from(error: impls::Error) -> Self {
        use impls::Error as E;
        match error {
            E::UnknownName(name) => name.into(),
            E::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::input(error.to_string(), "check the path; bundled data is found under --data DIR")
            }
            E::Io { .. } => Self::environment(error.to_string(), "check permissions"),
            E::Write { path, source } => Self::writing(&path)(source),
            E::Device { .. } => Self::environment(error.to_string(), "use --device cpu; `elbow doctor` lists devices"),
            E::Format { .. } | E::Setting(_) | E::Diverged { .. } => Self::input(error.to_string(), ""),
        }
    }
}

/// The known name that is nearest to `name`, if it is near at all.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let distance = |candidate: &&String| strsim::damerau_levenshtein(name, candidate);
    known.iter().min_by_key(distance).filter(|candidate| distance(candidate) <= name.len().max(3) / 2)
}
