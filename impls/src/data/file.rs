//! Whole files, packed or not.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::bytes::{Bytes, Collected, PIECE, Reading};
use crate::error::{Error, Result};
use crate::hash::{sha256, sha256_of};

/// The unpacked content of a file, and the hash of the file as it lies on disk.
pub(super) struct Content {
    pub bytes: Vec<u8>,
    pub hash: String,
}

/// Reads a file that must not be empty; one whose name ends in `.gz` is unpacked.
pub(super) fn read(path: &Path) -> Result<Content> {
    check(path)?;
    let packed = fs::read(path).map_err(Error::io(path))?;
    let hash = sha256(&packed);
    let mut bytes = Vec::new();
    match is_packed(path) {
        true => unpack(path, &packed[..], &mut bytes)?,
        false => bytes = packed,
    }
    match bytes.is_empty() {
        true => Err(empty(path)),
        false => Ok(Content { bytes, hash }),
    }
}

/// The content of a file as [`read`] reads it, on disk where it is large. A plain file that is large stays where it is.
pub(super) fn content(path: &Path, reading: &Reading) -> Result<Bytes> {
    let file = open(path)?;
    let bytes = if is_packed(path) {
        let mut content = Collected::new(reading);
        unpack(path, file, &mut content)?;
        content.finish().map_err(Error::writing(reading.folder))?
    } else if fs::metadata(path).map_err(Error::io(path))?.len() >= reading.large as u64 {
        Bytes::of_file(file).map_err(Error::io(path))?
    } else {
        Bytes::Memory(fs::read(path).map_err(Error::io(path))?)
    };
    match bytes.len() {
        0 => Err(empty(path)),
        _ => Ok(bytes),
    }
}

/// SHA-256 of a file as it lies on disk.
pub(super) fn hash(path: &Path) -> Result<String> {
    sha256_of(open(path)?).map_err(Error::io(path))
}

fn open(path: &Path) -> Result<File> {
    check(path)?;
    File::open(path).map_err(Error::io(path))
}

/// Refuses what is no ordinary file.
fn check(path: &Path) -> Result<()> {
    match fs::metadata(path).map_err(Error::io(path))? {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(Error::format(path, "a folder: name a file in it")),
        _ => Err(Error::format(path, "no file, but a device")),
    }
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn empty(path: &Path) -> Error {
    Error::format(path, "the file is empty")
}

fn unpack(path: &Path, packed: impl Read, to: &mut impl Write) -> Result<()> {
    let mut unpacked = 0;
    let mut stream = MultiGzDecoder::new(packed);
    let mut piece = vec![0; PIECE];
    loop {
        let length = stream.read(&mut piece).map_err(|e| {
            let what = match e.kind() {
                ErrorKind::UnexpectedEof => {
                    let size = fs::metadata(path).map_or(0, |file| file.len());
                    format!("the gzip stream ends early, at byte {size} of the file")
                }
                _ => format!("a damaged gzip stream: {e}"),
            };
            Error::format(path, format!("{what}, after {unpacked} unpacked bytes: fetch the file again"))
        })?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&piece[..length]).map_err(Error::writing(path))?;
        unpacked += length;
    }
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
