//! The file that a verb writes.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::{Error, atomic_file};

/// The file that a verb writes.
#[derive(Args)]
pub struct OutputFlags {
    /// The file to write; a file of the same kind is replaced
    #[arg(id = "output", long = "output", short = 'o', value_name = "FILE")]
    pub path: PathBuf,
    /// Replace an ordinary file of any kind
    #[arg(long)]
    force: bool,
}

impl OutputFlags {
    /// Refuses, before any work is done, an output that would replace an input, a link, a folder or a device, or without
    /// --force a file that is not `of_kind`.
    pub fn check(&self, inputs: &[&Path], of_kind: impl Fn(&Path) -> bool) -> Result<(), Error> {
        let refuse = |e: Error| crate::hints::written_by("-o FILE")(e);
        atomic_file::check_ordinary(&self.path).map_err(refuse)?;
        atomic_file::check_no_input(&self.path, inputs).map_err(refuse)?;
        if self.force || !self.path.exists() || of_kind(&self.path) {
            return Ok(());
        }
        let what = format!("{} exists, and is a file of another kind", self.path.display());
        Err(Error::input(what, "name another file with -o, or replace it with --force"))
    }
}
