//! Whether the files of a folder are whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The bytes of a file that is there.
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files in a folder and below, those still without their name left out, and the lock of a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let named =
        |path: &PathBuf| !name(path).starts_with(".tmp") && !name(path).ends_with(".tmp") && name(path) != "lock";
    files.into_iter().filter(named).chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

/// Their bytes, by their place in the folder.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let place = |path: &Path| path.strip_prefix(folder).expect("below the folder").to_owned();
    files(folder).iter().map(|path| (place(path), read(path))).collect()
}

/// The files that lack their end.
pub fn torn(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| !is_whole(path)).collect()
}

/// Logs are appended to, and the next run repairs a torn last line; every other file is whole or not there.
fn is_whole(path: &Path) -> bool {
    let bytes = read(path);
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok();
    match name(path).rsplit('.').next().unwrap_or_default() {
        "elbow" => name(path).starts_with("events.out.tfevents"),
        "jsonl" => bytes.split_inclusive(|&b| b == b'\n').all(|line| !line.ends_with(b"\n") || json(line)),
        "json" => json(&bytes),
        "toml" => {
            let text = String::from_utf8_lossy(&bytes);
            text.ends_with('\n') && toml::from_str::<toml::Table>(&text).is_ok()
        }
        "md" => bytes.ends_with(b"\n"),
        "html" => bytes.trim_ascii_end().ends_with(b"</html>"),
        "xml" => bytes.trim_ascii_end().ends_with(b"</testsuites>"),
        "png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"),
        // The end of a zip file is a record of 22 bytes.
        "npz" => bytes.starts_with(b"PK\x03\x04") && bytes[bytes.len().saturating_sub(22)..].starts_with(b"PK\x05\x06"),
        // A folder without `state.json`, which is written last, is no checkpoint yet.
        "safetensors" => fs::read(path.with_file_name("state.json")).ok().is_none_or(|state| {
            let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            serde_json::from_slice::<Value>(&state).is_ok_and(|state| state["files"][name(path)] == hash.as_str())
        }),
        _ => panic!("{}: a file of no known kind", path.display()),
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("UTF-8")
}
