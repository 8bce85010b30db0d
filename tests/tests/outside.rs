//! Models from outside on the command line.

use std::path::{Path, PathBuf};

use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// A model file over a text of two tokens, `a` and `b`, in pairs: 40 % aa, 10 % ab, 20 % ba, 30 % bb.
fn model(folder: &Path, network: &str, from: &str, to: &str) -> PathBuf {
    let models = root().join("fixtures/models");
    let text = std::fs::read_to_string(models.join(format!("{network}.toml"))).expect("bundled");
    assert!(text.contains(from), "{from}");
    let onnx = format!("{network}.onnx");
    std::fs::copy(models.join(&onnx), folder.join(&onnx)).expect("a copy");
    let data = "[data]\ndataset = \"pairs.txt\"\nalphabet = \"tokenizer:tokenizer.json\"\n";
    let path = folder.join(format!("{network}-model.toml"));
    std::fs::write(&path, format!("{}{data}", text.replacen(from, to, 1))).expect("a file");
    let pairs = "a a a a a a a a a b b a b a b b b b b b ".repeat(20);
    std::fs::write(folder.join("pairs.txt"), pairs.trim_end()).expect("a text");
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "a": 0, "b": 1 }, "unk_token": "a" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("a tokenizer");
    path
}

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, &[arguments, &["--ort-lib", "none", "--json", "--quiet"]].concat())
}

#[test]
fn a_model_file_gives_a_likelihood_with_its_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = model(folder.path(), "table", "linear", "linear");
    let file = file.to_str().expect("UTF-8");
    let json = run(&["likelihood", "--model", file, "--split", "all", "--draws", "32"]).json();
    assert_eq!(json["nelbo"]["estimator"], "k-dce");
    let exact =
        elbow(ELBOW, &["theory", "masked", "--toy", "fixtures/toys/example-a.json", "--steps", "2", "--json"]).json();
    let nats = |key: &str| json["nelbo"]["nats"][key].as_f64().expect("a number");
    let expected = exact["any_order_ar_nll"].as_f64().expect("a number");
    assert!((nats("value") - expected).abs() < 4.0 * nats("standard_error"), "{json} against {expected}");
    let run_of_ours = run(&["likelihood", "--checkpoint", "nowhere"]);
    assert!(run_of_ours.code == 2 && run_of_ours.stderr.contains("--ort-lib"), "no effect: {}", run_of_ours.stderr);
    let none = run(&["likelihood", "--model", "fixtures/models/table.toml"]);
    assert_eq!((none.code, none.stderr.contains("--dataset NAME")), (2, true), "{}", none.stderr);
}

#[test]
fn probes_name_planted_mistakes_and_exit_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = model(folder.path(), "table", "linear", "linear");
    let check = |file: &Path| run(&["model", "check", file.to_str().expect("UTF-8"), "--split", "all"]);
    assert_eq!(check(&good).json()["wrong"], 0);
    let planted = model(folder.path(), "table-timed", "means = \"logits\"", "means = \"log-probabilities\"");
    let call = check(&planted);
    assert_eq!(call.code, 2, "{}", call.stderr);
    assert!(call.stdout.contains("do not sum to 1"), "{}", call.stdout);
    let refused = model(folder.path(), "table", "mask_id = 2", "mask_id = 4");
    let call = check(&refused);
    assert_eq!(
        (call.code, call.stderr.contains("mask_id = 4 is one of the data's ids 3 to 4")),
        (2, true),
        "{}",
        call.stderr
    );
}
