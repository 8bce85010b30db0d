//! Measuring ourselves, and evaluation that stops by itself.

use std::path::Path;

use elbow_tests::elbow;
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A case of a few steps.
fn case(folder: &Path) -> String {
    let place = folder.join("case").to_str().expect("UTF-8").to_owned();
    elbow(ELBOW, &["bench", "case", "md4-digits", &place, "--set", "steps=3", "--json", "--quiet"]).json();
    place
}

/// What a timing must say.
fn check(timing: &Value, unit: &str) {
    assert_eq!(timing["unit"], unit, "{timing}");
    let seconds = timing["seconds"].as_array().expect("a list");
    assert!(!seconds.is_empty() && seconds.iter().all(|s| s.as_f64().is_some_and(|s| s > 0.0)), "{timing}");
    assert!(timing["check"].is_f64(), "{timing}");
}

#[test]
fn steps_and_samples_of_a_case_are_timed_with_a_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let case = case(folder.path());
    for file in ["batch.npz", "data.npz", "run/config.toml", "run/checkpoint/model.safetensors"] {
        assert!(Path::new(&case).join(file).is_file(), "{file}");
    }
    let step = elbow(ELBOW, &["bench", "step", &case, "--seconds", "0.1", "--json"]).json();
    check(&step, "step");
    // Three steps leave a network near the uniform one; the batch's own times and masks decide the rest.
    let bits = step["check"].as_f64().expect("bits/dim");
    assert!((2.0..6.0).contains(&bits), "{bits}");
    let arguments = ["bench", "sample", &case, "--steps", "4", "--count", "8", "--seconds", "0.1", "--json"];
    let sample = elbow(ELBOW, &arguments).json();
    check(&sample, "sample");
    assert!(sample["check_error"].as_f64().is_some_and(|error| error > 0.0), "{sample}");
    let machine = elbow(ELBOW, &["bench", "machine", "--json"]).json();
    assert!(machine["gflops"].as_f64().is_some_and(|rate| rate > 0.1), "{machine}");
}

#[test]
fn a_case_of_what_the_peers_do_not_know_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("case");
    let to = place.to_str().expect("UTF-8");
    for arguments in [&["maskgit-digits"][..], &["md4-digits", "--set", "weighting=fm"]] {
        let call = elbow(ELBOW, &[&["bench", "case", "--quiet"], arguments, &[to]].concat());
        assert_eq!(call.code, 2, "{}", call.stderr);
        assert!(call.stderr.contains("md4-digits") && !place.exists(), "{}", call.stderr);
    }
    for seconds in ["nan", "inf", "0"] {
        let call = elbow(ELBOW, &["bench", "step", "no-such-case", "--seconds", seconds]);
        assert_eq!(call.code, 2, "{}", call.stderr);
    }
}

#[test]
fn an_evaluation_stops_at_its_target_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = Path::new(&case(folder.path())).join("run");
    let run = run.to_str().expect("UTF-8");
    let ask = |target: &str| {
        let arguments = ["likelihood", "--checkpoint", run, "--split", "train", "--draws", "1"];
        let all = [&arguments[..], &["--target-se", target, "--json", "--quiet"]].concat();
        elbow(ELBOW, &all).json()["nelbo"].clone()
    };
    let number = |value: &Value| value.as_f64().expect("a number");
    let (soon, never) = (ask("0.5"), ask("1e-9"));
    assert_eq!((&soon["target"]["reached"], &never["target"]["reached"]), (&true.into(), &false.into()));
    assert!(number(&soon["bits_per_dim"]["standard_error"]) <= 0.5);
    assert_eq!(soon["sequences"], 128, "one round is enough for so coarse a number");
    assert_eq!(never["sequences"], never["target"]["available"]);
    assert_eq!(soon, ask("0.5"), "the same sequences every time");
    let refused = elbow(ELBOW, &["likelihood", "--checkpoint", run, "--target-se", "0"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

#[test]
fn without_a_python_no_comparison_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let result = elbow(ELBOW, &["eval", "speed", "--out", out, "--json", "--quiet"]).json();
    assert_eq!(result["not_run"], result["claims"].as_array().expect("claims").len());
    let call = elbow(ELBOW, &["eval", "trace", "--peers", "nowhere/python", "--out", out, "--json"]);
    assert_eq!(call.code, 3, "{}", call.stderr);
    assert!(call.stderr.contains("just bench compare"), "{}", call.stderr);
}
