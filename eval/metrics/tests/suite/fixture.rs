//! Paths of bundled files.

use std::path::{Path, PathBuf};

/// The path of a file under `fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}
