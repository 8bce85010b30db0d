//! Bundled files.

use std::path::{Path, PathBuf};

/// A bundled file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}
