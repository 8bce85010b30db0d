//! `elbow model check` names planted mistakes of a model file, and none where there is none.

use std::path::Path;

use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Texts of a model file with others in their place.
type Changes = Vec<(&'static str, &'static str)>;

/// A folder with the planted networks and their data.
fn planted() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(root().join("fixtures/planted")).expect("bundled") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a file"))).expect("a copy");
    }
    folder
}

/// The model file `chain` or `points` with some changes, probed with a seed.
fn check(folder: &Path, file: &str, changes: &[(&str, &str)], seed: &str) -> elbow_tests::Call {
    let mut text = std::fs::read_to_string(folder.join(format!("{file}.toml"))).expect("bundled");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let changed = folder.join("changed.toml");
    std::fs::write(&changed, text).expect("a file");
    let changed = changed.to_str().expect("UTF-8");
    let arguments = ["model", "check", changed, "--split", "all", "--length", "12", "--ort-lib", "none", "--quiet"];
    // The length of a network that has one is not asked.
    let arguments = match changes.iter().any(|(_, to)| to.contains("\nlength = ")) {
        true => [&arguments[..5], &arguments[7..]].concat(),
        false => arguments.to_vec(),
    };
    elbow(ELBOW, &[&arguments[..], &["--seed", seed]].concat())
}

/// Another network for the model file of the chain, and of points.
fn of(name: &'static str) -> (&'static str, &'static str) {
    ("chain.onnx", name)
}

fn points(name: &'static str) -> (&'static str, &'static str) {
    ("points-x.onnx", name)
}

/// A number of the time, named in the file.
const TIMED: (&str, &str) =
    ("tokens = \"tokens\"", "tokens = \"tokens\"\ntime = { name = \"t\", means = \"mask-rate\" }");
const PADDED: (&str, &str) = ("frame =", "length = 12\npad_id = 7\nframe =");

#[test]
fn planted_mistakes_are_named_with_their_remedy() {
    let folder = planted();
    let told = |means: &'static str| ("means = \"mask-rate\"", means);
    let mistakes: Vec<(&str, Changes, &[&str])> = vec![
        ("chain", vec![("mask_id = 2", "mask_id = 7")], &["WRONG  mask_id", "less with mask_id = 2"]),
        ("chain", vec![("[3, 6]", "[4, 7]")], &["WRONG  value_ids", "less with value_ids = [3, 6]"]),
        ("chain", vec![("frame = { first = 0, last = 1 }\n", "")], &["WRONG  frame", "frame = { first = 0"]),
        ("chain", vec![("first = 0, last = 1", "first = 1, last = 0")], &["WRONG  frame", "frame = { first = 0"]),
        (
            "chain",
            vec![("means = \"logits\"", "means = \"log-probabilities\"")],
            &["WRONG  output", "means = \"logits\""],
        ),
        (
            "chain",
            vec![of("chain-probabilities.onnx")],
            &["WRONG  output", "has probabilities; export their logarithm"],
        ),
        ("chain", vec![of("chain-negated.onnx")], &["WRONG  places", "minus the output", "negate it"]),
        ("chain", vec![of("chain-next.onnx")], &["WRONG  places", "it is of the next token; shift it"]),
        ("chain", vec![of("chain-transposed.onnx")], &["WRONG  call", "transpose it to [batch, length, V]"]),
        ("chain", vec![of("chain-batch.onnx")], &["WRONG  batch", "depends on the other sequences of its batch"]),
        (
            "chain",
            vec![of("chain-padding.onnx"), PADDED],
            &["WRONG  padding", "depends on the padding", "attention mask"],
        ),
        ("chain", vec![of("chain-noisy.onnx")], &["WRONG  repeat", "another output for the same input"]),
        ("chain", vec![of("chain-nan.onnx")], &["WRONG  finite", "NaN at token"]),
        (
            "chain",
            vec![of("chain-length.onnx")],
            &["WRONG  lengths", "the export has fixed the length; say length = 12"],
        ),
        ("chain", vec![of("chain-timed.onnx")], &["\"t\" is not among", "sees a time", "inputs.time"]),
        ("chain", vec![of("chain-class.onnx")], &["\"y\" is not among", "a class", "inputs.class"]),
        (
            "chain",
            vec![of("chain-timed.onnx"), TIMED, told("means = \"log-snr\"")],
            &["WRONG  time's meaning", "\"mask-rate\""],
        ),
        // The network takes the rate of masks, which is the time of the linear schedule: that of poly:4 is far from it.
        (
            "chain",
            vec![of("chain-timed.onnx"), TIMED, told("means = \"time\""), ("cosine", "poly:4")],
            &["WRONG  time", "nats less with"],
        ),
        ("points", vec![points("points-minus.onnx"), ("\"x\"", "\"eps\"")], &["WRONG  output", "minus eps"]),
        ("points", vec![points("points-v.onnx"), ("\"x\"", "\"velocity\"")], &["WRONG  output", "means v "]),
        ("points", vec![points("points-velocity.onnx"), ("\"x\"", "\"v\"")], &["means velocity"]),
        ("points", vec![("\"x\"", "\"eps\"")], &["WRONG  output", "the output means x"]),
        ("points", vec![("\"log-snr\"", "\"time\"")], &["WRONG  time", "the time means \"log-snr\""]),
        (
            "points",
            vec![
                points("points-cosine.onnx"),
                ("\"x\"", "\"eps\""),
                ("\"log-snr\"", "\"time\""),
                ("fixed-linear:-6:5", "fixed-linear:-13.3:5"),
            ],
            &["WRONG  time", "schedule = \"cosine\""],
        ),
    ];
    let mut missed = Vec::new();
    for (file, changes, words) in mistakes {
        let call = check(folder.path(), file, &changes, "0");
        let said = format!("{}{}", call.stdout, call.stderr);
        let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
        if call.code != 2 || !missing.is_empty() {
            missed.push(format!("{changes:?}: exit {}, without {missing:?}\n{said}", call.code));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn right_files_raise_no_alarm() {
    let folder = planted();
    let timed = vec![of("chain-timed.onnx"), TIMED];
    let right: Vec<(&str, Changes)> = vec![
        ("chain", vec![]),
        ("chain", vec![of("chain-log.onnx"), ("means = \"logits\"", "means = \"log-probabilities\"")]),
        ("chain", vec![of("chain-log.onnx")]),
        ("chain", vec![PADDED]),
        ("chain", timed),
        ("points", vec![]),
        ("points", vec![points("points-v.onnx"), ("\"x\"", "\"v\"")]),
        ("points", vec![points("points-velocity.onnx"), ("\"x\"", "\"velocity\"")]),
        (
            "points",
            vec![
                points("points-cosine.onnx"),
                ("\"x\"", "\"eps\""),
                ("\"log-snr\"", "\"time\""),
                ("fixed-linear:-6:5", "cosine:-6:5"),
            ],
        ),
    ];
    for (file, changes) in &right {
        for seed in ["0", "1", "2", "3", "4"] {
            let call = check(folder.path(), file, changes, seed);
            assert_eq!(call.code, 0, "{changes:?}, seed {seed}\n{}{}", call.stdout, call.stderr);
        }
    }
}
