//! The command line: output, exit codes, errors.

use elbow_tests::{elbow, root};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, arguments)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn theory_masked_prints_the_documented_fields() {
    let call = run(&[
        "theory",
        "masked",
        "--toy",
        "fixtures/toys/example-a.json",
        "--schedule",
        "cosine",
        "--steps",
        "5",
        "--weighting",
        "sigmoid:1",
        "--json",
    ]);
    let json = call.json();
    for (field, length) in [
        ("elbo", 6),
        ("gap", 5),
        ("factorization", 5),
        ("kl_step", 5),
        ("decoder", 6),
        ("data_model_kl", 6),
        ("w_tilde", 5),
        ("cascade_weights", 5),
    ] {
        assert_eq!(numbers(&json[field]).len(), length, "{field}");
    }
    for field in [
        "entropy",
        "theorem1_residual",
        "theorem2_residual",
        "neg_elbo_continuous",
        "weighted_continuous",
        "any_order_ar_nll",
    ] {
        assert!(json[field].is_f64(), "{field}: {}", json[field]);
    }
    assert!(call.stderr.is_empty(), "{}", call.stderr);
    // The gap is an independent number: it must close the distance between neighbouring bounds.
    let (elbo, gap) = (numbers(&json["elbo"]), numbers(&json["gap"]));
    for i in 0..5 {
        assert!((elbo[i + 1] - elbo[i] - gap[i]).abs() < 1e-13);
    }
}

/// The cascade of each process through the command line; the gap must close the distance between neighbouring bounds.
#[test]
fn theory_of_every_process_prints_the_documented_fields() {
    let cases: [&[&str]; 5] = [
        &["gaussian", "--toy", "fixtures/gaussian/atoms.json", "--gamma-min", "-6", "--gamma-max", "5", "--steps", "4"],
        &["gaussian", "--toy", "fixtures/gaussian/mixture.json", "--schedule", "vdm", "--steps", "4"],
        &["uniform", "--toy", "fixtures/toys/three-tokens.json", "--schedule", "cosine", "--steps", "4"],
        &[
            "uniform",
            "--toy",
            "fixtures/toys/three-tokens.json",
            "--transition",
            "fixtures/discrete/walk.json",
            "--steps",
            "4",
        ],
        &["masked", "--toy", "fixtures/toys/example-b.json", "--schedule", "poly:0.5,1,2", "--steps", "4"],
    ];
    for case in cases {
        let arguments = [&["theory"], case, &["--weighting", "sigmoid:1", "--json"]].concat();
        let call = run(&arguments);
        assert!(call.stderr.is_empty(), "{case:?}: {}", call.stderr);
        let json = call.json();
        for (field, length) in [("elbo", 5), ("gap", 4), ("kl_step", 4), ("decoder", 5), ("w_tilde", 4)] {
            assert_eq!(numbers(&json[field]).len(), length, "{case:?} {field}");
        }
        for field in ["entropy", "prior", "theorem1_residual", "theorem2_residual", "neg_elbo_continuous"] {
            assert!(json[field].is_f64(), "{case:?} {field}: {}", json[field]);
        }
        let part = if case[0] == "gaussian" { "kernel_mismatch" } else { "factorization" };
        assert_eq!(numbers(&json[part]).len(), 4, "{case:?}");
        let (elbo, gap) = (numbers(&json["elbo"]), numbers(&json["gap"]));
        for i in 0..4 {
            assert!((elbo[i + 1] - elbo[i] - gap[i]).abs() < 1e-11 * elbo[0].abs().max(1.0), "{case:?}, i = {i}");
        }
    }
}

#[test]
fn the_printed_example_of_gaussian_theory() {
    let json = run(&["theory", "gaussian", "--toy", "fixtures/gaussian/atoms.json", "--steps", "4", "--json"]).json();
    assert!((numbers(&json["elbo"])[0] + 5.52145628).abs() < 1e-8);
}

#[test]
fn an_infinite_weight_is_null_and_explained() {
    let json = run(&[
        "theory",
        "masked",
        "--toy",
        "fixtures/toys/example-a.json",
        "--weighting",
        "fm",
        "--steps",
        "3",
        "--json",
    ])
    .json();
    assert!(json["w_tilde"][2].is_null() && json["theorem2_residual"].is_null());
    assert!((json["weighted_continuous"].as_f64().expect("finite") - 2.1299534579).abs() < 1e-9);
    assert!(json["notes"][0].as_str().expect("a note").contains("infinite"));
}

#[test]
fn bad_usage_and_bad_input_exit_with_2() {
    let cases: [&[&str]; 4] = [
        &["theory", "masked", "--toi", "x"],
        &["theory", "masked", "--toy", "absent.json"],
        &["train", "md4-digits", "--set", "widht=3"],
        &["likelihood", "--checkpoint", "nowhere"],
    ];
    for arguments in cases {
        let call = run(arguments);
        assert_eq!((call.code, call.stdout.as_str()), (2, ""), "{arguments:?}: {}", call.stderr);
        assert!(!call.stderr.contains("panicked"), "{}", call.stderr);
    }
}

#[test]
fn what_the_environment_lacks_exits_with_3() {
    let cases: [&[&str]; 2] = [
        &["--device", "cuda:99", "train", "md4-digits"],
        &["fid", "calc", "digits:test", "digits:train", "--ort-lib", "nowhere/libonnxruntime.so"],
    ];
    for arguments in cases {
        let call = run(arguments);
        assert_eq!(call.code, 3, "{arguments:?}: {}", call.stderr);
    }
}

#[test]
fn results_that_cannot_be_written_exit_with_3_and_name_the_option() {
    // A folder that cannot be made: a file stands in its place.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("written");
    let out = file.join("out");
    let out = out.to_str().expect("UTF-8");
    let stats = ["fid", "stats", "digits:test", "--no-cache", "-o", out];
    for (arguments, option) in [(&["eval", "theorem-1", "--out", out][..], "--out"), (&stats[..], "-o FILE")] {
        let call = run(arguments);
        assert_eq!(call.code, 3, "{}", call.stderr);
        assert!(call.stderr.contains(option), "{}", call.stderr);
    }
}

#[test]
fn dry_run_prints_every_setting_and_trains_nothing() {
    let json = run(&["train", "md4-digits", "--set", "steps=5", "--dry-run", "--json"]).json();
    assert_eq!(json["steps"], 5);
    assert_eq!(json["implementation"], "md4");
    let preset = std::fs::read_to_string(root().join("impls/presets/md4-digits.toml")).expect("bundled");
    for line in preset.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().expect("a key");
        assert!(json.get(key).is_some(), "{key} is in the preset but not in the resolved settings");
    }
}

#[test]
fn doctor_says_what_is_there() {
    let json = run(&["doctor", "--json"]).json();
    let findings = json["findings"].as_array().expect("findings");
    let digits = findings.iter().find(|f| f["what"] == "digits").expect("looked for");
    assert_eq!(digits["found"], true);
}

/// It looks for what another verb would need, and does not fail for want of it.
#[test]
fn doctor_says_what_is_missing() {
    let json = run(&["doctor", "--json", "--device", "cuda:99"]).json();
    let findings = json["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|f| f["what"] == "imagenet64" && f["found"] == false));
}
