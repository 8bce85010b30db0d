//! Each verb that has shards.

use std::path::{Path, PathBuf};

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_tests::{elbow, root};
use serde_json::Value;

use crate::work::{ELBOW, RUN, Work, refusal, without_times};

#[test]
fn a_likelihood_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("likelihood --checkpoint {RUN} --draws 2 --at-most 0.5");
    let work = Work::new(folder.path(), &words, &[]);
    assert_eq!(work.whole().code, 1, "the threshold does not hold");
    work.is_the_same_in_parts(&[]);
    // Numbers and words: the document tells all, and the words are made of it.
    let text = work.with(&[]).stdout;
    let shards = work.shards(2);
    let places = shards[0].parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    let merged = elbow(ELBOW, &["merge", &places]);
    assert_eq!((merged.stdout, merged.code), (text, 1));
}

/// The model file of two points, judged on these data.
fn atoms(folder: &Path, data: &str) -> String {
    let models = root().join("fixtures/models");
    std::fs::copy(models.join("atoms.onnx"), folder.join("atoms.onnx")).expect("a copy");
    let text = std::fs::read_to_string(models.join("atoms.toml")).expect("a model file");
    let file = folder.join("atoms.toml");
    std::fs::write(&file, format!("{text}[data]\n{data}\n")).expect("a model file");
    file.display().to_string()
}

#[test]
fn points_and_their_likelihood_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut npz = NpzWriter::create(&folder.path().join("bits.npz")).expect("a file");
    let bits: Vec<i64> = (0..150).map(|at| i64::from(at % 7 < 3)).collect();
    npz.array("ids", &[50, 3], &bits).and_then(|()| npz.finish()).expect("a file");
    let model = atoms(folder.path(), "dataset = \"bits.npz\"\nalphabet = \"ids:2\"");
    let words = "likelihood --split all --draws 2 --ode --ode-steps 4 --ort-lib none --model";
    Work::new(folder.path(), words, &[&model]).is_the_same_in_parts(&[]);
}

#[test]
fn lines_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("vocab.txt"), "a\nb\n").expect("a file");
    let lines: Vec<String> = (0..90).map(|line| "abbab"[..2 + line % 4].repeat(1 + line % 2)).collect();
    std::fs::write(folder.path().join("lines.txt"), lines.join("\n")).expect("a file");
    let model = atoms(folder.path(), "dataset = \"lines.txt\"\nalphabet = \"vocab:vocab.txt\"\nlines = true");
    let words = "likelihood --split all --draws 2 --ort-lib none --model";
    Work::new(folder.path(), words, &[&model]).is_the_same_in_parts(&[]);
}

#[test]
fn a_comparison_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = format!("compare {RUN} fixtures/digits-denoiser/digits.toml --sequences 100 --draws 1 --ort-lib none");
    Work::new(folder.path(), &words, &[]).is_the_same_in_parts(&[]);
}

#[test]
fn a_judgement_is_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let made = ["noise", "digits", "--objective", "mdlm", "--sequences", "100", "--draws", "2", "-o", file];
    assert_eq!(elbow(ELBOW, &made).code, 0);
    let mut npz = NpzReader::open(&noise).expect("noise");
    let (z, id) = (npz.integers("z").expect("z"), npz.bytes("id").expect("id"));
    let mut out = NpzWriter::create(&losses).expect("a file");
    let costs: Vec<f64> = (0..z.data.len()).map(|at| -1.0 - (at % 7) as f64 / 3.0).collect();
    out.array("log_probabilities", &z.shape, &costs).expect("an array");
    out.array("id", &id.shape, &id.data).expect("an array");
    out.finish().expect("a file");
    Work::new(folder.path(), "judge", &[answers, "--noise", file]).is_the_same_in_parts(&[]);
}

#[test]
fn statistics_of_images_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.npz");
    let file = whole.to_str().expect("UTF-8");
    let work = Work::new(folder.path(), "fid stats digits:train", &["-o", file]);
    work.is_the_same_in_parts(&[&whole]);
    let bytes = std::fs::read(&whole).expect("statistics");
    // Parts with files of their own, merged in another order.
    for of in [2, 5] {
        let part = |number: usize| {
            let path = folder.path().join(format!("{number}-of-{of}.npz")).display().to_string();
            let (share, out) = (format!("{number}/{of}"), folder.path().display().to_string());
            let words = ["fid", "stats", "digits:train", "--part", &share, "-o", &path];
            assert_eq!(elbow(ELBOW, &[&words[..], &["--out", &out]].concat()).code, 0);
            path
        };
        let parts: Vec<String> = (1..=of).rev().map(part).collect();
        let merged = folder.path().join("merged.npz");
        let merge = |parts: &[&str]| {
            elbow(ELBOW, &[&["fid", "merge"], parts, &["-o", merged.to_str().expect("UTF-8")]].concat())
        };
        let all: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(merge(&all).code, 0);
        assert!(std::fs::read(&merged).expect("statistics") == bytes, "{of} parts");
        let twice = refusal(&merge(&[all[0], all[1], all[0]]));
        assert!(twice.contains("are both part"), "{twice}");
    }
}

#[test]
fn samples_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("samples");
    let files = ["samples.npz", "samples.png"].map(|name| to.join(name));
    let words = format!("sample --checkpoint {RUN} --count 200 --steps 8 --seed 3");
    let work = Work::new(folder.path(), &words, &["--to", to.to_str().expect("UTF-8")]);
    work.is_the_same_in_parts(&[&files[0], &files[1]]);
    // A judge, which the merge asks.
    let judged = Work::new(folder.path(), &format!("{words} --judge {RUN}"), &["--to", to.to_str().expect("UTF-8")]);
    files.iter().for_each(|file| std::fs::remove_file(file).expect("made"));
    judged.is_the_same_in_parts(&[&files[0], &files[1]]);
}

/// The rows of a run of claims, without what tells times.
fn rows(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("results.jsonl")).expect("rows");
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        for name in ["seconds", "checksum"] {
            assert!(!row[name].take().is_null(), "{name}: {row}");
        }
        assert!(!row["provenance"]["finished"].take().is_null(), "{row}");
        row
    };
    text.lines().map(row).collect()
}

#[test]
fn claims_are_the_same_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (claims, example) = (folder.path().join("claims"), root().join("examples/claims-repository/claims"));
    std::fs::create_dir(&claims).expect("a folder");
    std::fs::copy(example.join("toy.json"), claims.join("toy.json")).expect("a toy");
    let claim = std::fs::read_to_string(example.join("toy-cascade.toml")).expect("a claim");
    // Of four numbers of steps one is that of the claim.
    for steps in [4, 1, 8, 2] {
        let text = claim.replace("steps = 4", &format!("steps = {steps}"));
        std::fs::write(claims.join(format!("steps-{steps}.toml")), text).expect("a claim");
    }
    let place = claims.display().to_string();
    let [one, parts] = ["one", "parts"].map(|name| folder.path().join(name));
    let work = |out| Work::new(out, "eval --claims", &[&place]);
    let whole = work(&one).whole();
    assert_eq!((whole.code, rows(&one).len()), (1, 4), "three are refuted: {}", whole.stderr);
    let shards = work(&parts).shards(3);
    assert!(!parts.join("results.jsonl").exists());
    let places: Vec<&Path> = shards.iter().rev().map(PathBuf::as_path).collect();
    let merged = work(&parts).merge(&places, &[]);
    let [told, expected] = [(&merged, &parts), (&whole, &one)]
        .map(|(call, out)| without_times(&call.stdout).replace(out.to_str().expect("UTF-8"), "OUT"));
    assert_eq!((told, merged.code), (expected, 1), "{}", merged.stderr);
    assert_eq!(rows(&parts), rows(&one));
    assert!(parts.join("report").is_dir());
    // Another toy than the shards': no claim of it is in them.
    let toy = std::fs::read_to_string(claims.join("toy.json")).expect("a toy");
    std::fs::write(claims.join("toy.json"), toy.replace("0.75, 0.25", "0.5, 0.5")).expect("a toy");
    let other = refusal(&work(&parts).merge(&places, &[]));
    assert!(other.contains("was made of other inputs"), "{other}");
}
