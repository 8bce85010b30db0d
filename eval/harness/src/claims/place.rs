//! Where the file of a user's claim lies.

use std::path::PathBuf;

/// Where the file of a user's claim lies.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder that was named: `--claims DIR`.
    pub given: PathBuf,
    /// The file's own folder, to which the paths in it are relative.
    pub folder: PathBuf,
}
