//! Files of images, by their names.

use std::path::Path;

use super::{Dataset, Npz, Split, cifar, idx};
use crate::error::Result;

/// Whether a file's name says that it holds images: `.npz`, `.npy`, CIFAR-10's `.bin`, IDX (`-ubyte`, plain or `.gz`).
pub fn holds_images(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    [".npz", ".npy", ".bin", "-ubyte", "-ubyte.gz"].iter().any(|ending| name.ends_with(ending))
}

/// Opens a file of images whole.
pub(super) fn open(path: &Path, split: Split) -> Result<Box<dyn Dataset>> {
    match path.to_string_lossy().to_ascii_lowercase() {
        name if name.ends_with(".bin") => Ok(Box::new(cifar::file(path, split)?)),
        name if name.ends_with("-ubyte") || name.ends_with(".gz") => Ok(Box::new(idx::file(path, split)?)),
        _ => Ok(Box::new(Npz::file(path, split)?)),
    }
}
