//! The program in a folder that is no checkout, as after `cargo install`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// The JSON of a command that ends well in `folder`, for a user whose caches and data are empty.
fn run(folder: &Path, command: &str) -> Value {
    let mut elbow = Command::new(ELBOW);
    elbow.args(command.split(' ')).args(["--json", "--quiet"]).current_dir(folder).env_remove("ELBOW_DATA");
    elbow.env("XDG_CACHE_HOME", folder.join("caches")).env("XDG_DATA_HOME", folder.join("data"));
    let output = elbow.output().expect("the binary starts");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_verb_works_in_an_empty_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |command: &str| run(folder.path(), command);
    run("train md4-digits --set steps=2 --set batch_size=4 --set width=16 --set hidden=32 --set heads=2");
    let bound = run("likelihood --checkpoint out/runs/md4-digits --sequences 20 --draws 1");
    assert_eq!(bound["nelbo"]["sequences"], 20);
    run("sample --checkpoint out/runs/md4-digits --count 12 --steps 4");
    let distance = run("fid calc out/runs/md4-digits/samples/samples.npz digits:test --metrics fd");
    assert!(distance["value"].as_f64().is_some_and(|value| value > 0.0));
    assert_eq!(run("eval theorem-1")["verified"], 1);
    let findings = run("doctor");
    let missing = |what: &str| {
        let findings = findings["findings"].as_array().expect("findings");
        findings.iter().find(|f| f["what"] == what).expect("looked for")["found"] == false
    };
    assert!(["digits", "shakespeare", "EfficientNet-Lite0"].iter().all(|what| !missing(what)));
    assert!(missing("mnist"), "witness: what the program does not carry");
}

/// Folders of data come before what the program carries: `--data`, then those of `$ELBOW_DATA`.
#[test]
fn folders_with_data_come_before_the_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let toys = folder.path().join("mine/toys");
    std::fs::create_dir_all(&toys).expect("a folder");
    std::fs::write(toys.join("example-a.json"), "{}").expect("a toy that is none");
    let eval = |data: &[&str], variable: &str| {
        let mut elbow = Command::new(ELBOW);
        elbow.args(["eval", "theorem-1", "--json", "--quiet"]).args(data).current_dir(folder.path());
        elbow.env("XDG_CACHE_HOME", folder.path().join("caches")).env("ELBOW_DATA", variable);
        elbow.output().expect("the binary starts").status.success()
    };
    assert!(eval(&[], "nowhere"), "the bundle's own");
    assert!(!eval(&["--data", "elsewhere", "--data", "mine"], ""), "--data may be given again");
    let folders = std::env::join_paths(["elsewhere", "mine"]).expect("a list");
    assert!(!eval(&[], folders.to_str().expect("UTF-8")), "$ELBOW_DATA is a list");
}
