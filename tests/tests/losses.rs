//! The door for programs that export nothing: noise in a file, answers in another, the bound.

use std::path::Path;
use std::process::Command;

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_harness::device;
use elbow_harness::runs::Trained;
use elbow_impls::network::{Input, ids_tensor, points_tensor, to_f64_vec};
use elbow_tests::{elbow, root};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Sums in single precision; measured 4e-7 bits.
const SAME: f64 = 1e-6;

/// The network's own costs in single precision beside a softmax of its logits in double; measured 1.2e-7 of the number.
const RUN: f64 = 1e-6;

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, &[arguments, &["--json", "--quiet"]].concat())
}

/// Writes log-probabilities of a program that says every one of `values` alike.
fn say_all_alike(noise: &Path, losses: &Path, values: f64) {
    let mut npz = NpzReader::open(noise).expect("noise");
    let (z, id) = (npz.integers("z").expect("z"), npz.bytes("id").expect("id"));
    let mut out = NpzWriter::create(losses).expect("a file");
    out.array("log_probabilities", &z.shape, &vec![-values.ln(); z.data.len()]).expect("an array");
    out.array("id", &id.shape, &id.data).expect("an array");
    out.finish().expect("a file");
}

#[test]
fn every_value_alike_costs_its_logarithm() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let made =
        run(&["noise", "digits", "--objective", "any-order", "--sequences", "20", "--draws", "3", "-o", file]).json();
    assert_eq!((made["rows"].as_u64(), made["length"].as_u64()), (Some(60), Some(64)));
    say_all_alike(&noise, &losses, 17.0);
    let judge = |limits: &[&str]| run(&[&["judge", answers, "--noise", file], limits].concat());
    let bits = judge(&[]).json()["nelbo"]["bits_per_dim"].clone();
    assert!((bits["value"].as_f64().expect("a number") - 17f64.log2()).abs() < SAME, "{bits}");
    assert!(bits["standard_error"].as_f64().expect("a number") < SAME, "{bits}");
    let passed = judge(&["--at-most", "4.1", "--at-least", "4.0"]).json();
    assert_eq!(
        (&passed["thresholds"][0]["verdict"], &passed["thresholds"][1]["verdict"]),
        (&"holds".into(), &"holds".into())
    );
    let failed = judge(&["--equals", "4.0", "--within", "0.05"]);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    let document: Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!(document["thresholds"][0]["verdict"], "does-not-hold");
    for half in [["--within", "1"], ["--equals", "1"]] {
        assert_eq!(judge(&half).code, 2, "an option without the other has no effect");
    }
    // The noise is an input, and is never replaced by something else.
    let refused = run(&["noise", "digits", "--objective", "any-order", "-o", answers]);
    assert!(refused.code == 2 && refused.stderr.contains("--force"), "{}", refused.stderr);
    let no_text = run(&["noise", "digits", "--objective", "md4", "--length", "5", "-o", file]);
    assert!(no_text.code == 2 && no_text.stderr.contains("is no text"), "{}", no_text.stderr);
    let unknown = run(&["noise", "digits", "--objective", "md4", "--set", "weighting=simple", "-o", file]);
    assert!(unknown.code == 2 && unknown.stderr.contains("schedule, timesteps"), "{}", unknown.stderr);
}

#[test]
fn a_text_has_its_units_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    let text =
        ["noise", "shakespeare", "--alphabet", "text8", "--length", "50", "--sequences", "4", "--objective", "mdlm"];
    run(&[&text[..], &["-o", file]].concat()).json();
    say_all_alike(&noise, &losses, 27.0);
    let bound = run(&["judge", answers, "--noise", file]).json()["nelbo"].clone();
    let bits = |unit: &Value| unit["value"].as_f64().expect("a number");
    let ratio = bits(&bound["bits_per_dim"]) / bits(&bound["text"]["bits_per_character"]);
    let characters = bound["text"]["characters_per_token"].as_f64().expect("a number");
    assert!((ratio - characters).abs() < 1e-12, "{ratio} {characters}");
    assert!(bound["available"].as_u64() > Some(4) && bound["tokens_dropped"].as_u64() > Some(0), "{bound}");
}

/// Answers of a trained run to a file of noise, as another program with its network would give them.
fn answer(run_folder: &str, noise: &Path, losses: &Path) {
    let device = device::open("cpu").expect("the CPU");
    let run = Trained::load(Path::new(run_folder), &device).expect("a run");
    let mut npz = NpzReader::open(noise).expect("noise");
    let (id, t) = (npz.bytes("id").expect("id"), npz.floats("t").expect("t").data);
    let mut out = NpzWriter::create(losses).expect("a file");
    if npz.has("log_snr") {
        let (z, log_snr) = (npz.singles("z").expect("z"), npz.floats("log_snr").expect("log-SNR").data);
        let prediction = run.settings.gaussian().expect("points").prediction;
        let times: Vec<f64> = log_snr.iter().map(|&log_snr| prediction.at(log_snr).c_noise).collect();
        let input = Input::points(points_tensor(&z.data, z.shape[1], &device), &times);
        let f = to_f64_vec(run.model.gaussian().expect("points").output(&input));
        // The network's output is what is added to z.
        let eps: Vec<f64> = f.iter().zip(&z.data).map(|(f, z)| f + f64::from(*z)).collect();
        out.array("eps", &z.shape, &eps).expect("an array");
    } else {
        let (z, x) = (npz.integers("z").expect("z"), npz.integers("x").expect("x").data);
        let (length, sequence) = (z.shape[1], npz.integers("sequence").expect("sequence").data);
        let ids: Vec<u32> = z.data.iter().map(|&id| id as u32).collect();
        let denoiser = run.model.tokens().expect("tokens");
        let logits = to_f64_vec(denoiser.value_logits(&Input::new(ids_tensor(&ids, length, &device), &t)));
        let log_p = |(at, logits): (usize, &[f64])| {
            let total = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
            logits[x[sequence[at / length] as usize * length + at % length] as usize] - total
        };
        let all: Vec<f64> = logits.chunks(denoiser.values()).enumerate().map(log_p).collect();
        out.array("log_probabilities", &z.shape, &all).expect("an array");
    }
    out.array("id", &id.shape, &id.data).expect("an array");
    out.finish().expect("a file");
}

#[test]
fn a_run_has_the_same_bound_through_files_as_from_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let [noise, losses] = ["noise.npz", "losses.npz"].map(|name| folder.path().join(name));
    let [file, answers] = [&noise, &losses].map(|path| path.to_str().expect("UTF-8"));
    for (preset, estimator, objective) in [
        ("md4-digits", "k-dce", &["any-order"][..]),
        ("md4-digits", "objective", &["md4"]),
        ("mdlm-digits", "objective", &["mdlm"]),
        ("vdm-digits", "auto", &["vdm", "--set", "schedule=fixed-linear:-8:5"]),
    ] {
        let place = folder.path().join(preset).display().to_string();
        let tiny = ["steps=20", "batch_size=8", "width=16", "hidden=32", "heads=2"];
        let sets: Vec<&str> = tiny.iter().flat_map(|setting| ["--set", setting]).collect();
        run(&[&["train", preset, "--run", &place], &sets[..]].concat()).json();
        let of = ["--sequences", "40", "--draws", "3", "--seed", "7"];
        run(&[&["noise", "digits", "-o", file], &of[..], &["--objective"], objective].concat()).json();
        answer(&place, &noise, &losses);
        let judged = run(&["judge", answers, "--noise", file]).json()["nelbo"].clone();
        let inside = run(&[&["likelihood", "--checkpoint", &place, "--estimator", estimator], &of[..]].concat()).json();
        for (term, error) in [("bits_per_dim", "value"), ("bits_per_dim", "standard_error"), ("diffusion", "value")] {
            let [a, b] = [&judged, &inside["nelbo"]].map(|bound| bound[term][error].as_f64().expect("a number"));
            println!("{preset} {objective:?} {term} {error}: {b} and {:e}", a - b);
            assert!((a - b).abs() < RUN * b.abs(), "{preset} {objective:?}: {a} and {b}");
        }
    }
}

/// A Python with NumPy, if there is one.
fn python() -> Option<&'static str> {
    let numpy =
        |python: &&str| Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success());
    ["python3", "python"].into_iter().find(numpy)
}

#[test]
fn the_example_of_the_documentation_runs() {
    let text = std::fs::read_to_string(root().join("docs/your-losses.md")).expect("docs/your-losses.md");
    let block = |fence: &str| text.split(fence).nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let program = block("```python\n");
    let Some(python) = python() else { return println!("no Python with NumPy here") };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("answer.py"), program).expect("a file");
    let mut last = String::new();
    for line in block("```sh\n").lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let program = if words[0] == "elbow" { ELBOW } else { python };
        let output = Command::new(program).args(&words[1..]).current_dir(folder.path()).output().expect("it starts");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        last = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    assert!(last.starts_with("NELBO 4.0875 +- 0.0000 bits/dim"), "{last}");
}
