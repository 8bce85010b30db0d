//! The interface of a check: the trait, the context that it is given and the outcome that it returns.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Deref;

use elbow_base::Error;
use elbow_reports::record::Input;

use super::place::Place;
use crate::workspace::Workspace;

pub use super::outcome::Outcome;

/// The context of a check: the workspace (data, device, seed, output folder, progress) and the confidence of its claim.
pub struct Context<'a> {
    /// Where and how the program runs.
    pub workspace: &'a Workspace,
    /// Coverage of the interval that will judge the claim.
    pub confidence: f64,
    /// The id of the claim that is checked.
    pub id: &'a str,
    /// Where the file of a user's claim lies.
    pub place: Option<&'a Place>,
}

/// The workspace's fields and methods are the context's: `context.seed`, `context.data_file(..)`.
impl Deref for Context<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        self.workspace
    }
}

/// A kind of check with its parameters, as a claim's `[protocol]` table gives them.
pub trait Check: Debug + Any {
    /// What of the parameters is wrong, as far as it shows without running the check: names that are unknown, numbers out
    /// of range, files that are not there.
    fn faults(&self, _context: &Context) -> Vec<Error> {
        Vec::new()
    }

    /// The files and data that the check reads, with hashes: part of the key under which its row is found again.
    fn inputs(&self, _context: &Context) -> Result<Vec<Input>, Error> {
        Ok(Vec::new())
    }

    /// Runs the check.
    fn run(&self, context: &Context) -> Result<Outcome, Error>;

    /// Whether the claim is decided by an interval that shares the error probability of its suite.
    fn is_statistical(&self) -> bool {
        false
    }
}
