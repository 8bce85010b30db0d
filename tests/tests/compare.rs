//! Differences of models and of sets on the command line, and thresholds.

use std::path::Path;

use elbow_tests::{elbow, root};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, &[arguments, &["--json", "--quiet"]].concat())
}

/// Trains a tiny run; its folder.
fn train(folder: &Path, preset: &str, settings: &[&str]) -> String {
    let run_folder = folder.join(format!("{preset}{}", settings.len())).display().to_string();
    let tiny = ["steps=3", "batch_size=8", "width=16", "hidden=32", "heads=2"];
    let sets: Vec<&str> = tiny.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
    run(&[&["train", preset, "--run", &run_folder], &sets[..]].concat()).json();
    run_folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn two_runs_are_asked_about_the_same_noise() {
    let folder = tempfile::tempdir().expect("a folder");
    let few = train(folder.path(), "md4-digits", &["steps=40"]);
    let more = train(folder.path(), "md4-digits", &["steps=60", "seed=0"]);
    let compare = |a: &str, b: &str, rest: &[&str]| {
        run(&[&["compare", a, b, "--sequences", "64", "--draws", "2"], rest].concat())
    };
    let found = compare(&more, &few, &[]).json();
    let bits = &found["difference"]["bits_per_dim"];
    let (value, error) = (number(&bits["value"]), number(&bits["standard_error"]));
    assert_eq!(
        (&found["difference"]["shared_inputs"], &bits["n"], &found["better"]),
        (&1.0.into(), &64.into(), &"A".into())
    );
    assert!(number(&found["difference"]["variance_ratio"]) > 1.5, "{found}");
    // The bounds are those of `likelihood`.
    for (run_folder, side) in [(&more, "a"), (&few, "b")] {
        let alone = run(&["likelihood", "--checkpoint", run_folder, "--sequences", "64", "--draws", "2"]).json();
        assert_eq!(alone["nelbo"]["nats"], found["difference"][side]["nats"]);
    }
    let swapped = compare(&few, &more, &[]).json();
    assert_eq!(number(&swapped["difference"]["bits_per_dim"]["value"]), -value);
    assert_eq!(swapped["better"], "B");
    // A run and itself differ in nothing.
    let same = compare(&few, &few, &["--equals", "0", "--within", "0"]).json();
    assert_eq!((&same["better"], &same["thresholds"][0]["verdict"]), (&"neither".into(), &"holds".into()));
    // Limits on both sides of the interval, and inside it.
    let [low, high] = [value - 3.0 * error, value + 3.0 * error].map(|limit| limit.to_string());
    assert_eq!(compare(&more, &few, &["--at-most", &high]).code, 0);
    assert_eq!(compare(&more, &few, &["--at-most", &low]).code, 1);
    let undecided = compare(&more, &few, &["--at-least", &(value - error / 2.0).to_string()]);
    let document = undecided.json();
    assert_eq!(document["thresholds"][0]["verdict"], "undecided");
    // ((1.998 + 0.842) / 0.5)^2 for 63 degrees of freedom.
    assert!((number(&document["thresholds"][0]["more"]) - 32.27).abs() < 0.1, "{document}");
    let limits = ["likelihood", "--checkpoint", &few, "--sequences", "20", "--draws", "1"];
    assert_eq!(run(&[&limits[..], &["--at-most", "9"]].concat()).code, 0);
    assert_eq!(run(&[&limits[..], &["--at-most", "0.1"]].concat()).code, 1);
}

#[test]
fn other_families_share_the_sequences_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let masked = train(folder.path(), "md4-digits", &[]);
    let points = train(folder.path(), "vdm-digits", &[]);
    let found = run(&["compare", &masked, &points, "--sequences", "40", "--draws", "1"]).json();
    assert_eq!(
        (&found["difference"]["shared_inputs"], &found["difference"]["a"]["estimator"]),
        (&0.0.into(), &"k-dce".into())
    );
    let text = elbow(ELBOW, &["compare", &masked, &points, "--sequences", "40", "--draws", "1", "--quiet"]);
    assert!(text.stdout.contains("noise of its own for each"), "{}", text.stdout);
}

/// The text of pairs and its tokenizer, which a model file and a run over the same tokens are judged on.
fn pairs(folder: &Path) -> String {
    std::fs::write(folder.join("pairs.txt"), "a a a a a a a a a b b a b a b b b b b b ".repeat(20).trim_end())
        .expect("a text");
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "a": 0, "b": 1 }, "unk_token": "a" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("a tokenizer");
    folder.join("pairs.txt").display().to_string()
}

#[test]
fn model_files_are_compared_with_one_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = pairs(folder.path());
    let model = |network: &str| {
        let models = root().join("fixtures/models");
        std::fs::copy(models.join(format!("{network}.onnx")), folder.path().join(format!("{network}.onnx")))
            .expect("a copy");
        let file = folder.path().join(format!("{network}.toml"));
        let text = std::fs::read_to_string(models.join(format!("{network}.toml"))).expect("bundled");
        let data = "[data]\ndataset = \"pairs.txt\"\nalphabet = \"tokenizer:tokenizer.json\"\n";
        std::fs::write(&file, format!("{text}{data}")).expect("a file");
        file.display().to_string()
    };
    let [framed, fixed, timed] = ["table", "table-fixed", "table-timed"].map(model);
    let compare = |a: &str, b: &str| {
        run(&["compare", a, b, "--split", "all", "--draws", "4", "--ort-lib", "none"]).json()["difference"].clone()
    };
    let twins = compare(&framed, &fixed);
    // One table in two files; single precision.
    assert!(number(&twins["bits_per_dim"]["value"]).abs() < 1e-6 && twins["shared_inputs"] == 1.0, "{twins}");
    let tilted = compare(&framed, &timed);
    assert_eq!((&tilted["a"]["estimator"], tilted["shared_inputs"] == 0.0), (&"objective".into(), false));
    assert!(number(&tilted["bits_per_dim"]["value"]) < 0.0, "the tilt by the time costs something: {tilted}");
    let other =
        run(&["compare", &framed, &train(folder.path(), "md4-digits", &[]), "--ort-lib", "none", "--split", "train"]);
    assert!(other.code == 2 && other.stderr.contains("A is judged on"), "{}", other.stderr);
    assert!(Path::new(&data).is_file());
}

#[test]
fn sets_are_compared_by_their_distances_from_a_reference() {
    let compare = |rest: &[&str]| {
        let sets =
            ["compare", "digits:test", "digits:test", "--reference", "digits:train", "--no-cache", "--ort-lib", "none"];
        run(&[&sets[..], rest].concat())
    };
    let same = compare(&[]).json();
    assert_eq!((&same["metrics"][0]["better"], &same["metrics"][1]["better"]), (&"neither".into(), &"neither".into()));
    let alone =
        run(&["fid", "calc", "digits:test", "digits:train", "--metrics", "fd,kid", "--no-cache", "--ort-lib", "none"]);
    let (alone, a) = (alone.json(), &same["metrics"][0]["difference"]["a"]);
    assert_eq!(
        (&alone["measures"][0]["value"], &alone["measures"][0]["standard_error"]),
        (&a["value"], &a["standard_error"])
    );
    assert_eq!((&a["error_units"], &same["metrics"][0]["difference"]["metric"]), (&10.into(), &a["metric"]));
    for (arguments, words) in [
        (&["compare", "digits:test", "digits:train", "--reference", "digits:train"][..], "A has 299 images and B 1498"),
        (
            &["compare", "digits:test", "digits:test", "--reference", "digits:train", "--metrics", "is"],
            "only fd, kid and mind",
        ),
        (&["compare", "digits:test", "digits:test"], "--reference SET"),
        (
            &["compare", "digits:test", "digits:test", "--reference", "digits:train", "--draws", "3"],
            "cannot be used with",
        ),
        (
            &["compare", "digits:test", "digits:test", "--reference", "digits:train", "--documents", "lines"],
            "cannot be used with",
        ),
        (
            &["fid", "calc", "digits:test", "digits:train", "--blocks", "0", "--metrics", "fd", "--at-most", "1"],
            "no error",
        ),
    ] {
        let call =
            run(&[arguments, if arguments.contains(&"--draws") { &[] } else { &["--ort-lib", "none"] }].concat());
        assert!(call.code == 2 && call.stderr.contains(words), "{arguments:?}: {} {}", call.code, call.stderr);
    }
    let calc = ["fid", "calc", "digits:test", "digits:train", "--metrics", "fd", "--no-cache", "--ort-lib", "none"];
    assert_eq!(run(&[&calc[..], &["--at-least", "0"]].concat()).code, 0);
    assert_eq!(run(&[&calc[..], &["--at-most", "0"]].concat()).code, 1);
}
