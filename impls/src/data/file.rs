//! Whole files, packed or not.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::hash::sha256;

/// The unpacked content of a file, and the hash of the file as it lies on disk.
pub(super) struct Content {
    pub bytes: Vec<u8>,
    pub hash: String,
}

/// Reads a file that must not be empty; one whose name ends in `.gz` is unpacked.
pub(super) fn read(path: &Path) -> Result<Content> {
    let kind = fs::metadata(path).map_err(Error::io(path))?;
    if !kind.is_file() {
        return Err(Error::format(
            path,
            if kind.is_dir() { "a folder: name a file in it" } else { "no file, but a device" },
        ));
    }
    let packed = fs::read(path).map_err(Error::io(path))?;
    let hash = sha256(&packed);
    let bytes = match path.extension().is_some_and(|extension| extension == "gz") {
        true => unpack(path, &packed)?,
        false => packed,
    };
    match bytes.is_empty() {
        true => Err(Error::format(path, "the file is empty")),
        false => Ok(Content { bytes, hash }),
    }
}

fn unpack(path: &Path, packed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(packed).read_to_end(&mut bytes);
    read.map_err(|e| {
        let what = match e.kind() {
            ErrorKind::UnexpectedEof => format!("the gzip stream ends early, at byte {} of the file", packed.len()),
            _ => format!("a damaged gzip stream: {e}"),
        };
        Error::format(path, format!("{what}, after {} unpacked bytes: fetch the file again", bytes.len()))
    })?;
    Ok(bytes)
}

/// `name` or `name.gz` in this folder; `expected` says what should lie there.
pub(super) fn plain_or_packed(folder: &Path, name: &str, expected: &str) -> Result<PathBuf> {
    let found = [name.to_owned(), format!("{name}.gz")].map(|file| folder.join(file)).into_iter().find(|p| p.is_file());
    found.ok_or_else(|| Error::format(folder, format!("{name}[.gz] is missing: put {expected} there")))
}

/// One hash of several.
pub(super) fn combine<S: AsRef<str>>(hashes: impl IntoIterator<Item = S>) -> String {
    let lines: Vec<String> = hashes.into_iter().map(|hash| format!("{}\n", hash.as_ref())).collect();
    sha256(lines.concat().as_bytes())
}

/// The name of a file without folder, `.gz` and the ending before it.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}
