//! Records the revision that the program is built from, and puts the fixtures that it carries into one folder.
//!
//! Networks are stored by planes: the first bytes of all words of four, then the second ones, and so on. The bytes of a plane
//! are alike where the words are floats, so that what compresses the program (a wheel, a package) takes 8 % more off.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The folders of `fixtures` that a program without them reads.
const TOPICS: [&str; 13] = [
    "cascade",
    "digits",
    "digits-classifier",
    "discrete",
    "frechet",
    "gaussian",
    "gaussian-objectives",
    "inception",
    "lite0",
    "metrics",
    "photos",
    "text",
    "toys",
];

fn main() -> io::Result<()> {
    record_revision();
    bundle()
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn record_revision() {
    let revision = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    // Without the option it may write the index, and the next call of cargo would build again.
    let dirty = git(&["--no-optional-locks", "status", "--porcelain"]).is_none_or(|changes| !changes.is_empty());
    println!("cargo:rustc-env=ELBOW_GIT_REVISION={revision}");
    println!("cargo:rustc-env=ELBOW_GIT_DIRTY={dirty}");
    for path in [
        "../harness",
        "../claims",
        "../cli",
        "../metrics",
        "../theory",
        "../../impls",
        "../../reports",
        "../../Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }
    if let Some(folder) = git(&["rev-parse", "--git-dir"]) {
        println!("cargo:rerun-if-changed={folder}/HEAD");
        println!("cargo:rerun-if-changed={folder}/index");
    }
}

/// Copies the topics to where `src/bundled.rs` embeds them from.
fn bundle() -> io::Result<()> {
    let fixtures = Path::new("../../fixtures");
    let bundle = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("bundle");
    if bundle.is_dir() {
        fs::remove_dir_all(&bundle)?;
    }
    for topic in TOPICS {
        println!("cargo::rerun-if-changed={}", fixtures.join(topic).display());
        put(&fixtures.join(topic), &bundle.join(topic))?;
    }
    Ok(())
}

fn put(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, mut place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            put(&path, &place)?;
        } else if path.extension().is_some_and(|extension| extension == "onnx") {
            place.set_extension("onnx.planes");
            fs::write(place, planes(&fs::read(&path)?))?;
        } else {
            fs::copy(&path, place)?;
        }
    }
    Ok(())
}

fn planes(bytes: &[u8]) -> Vec<u8> {
    (0..4).flat_map(|plane| bytes.iter().skip(plane).step_by(4).copied()).collect()
}
