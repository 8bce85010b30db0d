//! Records the revision that the program is built from.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn main() {
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
