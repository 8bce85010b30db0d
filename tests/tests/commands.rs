//! The command line: output, exit codes, errors.

use serde_json::Value;
use tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

fn run(arguments: &[&str]) -> tests::Call {
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
    // The printed example.
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
fn bad_usage_and_bad_input_exit_with_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let toy = folder.path().join("toy.json");
    std::fs::write(&toy, r#"{"states": 2, "length": 1, "data": {"0": 0.7, "1": 0.2}, "denoiser": {"kind": "exact"}}"#)
        .expect("written");
    let toy = toy.to_str().expect("UTF-8");
    let cases: [(&[&str], &[&str]); 17] = [
        (&["theory", "masked", "--toy", toy], &["toy.json", "sum to 0.8999999999999999", "1e-9"]),
        (&["theory", "masked", "--toy", "absent.json"], &["absent.json"]),
        (
            &["theory", "masked", "--toy", "fixtures/toys/copy.json", "--schedule", "cosin"],
            &["cosin", "did you mean cosine"],
        ),
        (
            &["theory", "masked", "--toy", "fixtures/toys/copy.json", "--weighting", "sigmod:1"],
            &["sigmod", "sigmoid:B"],
        ),
        (&["theory", "masked", "--toy", "fixtures/toys/copy.json", "--steps", "0"], &["0 steps", "steps must be 1 to"]),
        (&["theory", "masked", "--toi", "x"], &["--toi", "--toy"]),
        (
            &["theory", "uniform", "--toy", "fixtures/toys/copy.json", "--transition", "fixtures/discrete/walk.json"],
            &["walk.json", "3 rows for a toy of 4 values"],
        ),
        (
            &["theory", "uniform", "--toy", "fixtures/toys/copy.json", "--parameterization", "d3p"],
            &["did you mean d3pm"],
        ),
        (
            &["theory", "masked", "--toy", "fixtures/toys/copy.json", "--schedule", "poly:1,2"],
            &["values 2 for a toy of 4"],
        ),
        (&["theory", "gaussian", "--toy", "fixtures/toys/copy.json"], &["copy.json", "not a toy"]),
        (&["theory", "gaussian", "--toy", "fixtures/gaussian/atoms.json", "--schedule", "vdn"], &["did you mean vdm"]),
        (&["eval", "theorie"], &["theorie", "did you mean theory"]),
        (&["eval", "texts"], &["texts", "did you mean text"]),
        (&["train", "md4-digit"], &["md4-digit", "did you mean md4-digits"]),
        (&["train", "md4-digits", "--set", "widht=3"], &["widht", "did you mean width"]),
        (&["likelihood", "--checkpoint", "nowhere"], &["nowhere", "config.toml"]),
        (&["fid", "calc", "nowhere", "digits:test"], &["nowhere"]),
    ];
    for (arguments, expected) in cases {
        let call = run(arguments);
        assert_eq!(call.code, 2, "{arguments:?}: {}", call.stderr);
        assert!(call.stdout.is_empty(), "{arguments:?}: {}", call.stdout);
        for text in expected {
            assert!(call.stderr.contains(text), "{arguments:?}: {text:?} is not in {:?}", call.stderr);
        }
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
    // A folder that cannot be made: a file stands in its place.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("written");
    let out = file.join("out");
    let call = run(&["eval", "theorem-1", "--out", out.to_str().expect("UTF-8")]);
    assert_eq!(call.code, 3, "{}", call.stderr);
    assert!(call.stderr.contains("--out"), "{}", call.stderr);
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
    // It looks for what another verb would need, and does not fail for want of it.
    let json = run(&["doctor", "--json", "--data", "nowhere", "--device", "cuda:99"]).json();
    let findings = json["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|f| f["what"] == "digits" && f["found"] == false));
}
