//! Likelihoods on the command line: of targets given prompts, and under the protocols of published tables.

use std::path::{Path, PathBuf};

use elbow_tests::{Call, elbow, root};
use serde_json::{Value, json};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Error of a log-probability whose logits are in single precision, nats. Measured: 3e-8.
const ROUNDING: f64 = 3e-7;

/// Trains a tiny run; its folder.
fn train(folder: &Path, preset: &str, settings: &[&str]) -> String {
    let run = folder.join(preset).display().to_string();
    let tiny = ["steps=30", "warmup_steps=2", "batch_size=8", "width=16", "heads=2", "layers=1"];
    let sets: Vec<&str> = tiny.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
    elbow(ELBOW, &[&["train", preset, "--run", &run, "--json", "-q"], &sets[..]].concat()).json();
    run
}

fn likelihood(words: &[&str]) -> Call {
    elbow(ELBOW, &[&["likelihood", "--json", "-q"], words].concat())
}

/// Writes lines of JSON.
fn lines(folder: &Path, name: &str, lines: &[Value]) -> String {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}", call.stderr);
    words.iter().for_each(|word| assert!(call.stderr.contains(word), "{word}: {}", call.stderr));
}

/// The bundled network of the toy example-a, over ids.
fn table(folder: &Path) -> String {
    for file in ["table.onnx", "table.toml"] {
        std::fs::copy(root().join("fixtures/models").join(file), folder.join(file)).expect("a copy");
    }
    folder.join("table.toml").display().to_string()
}

#[test]
fn targets_given_prompts_have_the_numbers_of_a_known_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = table(folder.path());
    let prompts = lines(
        folder.path(),
        "prompts.jsonl",
        &[
            json!({"prompt": [0], "target": [1]}),
            json!({"prompt": [], "target": [0, 1]}),
            json!({"prompt": [0], "targets": [[1], [0]], "answer": 1}),
            json!({"prompt": [1], "targets": [[1], [0]], "answer": 1}),
        ],
    );
    let ask = |more: &[&str]| {
        likelihood(&[&["--model", &model, "--ort-lib", "none", "--prompts", &prompts], more].concat()).json()
    };
    let found = ask(&["--exact"]);
    let answers = found["conditional"]["answers"].as_array().expect("answers");
    let log_p = |question: usize, target: usize| number(&answers[question]["targets"][target]["log_likelihood"]);
    // The rows of the table: mu_1(1 | 0 ?), and for two hidden tokens the mean of both orders.
    assert!((log_p(0, 0) - 0.25f64.ln()).abs() < ROUNDING, "{found}");
    let [both, one_left] = [(0.6f64 * 0.5).ln(), (0.3f64 * 0.25).ln()];
    assert!((log_p(1, 0) - (both + one_left) / 2.0).abs() < ROUNDING, "{found}");
    // Witness: the two tokens drawn at once.
    assert!((log_p(1, 0) - both).abs() > 0.1);
    for (question, best, difference) in [(2, 1, 3f64.ln()), (3, 0, (0.65f64 / 0.35).ln())] {
        let ranking = &answers[question]["ranking"];
        assert_eq!((&ranking["best"], &ranking["decided"]), (&json!(best), &json!(true)), "{ranking}");
        assert!((number(&ranking["difference"]["value"]) - difference).abs() < ROUNDING, "{ranking}");
    }
    let summary = &found["conditional"]["summary"];
    assert_eq!((&summary["questions"], &summary["undecided"]), (&json!(4), &json!(0)));
    assert_eq!((&summary["accuracy"]["value"], &summary["accuracy_range"]), (&json!(0.5), &json!([0.5, 0.5])));
    // Targets with fewer sets of hidden tokens than draws are exact without being asked to be.
    assert_eq!(ask(&[])["conditional"]["answers"], found["conditional"]["answers"]);
}

#[test]
fn targets_given_prompts_of_runs_add_up_and_have_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let [masked, ar] = ["md4-shakespeare", "ar-shakespeare"].map(|preset| train(place, preset, &["hidden=32"]));
    let single = lines(
        place,
        "single.jsonl",
        &[
            json!({"prompt": "to be or not ", "target": "to be or "}),
            json!({"prompt": "to be or not ", "target": "to be"}),
            json!({"prompt": "to be or not to be", "target": " or "}),
        ],
    );
    let answers = |run: &str, more: &[&str]| {
        let json = likelihood(&[&["--checkpoint", run, "--prompts", &single], more].concat()).json();
        json["conditional"]["answers"]
            .as_array()
            .expect("answers")
            .iter()
            .map(|a| a["targets"][0].clone())
            .collect::<Vec<_>>()
    };
    // From left to right, in one call each, the chain rule is exact.
    let exact = answers(&ar, &[]);
    let log_p: Vec<f64> = exact.iter().map(|target| number(&target["log_likelihood"])).collect();
    assert!((log_p[0] - log_p[1] - log_p[2]).abs() < 1e-4 * log_p[0].abs(), "{log_p:?}");
    assert!(exact.iter().all(|target| target["standard_error"] == 0.0 && target["calls"] == 1), "{exact:?}");
    // Nine letters have 511 sets of hidden ones: 64 calls estimate what all of them give.
    let [all, drawn] = [answers(&masked, &["--exact"]), answers(&masked, &["--draws", "64"])];
    assert_eq!((&all[0]["calls"], &all[0]["standard_error"]), (&json!(511), &json!(0.0)));
    let (difference, error) =
        (number(&all[0]["log_likelihood"]) - number(&drawn[0]["log_likelihood"]), number(&drawn[0]["standard_error"]));
    assert!(error > 0.0 && difference.abs() < 6.0 * error, "{difference} +- {error}");

    // Thirty questions with one answer: letters that occur, before letters that hardly do.
    let question = json!({"prompt": "to be or not ", "targets": ["to be ", "zqxjzq"], "answer": 0});
    let choices = lines(place, "choices.jsonl", &vec![question; 30]);
    let judge = |threshold: &str| {
        let words = ["--checkpoint", &masked, "--prompts", &choices, "--error-probability", "0.05", threshold, "0.5"];
        likelihood(&[&words[..], &["--normalisation", "per-character"]].concat())
    };
    let found = judge("--at-least").json();
    let summary = &found["conditional"]["summary"];
    assert_eq!((&summary["accuracy"]["value"], &summary["undecided"]), (&json!(1.0), &json!(0)), "{summary}");
    assert_eq!(found["conditional"]["normalisation"], "per-character");
    assert_eq!(judge("--at-most").code, 1, "the threshold does not hold");
}

#[test]
fn prompts_that_are_none_are_refused_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = table(folder.path());
    let ask = |line: Value, more: &[&str]| {
        let good = json!({"prompt": [0], "target": [1]});
        let prompts = lines(folder.path(), "wrong.jsonl", &[good, line]);
        likelihood(&[&["--model", &model, "--ort-lib", "none", "--prompts", &prompts], more].concat())
    };
    let good = || json!({"prompt": [1], "target": [1]});
    assert_refused(&ask(json!({"prompt": [0]}), &[]), &["wrong.jsonl, line 2", "either target or targets"]);
    assert_refused(&ask(json!({"prompt": "a", "target": [1]}), &[]), &["line 2", "no alphabet"]);
    assert_refused(&ask(json!({"prompt": [0, 1], "target": [1]}), &[]), &["question 1, counted from 0", "window"]);
    assert_refused(&ask(json!({"prompt": [7], "target": [1]}), &[]), &["7"]);
    assert_refused(&ask(good(), &["--exact", "--draws", "8"]), &["--exact", "--draws"]);
    assert_refused(&ask(good(), &["--protocol", "mdlm-owt"]), &["--protocol"]);
}

/// The choices of a protocol with this verdict, by name, with what stands in their place here.
fn choices(found: &Value, verdict: &str) -> Vec<(String, Value)> {
    let all = found["published"]["choices"].as_array().expect("choices");
    let of = all.iter().filter(|choice| choice["verdict"] == verdict);
    of.map(|choice| (choice["name"].as_str().expect("a name").to_owned(), choice["here"].clone())).collect()
}

fn names(choices: &[(String, Value)]) -> Vec<&str> {
    choices.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_published_protocol_sets_its_choices_and_names_those_that_differ() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    // A text under the name of text8, in windows of 256, whose last twentieth has three of them.
    let text: String = "the quick brown fox jumps over the lazy dog ".repeat(400).chars().take(256 * 62).collect();
    let text8 = place.join("text8");
    std::fs::write(&text8, text).expect("written");
    let dataset = format!("dataset={}", text8.display());
    let run = train(
        place,
        "md4-text8",
        &[&dataset, "hidden=32", "condition_width=8", "embedding=8", "accumulation=1", "shards=1"],
    );
    let judge = |more: &[&str]| likelihood(&[&["--checkpoint", &run], more].concat());
    let found = judge(&["--protocol", "md4-text8"]).json();
    let nelbo = &found["nelbo"];
    assert_eq!((&nelbo["draws"], &nelbo["estimator"]), (&json!(1), &json!("objective")), "{nelbo}");
    assert_eq!((&nelbo["dataset"], &nelbo["dims"]), (&json!("text8:test"), &json!(256)));
    let differs = choices(&found, "differs");
    assert_eq!(names(&differs), ["sequences", "prior"], "{found}");
    assert_eq!(differs[0].1, json!("3"));
    assert_eq!(names(&choices(&found, "not-checked")), ["weights"]);
    assert!(found["published"]["reported"].as_str().is_some_and(|reported| reported.contains("1.37")));
    // The number is that of the same choices without the name.
    let same = judge(&["--draws", "1", "--estimator", "objective"]).json();
    assert_eq!(same["nelbo"]["nats"], nelbo["nats"]);
    assert!(same["published"].is_null());

    // What is given stands in the place of the published choice, and is named.
    let other = judge(&["--protocol", "md4-text8", "--draws", "4", "--split", "valid"]).json();
    assert_eq!(names(&choices(&other, "differs")), ["data", "sequences", "draws", "prior"]);
    let shown = elbow(ELBOW, &["likelihood", "-q", "--checkpoint", &run, "--protocol", "md4-text8", "--draws", "4"]);
    assert!(shown.stdout.contains("differs in draws: published 1; here 4"), "{}", shown.stdout);
    // Another protocol differs in its objective, its windows and its marks.
    let owt = judge(&["--protocol", "md4-owt"]).json();
    assert_eq!(owt["nelbo"]["dataset"], "text8:all");
    assert_eq!(names(&choices(&owt, "differs")), ["tokens per sequence", "prior", "documents"]);
    let mdlm = judge(&["--protocol", "mdlm-text8"]).json();
    let expected = ["objective", "protocol", "schedule", "times", "prior", "frame", "documents"];
    assert_eq!(names(&choices(&mdlm, "differs")), expected);
    assert_refused(&judge(&["--protocol", "mdlm-owt"]), &["frame", "tokenizer"]);
    assert_refused(&judge(&["--protocol", "mdlm-text9"]), &["mdlm-text8"]);
    assert_refused(&judge(&["--protocol", "md4-text8", "--target-se", "0.1"]), &["--protocol", "--target-se"]);
}

/// A tokenizer of words with marks around windows.
fn tokenizer(folder: &Path) -> PathBuf {
    let vocabulary = json!({ "<s>": 0, "</s>": 1, "a": 2, "b": 3, "<unk>": 4 });
    let added = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [added(0, "<s>"), added(1, "</s>")],
        "normalizer": null, "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" },
    });
    let path = folder.join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).expect("written");
    path
}

#[test]
fn the_protocol_of_mdlm_puts_marks_around_windows() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let text = place.join("owt.txt");
    std::fs::write(&text, "a b b a b a a a b b\n".repeat(200)).expect("written");
    let alphabet = format!("alphabet=tokenizer:{}", tokenizer(place).display());
    let dataset = format!("dataset={}", text.display());
    let small = ["sequence_length=16", "condition_width=8", "accumulation=1", "shards=1"];
    let run = train(place, "mdlm-owt", &[&[dataset.as_str(), alphabet.as_str()], &small[..]].concat());
    let judge = |more: &[&str]| likelihood(&[&["--checkpoint", &run, "--protocol", "mdlm-owt"], more].concat()).json();
    let found = judge(&["--documents", "lines"]);
    assert_eq!(names(&choices(&found, "differs")), ["tokens per sequence"], "{found}");
    assert_eq!(found["nelbo"]["protocol"]["frame"], "bos,eos around each window, scored too");
    assert_eq!(found["nelbo"]["dataset"], "owt:all");
    assert_eq!(names(&choices(&judge(&[]), "differs")), ["tokens per sequence", "documents"]);
    let two = judge(&["--documents", "lines", "--sequences", "20", "--detokenizer", "ptb"]);
    assert_eq!(names(&choices(&two, "differs")), ["sequences", "tokens per sequence", "detokenizer"]);
}
