//! A model by other people: `examples/antiberty`, from its wheel to its bound.

use std::process::Command;

use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

#[test]
#[ignore = "slow: exports 26 million parameters; ELBOW_PYTHON names a Python with antiberty, torch, transformers, onnxscript"]
fn antiberty_has_a_bound_per_residue() {
    // As in the example's README; the draws are the same, the runtimes round differently.
    const BITS: f64 = 0.5557;
    const TOLERANCE: f64 = 1e-3;
    let python = std::env::var("ELBOW_PYTHON").expect("ELBOW_PYTHON names a Python with the wheel");
    let example = root().join("examples/antiberty");
    let folder = tempfile::tempdir().expect("a folder");
    let export =
        Command::new(python).arg(example.join("export.py")).arg(folder.path()).status().expect("Python starts");
    assert!(export.success(), "the export");
    for name in ["antiberty.toml", "sequences.txt"] {
        std::fs::copy(example.join(name), folder.path().join(name)).expect("a copy");
    }
    let file = folder.path().join("antiberty.toml");
    let file = file.to_str().expect("UTF-8");
    let checked = elbow(ELBOW, &["model", "check", file, "--split", "all", "--quiet"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let json =
        elbow(ELBOW, &["likelihood", "--model", file, "--split", "all", "--draws", "32", "--json", "--quiet"]).json();
    let bound = &json["nelbo"];
    let number = |key: &str| bound["bits_per_token"][key].as_f64().expect("a number");
    assert!((number("value") - BITS).abs() < TOLERANCE && number("standard_error") < 0.1, "{bound}");
    assert_eq!((bound["sequences"].as_u64(), bound["tokens_scored"].as_u64()), (Some(13), Some(1501)));
    // Witness: a wrong statement about this network is named.
    let text = std::fs::read_to_string(file).expect("the model file");
    let wrong = text.replace("means = \"logits\"", "means = \"log-probabilities\"");
    assert_ne!(text, wrong);
    std::fs::write(file, wrong).expect("a file");
    let wrong = elbow(ELBOW, &["model", "check", file, "--split", "all", "--quiet"]);
    assert!(wrong.code == 2 && wrong.stdout.contains("say means = \"logits\""), "{}{}", wrong.stdout, wrong.stderr);
}
