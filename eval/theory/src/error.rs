//! Errors of the exact theory: what is wrong with a toy, a transition or a parameter.

use std::io;
use std::path::{Path, PathBuf};

/// Why an exact computation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A text is no JSON document of the expected form.
    #[error("not a {kind}: {source}")]
    Malformed {
        /// What the text should be: "toy" or "transition".
        kind: &'static str,
        /// The parser's reason, with line and column.
        source: serde_json::Error,
        /// The form that is expected, or where it is described.
        format: &'static str,
    },
    /// A toy, a denoiser or a transition breaks a rule: a probability outside \[0, 1\], a sequence listed twice.
    #[error("{what}")]
    Invalid {
        /// The offending part and its value.
        what: String,
        /// The rule that it breaks.
        rule: String,
    },
    /// A toy has more sequences, or more pairs of them, than are enumerated.
    #[error("{what}")]
    TooLarge {
        /// The size that was asked for.
        what: String,
        /// The largest one that is computed.
        limit: u64,
    },
    /// A Gaussian toy whose quadrature needs more evaluations than are made.
    #[error("its integrals need more than {least:.1e} evaluations of a density")]
    TooCostly {
        /// Evaluations that are needed at least.
        least: u64,
        /// The largest number that is made.
        limit: u64,
    },
    /// A result that is not finite, and not infinite by the theory.
    #[error("{quantity} is {value} (schedule {schedule}, weighting {weighting})")]
    NotFinite {
        /// The result, named as in [`crate::Cascade`].
        quantity: String,
        /// Its value.
        value: f64,
        /// Name of the schedule.
        schedule: String,
        /// Name of the weighting.
        weighting: String,
    },
    /// A number of time steps that is zero, or more than are computed for this toy.
    #[error("{steps} step{}{of}", if *steps == 1 { "" } else { "s" })]
    Steps {
        /// The number of steps asked for.
        steps: usize,
        /// What they are steps of; starts with a space, or is empty.
        of: String,
        /// The largest number of steps for this toy.
        limit: usize,
    },
    /// A transition given as a list of one-step matrices has another number of steps.
    #[error("{transition} has {given} steps, not {steps}")]
    GivenSteps {
        /// Name of the transition.
        transition: String,
        /// Number of its matrices.
        given: usize,
        /// The number of steps asked for.
        steps: usize,
    },
    /// The denoiser gives probability 0 to a value that the data have, so every bound would be infinite.
    #[error("{0}")]
    NoSupport(String),
    /// A computation does not exist for this process or this toy.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Any of these, found in a file.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        error: Box<Error>,
    },
}

/// Largest number of time steps, whatever the toy: the arrays over the steps fit in a gigabyte of memory.
const MAX_STEPS: usize = 1 << 20;

impl Error {
    /// Refuses zero steps, and more than `most` or [`MAX_STEPS`]; `of` says what they are steps of.
    pub(crate) fn check_steps(steps: usize, most: f64, of: impl FnOnce() -> String) -> Result<(), Self> {
        let limit = MAX_STEPS.min(most as usize);
        if (1..=limit).contains(&steps) { Ok(()) } else { Err(Self::Steps { steps, of: of(), limit }) }
    }

    pub(crate) fn invalid(what: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), rule: rule.into() }
    }

    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self::InFile { path: path.to_owned(), error: Box::new(self) }
    }

    /// The text of a file.
    pub(crate) fn read(path: &Path) -> Result<String, Self> {
        std::fs::read_to_string(path).map_err(|source| Self::Unreadable { path: path.to_owned(), source })
    }

    /// What to do about it, one line.
    pub fn advice(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check the path".into(),
            Self::Malformed { format, .. } => (*format).into(),
            Self::Invalid { rule, .. } => rule.clone(),
            Self::TooLarge { limit, .. } => format!("the limit is {limit}: use fewer states or a shorter length"),
            Self::TooCostly { limit, .. } => {
                format!(
                    "the limit is {limit:.1e}: use fewer components or steps, or components that lie nearer together"
                )
            }
            Self::NotFinite { .. } => {
                "a number of the toy, the schedule or the weighting is too large or too small for double precision"
                    .into()
            }
            Self::Steps { limit, .. } => format!("the number of steps must be 1 to {limit} for this toy"),
            Self::GivenSteps { given, .. } => format!("use {given} steps"),
            Self::NoSupport(_) => "every bound would be infinite: give it a positive probability".into(),
            Self::Unsupported(_) => "use another process or another toy".into(),
            Self::InFile { error, .. } => error.advice(),
        }
    }
}

/// For the command line: every error here is one of input.
impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreadable { path, source } => Self::reading(&path)(source),
            other => Self::input(other.to_string(), other.advice()),
        }
    }
}
