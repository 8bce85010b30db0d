//! Toy distributions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use elbow_tests::{Call, elbow};
use serde_json::{Value, json};

use super::ELBOW;

fn theory(arguments: &[&str]) -> Call {
    elbow(ELBOW, &[&["theory"], arguments].concat())
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writable");
    path
}

/// The call fails at once with one message that has these words, and prints no result.
fn refused(arguments: &[&str], words: &[&str]) {
    let clock = Instant::now();
    let call = theory(arguments);
    assert_eq!((call.code, call.stdout.as_str()), (2, ""), "{arguments:?}: {}", call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{arguments:?}: {word:?} is not in {}", call.stderr);
    }
    assert!(clock.elapsed() < Duration::from_secs(5), "{arguments:?}");
}

const MASKED: &str = "fixtures/toys/example-a.json";
const TOKENS: &str = "fixtures/toys/three-tokens.json";
const ATOMS: &str = "fixtures/gaussian/atoms.json";

#[test]
fn bad_toys_are_refused_in_every_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let discrete = |states: &str, data: &str, denoiser: &str| {
        format!(r#"{{"states": {states}, "length": 2, "data": {data}, "denoiser": {denoiser}}}"#)
    };
    let (data, exact) = (r#"{"00": 0.4, "11": 0.6}"#, r#"{"kind": "exact"}"#);
    let tempered = |t: &str, f: &str| format!(r#"{{"kind": "tempered", "temperature": {t}, "floor": {f}}}"#);
    let toys = [
        (discrete("1000000000", data, exact), "states = 1000000000"),
        (discrete("0", data, exact), "states = 0"),
        (discrete("2", data, r#"{"kind": "exact", "temperature": 3}"#), "temperature"),
        (discrete("2", data, r#"{"kind": "uniform", "floor": 3}"#), "floor"),
        (discrete("2", data, r#"{"kind": "exact", "kind": "uniform"}"#), "duplicate"),
        (discrete("2", data, &tempered("1e-300", "0")), "temperature 1e-300"),
        (discrete("2", data, &tempered("1", "1e308")), "floor 1e308"),
        (discrete("2", data, &tempered("1", "-1")), "floor -1"),
        (discrete("2", r#"{"00": -0.4, "11": 1.4}"#, exact), "-0.4"),
        (discrete("2", r#"{"00": 0.4, "11": 0.5}"#, exact), "sum to 0.9"),
        (discrete("2", r#"{"000": 0.4, "11": 0.6}"#, exact), "3 digits"),
        ("[1, 2]".to_owned(), "not a toy"),
    ];
    for (number, (text, expected)) in toys.iter().enumerate() {
        let toy = written(folder.path(), &format!("{number}.json"), text);
        for process in ["masked", "uniform"] {
            refused(&[process, "--toy", toy.to_str().expect("UTF-8"), "--steps", "2"], &[expected]);
        }
    }
    let mixture = |mean: &str, std: &str, denoiser: &str| {
        format!(r#"{{"mixture": [{{"mean": [{mean}], "std": {std}, "weight": 1}}], "denoiser": {denoiser}}}"#)
    };
    let toys = [
        (mixture("0", "1e-300", exact), "std 1e-300"),
        (mixture("0", "1e300", exact), "std 1e300"),
        (mixture("1e300", "1", exact), "1e300"),
        (mixture("1", "1e-20", exact), "std 1e-20 at [1.0]"),
        (mixture("0", "1", r#"{"kind": "exact", "std": 3}"#), "std"),
        (r#"{"atoms": [[0, 0.5], [1, -0.5]], "denoiser": {"kind": "exact"}}"#.to_owned(), "weight -0.5"),
        (r#"{"atoms": [[0, 0.5], [1e300, 0.5]], "denoiser": {"kind": "exact"}}"#.to_owned(), "1e300"),
    ];
    for (number, (text, expected)) in toys.iter().enumerate() {
        let toy = written(folder.path(), &format!("gaussian-{number}.json"), text);
        refused(&["gaussian", "--toy", toy.to_str().expect("UTF-8"), "--steps", "2"], &[expected]);
    }
}

#[test]
fn work_beyond_the_limits_is_refused_before_it_is_begun() {
    let folder = tempfile::tempdir().expect("a folder");
    for steps in ["0", "1000000000", "18446744073709551615"] {
        refused(&["masked", "--toy", MASKED, "--steps", steps], &["steps", "1 to 1048576"]);
        refused(&["uniform", "--toy", TOKENS, "--steps", steps], &["steps", "1 to 1048576"]);
        refused(&["gaussian", "--toy", ATOMS, "--steps", steps], &["steps", "1 to 4096"]);
    }
    let atoms: Vec<[f64; 2]> = (0..1000).map(|i| [f64::from(i) / 100.0, 0.001]).collect();
    let toy = json!({ "atoms": atoms, "denoiser": { "kind": "exact" } }).to_string();
    let toy = written(folder.path(), "atoms.json", &toy);
    refused(&["gaussian", "--toy", toy.to_str().expect("UTF-8"), "--steps", "2"], &["evaluations", "limit", "fewer"]);
}

#[test]
fn numbers_in_names_say_their_range() {
    let weightings = [
        ("p2:-1", "p2:-1: G must be finite and 0 or more"),
        ("sigmoid:1e400", "B must be finite"),
        ("edm:0", "SIGMA_DATA must be finite and above 0"),
        ("min-snr:x", "G must be finite and above 0"),
    ];
    for (name, message) in weightings {
        refused(&["masked", "--toy", MASKED, "--weighting", name], &[message]);
    }
    for (name, message) in
        [("poly:0", "W must be finite and above 0"), ("poly:1,-2", "every W must be finite and above 0")]
    {
        refused(&["masked", "--toy", MASKED, "--schedule", name], &[message]);
    }
    let schedules = [
        ("fixed-linear:5:-6", "MIN must be below MAX"),
        ("fixed-linear:-1e308:1e308", "within 700"),
        ("normal:0:0", "STD must be finite and above 0"),
        ("normal:0:1:-20:20", "within 7 STD"),
    ];
    for (name, message) in schedules {
        refused(&["gaussian", "--toy", ATOMS, "--schedule", name], &[message]);
    }
    refused(
        &["gaussian", "--toy", ATOMS, "--gamma-min", "5", "--gamma-max", "-6"],
        &["--gamma-min 5 is not below --gamma-max -6"],
    );
    refused(&["gaussian", "--toy", ATOMS, "--gamma-min=-1e4"], &["within 700"]);
}

#[test]
fn tables_and_transitions_out_of_range_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let steep = written(folder.path(), "steep.csv", "log_snr,w\n0,1e308\n1e-300,0\n1,0\n");
    refused(&["masked", "--toy", MASKED, "--weighting", &format!("table:{}", steep.display())], &["changes too fast"]);
    let far = written(folder.path(), "far.csv", "t,log_snr\n0,1e6\n1,-5\n");
    refused(&["gaussian", "--toy", ATOMS, "--schedule", &format!("table:{}", far.display())], &["row 1", "within 700"]);
    let transitions = [
        (r#"{"jump": [[0.5, 0.5], [0.7, 0.7]]}"#, "row 2"),
        (r#"{"jump": [[1.5, -0.5], [0.5, 0.5]]}"#, "row 1"),
        (r#"{"jump": [[1]]}"#, "1 rows"),
        (r#"{"jump": [[1, 0], [0, 1]], "steps": []}"#, "not a transition"),
        (r#"{"steps": []}"#, "at least one"),
    ];
    for (text, expected) in transitions {
        let file = written(folder.path(), "transition.json", text);
        refused(&["uniform", "--toy", MASKED, "--transition", file.to_str().expect("UTF-8")], &[expected]);
    }
}

/// Whether a document has a null anywhere.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        other => other.is_null(),
    }
}

#[test]
fn results_are_finite_or_say_why_not() {
    let json = |arguments: &[&str]| theory(&[arguments, &["--json"]].concat()).json();
    for schedule in ["poly:1e308", "poly:1e-12", "poly:5000", "linear", "geometric"] {
        let found = json(&["masked", "--toy", MASKED, "--steps", "2", "--schedule", schedule]);
        assert!(!has_null(&found), "{schedule}: {found}");
    }
    // The data are gone at t = 1 and fm has no bound there: null, with a note.
    let infinite = json(&["masked", "--toy", MASKED, "--steps", "2", "--weighting", "fm"]);
    assert!(infinite["w_tilde"][1].is_null() && infinite["notes"][0].as_str().is_some_and(|n| n.contains("infinite")));
    let table = theory(&["masked", "--toy", MASKED, "--steps", "3"]).stdout;
    assert!(!table.contains("-0.0000000000") && table.contains("not removable: the part of the gap"), "{table}");
}
