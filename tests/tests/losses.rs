//! The door for programs that export nothing: noise in a file, answers in another, the bound.

use std::path::Path;
use std::process::Command;

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_tests::{elbow, root};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Single precision of log-probabilities; measured 3e-8 bits.
const SAME: f64 = 1e-6;

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, &[arguments, &["--json", "--quiet"]].concat())
}

/// Writes log-probabilities of a program that says every one of `values` alike.
fn say_all_alike(noise: &Path, losses: &Path, values: f64) {
    let mut npz = NpzReader::open(noise).expect("noise");
    let (z, id) = (npz.integers("z").expect("z"), npz.bytes("id").expect("id"));
    let mut out = NpzWriter::create(losses).expect("a file");
    out.array("log_probabilities", &z.shape, &vec![-values.ln(); z.data.len()]).expect("an array");
    out.array("id", &id.shape, &id.data).expect("an array");
    out.finish().expect("a file");
}

#[test]
fn every_value_alike_costs_its_logarithm() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let made =
        run(&["noise", "digits", "--objective", "any-order", "--sequences", "20", "--draws", "3", "-o", file]).json();
    assert_eq!((made["rows"].as_u64(), made["length"].as_u64()), (Some(60), Some(64)));
    say_all_alike(&noise, &losses, 17.0);
    let judge = |limits: &[&str]| run(&[&["judge", answers, "--noise", file], limits].concat());
    let bits = judge(&[]).json()["nelbo"]["bits_per_dim"].clone();
    assert!((bits["value"].as_f64().expect("a number") - 17f64.log2()).abs() < SAME, "{bits}");
    assert!(bits["standard_error"].as_f64().expect("a number") < SAME, "{bits}");
    let passed = judge(&["--at-most", "4.1", "--at-least", "4.0"]).json();
    assert_eq!(
        (&passed["thresholds"][0]["verdict"], &passed["thresholds"][1]["verdict"]),
        (&"holds".into(), &"holds".into())
    );
    let failed = judge(&["--equals", "4.0", "--within", "0.05"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let document: Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!(document["thresholds"][0]["verdict"], "does-not-hold");
    for half in [["--within", "1"], ["--equals", "1"]] {
        assert_eq!(judge(&half).code, 2, "an option without the other has no effect");
    }
    // The noise is an input, and is never replaced by something else.
    let refused = run(&["noise", "digits", "--objective", "any-order", "-o", answers]);
    assert!(refused.code == 2 && refused.stderr.contains("--force"), "{}", refused.stderr);
    let no_text = run(&["noise", "digits", "--objective", "md4", "--length", "5", "-o", file]);
    assert!(no_text.code == 2 && no_text.stderr.contains("is no text"), "{}", no_text.stderr);
    let unknown = run(&["noise", "digits", "--objective", "md4", "--set", "weighting=simple", "-o", file]);
    assert!(unknown.code == 2 && unknown.stderr.contains("schedule, timesteps"), "{}", unknown.stderr);
}

#[test]
fn a_text_has_its_units_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let text =
        ["noise", "shakespeare", "--alphabet", "text8", "--length", "50", "--sequences", "4", "--objective", "mdlm"];
    run(&[&text[..], &["-o", file]].concat()).json();
    say_all_alike(&noise, &losses, 27.0);
    let bound = run(&["judge", answers, "--noise", file]).json()["nelbo"].clone();
    let bits = |unit: &Value| unit["value"].as_f64().expect("a number");
    let ratio = bits(&bound["bits_per_dim"]) / bits(&bound["text"]["bits_per_character"]);
    let characters = bound["text"]["characters_per_token"].as_f64().expect("a number");
    assert!((ratio - characters).abs() < 1e-12, "{ratio} {characters}");
    assert!(bound["available"].as_u64() > Some(4) && bound["tokens_dropped"].as_u64() > Some(0), "{bound}");
}

/// A Python with NumPy, if there is one.
fn python() -> Option<&'static str> {
    let numpy =
        |python: &&str| Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success());
    ["python3", "python"].into_iter().find(numpy)
}

#[test]
fn the_example_of_the_documentation_runs() {
    let text = std::fs::read_to_string(root().join("docs/your-losses.md")).expect("docs/your-losses.md");
    let block = |fence: &str| text.split(fence).nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let program = block("```python\n");
    let Some(python) = python() else { return println!("no Python with NumPy here") };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("answer.py"), program).expect("a file");
    let mut last = String::new();
    for line in block("```\n").lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let program = if words[0] == "elbow" { ELBOW } else { python };
        let output = Command::new(program).args(&words[1..]).current_dir(folder.path()).output().expect("it starts");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        last = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    assert!(last.starts_with("NELBO 4.0875 +- 0.0000 bits/dim"), "{last}");
}
