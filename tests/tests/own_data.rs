//! Token ids, vocabularies and lines of one's own, from a file to a number.

use std::path::Path;

use elbow_tests::{elbow, root};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Sequences of the planted chain, 0 to 3, twelve per row.
fn chain() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(root().join("fixtures/planted/chain.txt")).expect("bundled");
    let ids: Vec<u8> = text.split_whitespace().map(|letter| letter.as_bytes()[0] - b'a').collect();
    ids.chunks(12).map(<[u8]>::to_vec).collect()
}

/// An npy file of rows of 32-bit integers.
fn write_npy(path: &Path, rows: &[Vec<u8>]) {
    let shape = format!("({}, {})", rows.len(), rows[0].len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}, }}").bytes());
    bytes.resize(127, b' ');
    bytes.push(b'\n');
    rows.iter().flatten().for_each(|&id| bytes.extend(i32::from(id).to_le_bytes()));
    std::fs::write(path, bytes).expect("a file");
}

/// The model file of the planted chain in a folder of its own, with other data.
fn model(folder: &Path, data: &str) -> String {
    let planted = root().join("fixtures/planted");
    for name in ["chain.onnx", "chain.txt", "tokenizer.json"] {
        std::fs::copy(planted.join(name), folder.join(name)).expect("a copy");
    }
    let text = std::fs::read_to_string(planted.join("chain.toml")).expect("bundled");
    let (model, _) = text.split_once("[data]").expect("data");
    let file = folder.join("model.toml");
    std::fs::write(&file, format!("{model}[data]\n{data}")).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}

fn likelihood(file: &str, more: &[&str]) -> elbow_tests::Call {
    let arguments = ["likelihood", "--model", file, "--split", "all", "--ort-lib", "none", "--json", "--quiet"];
    elbow(ELBOW, &[&arguments[..], more].concat())
}

#[test]
fn the_same_ids_have_the_same_bound_in_every_form() {
    let folder = tempfile::tempdir().expect("a folder");
    write_npy(&folder.path().join("chain.npy"), &chain());
    std::fs::write(folder.path().join("vocab.txt"), "[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\n[PAD]\n").expect("a file");
    let forms = [
        ("dataset = \"chain.txt\"\nalphabet = \"tokenizer:tokenizer.json\"\n", &["--length", "12"][..]),
        ("dataset = \"chain.txt\"\nalphabet = \"vocab:vocab.txt\"\n", &["--length", "12"]),
        ("dataset = \"chain.npy\"\nalphabet = \"ids:4\"\n", &[]),
    ];
    let bounds = forms.map(|(data, more)| {
        let json = likelihood(&model(folder.path(), data), more).json();
        assert_eq!(json["nelbo"]["sequences"], 200, "{data}");
        json["nelbo"]["nats"]["value"].as_f64().expect("a number")
    });
    assert_eq!((bounds[0], bounds[0]), (bounds[1], bounds[2]));
    let few = likelihood(&model(folder.path(), "dataset = \"chain.npy\"\nalphabet = \"ids:3\"\n"), &[]);
    assert!(few.code == 2 && few.stderr.contains("ids:3 has 0 to 2"), "{}", few.stderr);
}

#[test]
fn lines_of_different_lengths_have_a_bound_per_token() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("vocab.txt"), "a\nb\nc\nd\n").expect("a file");
    let line = |(number, row): (usize, &Vec<u8>)| -> String {
        row[..5 + number % 8].iter().map(|&id| char::from(b'a' + id)).collect()
    };
    let lines: Vec<String> = chain().iter().enumerate().map(line).collect();
    std::fs::write(folder.path().join("lines.txt"), lines.join("\n")).expect("a file");
    let data = "dataset = \"lines.txt\"\nalphabet = \"vocab:vocab.txt\"\nlines = true\n";
    let file = model(folder.path(), data);
    let json = likelihood(&file, &["--draws", "16"]).json();
    let bound = &json["nelbo"];
    let tokens: usize = lines.iter().map(String::len).sum();
    assert_eq!((&bound["sequences"], &bound["lengths"]), (&200.into(), &serde_json::json!([5, 12])));
    assert_eq!(bound["tokens_scored"], tokens);
    let number = |key: &str| bound["bits_per_token"][key].as_f64().expect("a number");
    // The denoiser is nearly exact: a token costs the entropy of a step of the chain, 1.0 bits, and more the shorter the
    // sequence; with log2(4) = 2 bits a denoiser of nothing.
    assert!(number("value") > 0.9 && number("value") < 1.4 && number("standard_error") < 0.1, "{bound}");
    assert!(bound["protocol"]["unit"].as_str().is_some_and(|unit| unit.contains("ratio")), "{bound}");
    let checked = elbow(ELBOW, &["model", "check", &file, "--split", "all", "--ort-lib", "none", "--quiet"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let refused = likelihood(&file, &["--target-se", "0.1"]);
    assert!(refused.code == 2 && refused.stderr.contains("--target-se"), "{}", refused.stderr);
}

#[test]
fn ids_of_ones_own_are_trained_on_and_divided_by_a_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.npy");
    write_npy(&path, &chain());
    let (path, run) = (path.to_str().expect("UTF-8"), folder.path().join("run"));
    let run = run.to_str().expect("UTF-8");
    let dataset = format!("dataset={path}");
    let settings = [&dataset, "alphabet=ids:4", "patch_size=none", "test_fraction=0.25", "split_seed=7", "steps=3"];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = ["train", "md4-digits", "--run", run, "--quiet"].into_iter().chain(settings).collect();
    let trained = elbow(ELBOW, &arguments);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let json = elbow(ELBOW, &["likelihood", "--checkpoint", run, "--json", "--quiet"]).json();
    assert_eq!((&json["nelbo"]["sequences"], &json["nelbo"]["dims"]), (&50.into(), &12.into()), "{json}");
}
