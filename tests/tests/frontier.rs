//! Generative frontiers on the command line.

use std::path::Path;

use elbow_tests::{Call, elbow};
use serde_json::Value;

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

/// Trains a tiny run; its folder.
fn train(folder: &Path, preset: &str, settings: &[&str]) -> String {
    let run = folder.join(format!("{preset}{}", settings.len())).display().to_string();
    let tiny = ["steps=30", "warmup_steps=2", "batch_size=8", "width=16", "hidden=32", "heads=2", "layers=1"];
    let sets: Vec<&str> = tiny.iter().chain(settings).flat_map(|setting| ["--set", setting]).collect();
    elbow(ELBOW, &[&["train", preset, "--run", &run, "--json", "-q"], &sets[..]].concat()).json();
    run
}

/// A frontier with its picture in a folder.
fn frontier(folder: &Path, words: &[&str]) -> Call {
    let to = folder.join("pictures").display().to_string();
    elbow(ELBOW, &[&["frontier"], words, &["--to", &to, "--json", "-q"]].concat())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}", call.stderr);
    words.iter().for_each(|word| assert!(call.stderr.contains(word), "{word}: {}", call.stderr));
}

#[test]
fn a_frontier_has_the_numbers_of_its_samples_and_compares_at_equal_entropy() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let [md4, uniform, ar] =
        ["md4-shakespeare", "d3pm-uniform-shakespeare", "ar-shakespeare"].map(|preset| train(place, preset, &[]));
    let common = ["--judge", &ar, "--samples", "24", "--steps", "6"];
    let run = |words: &[&str]| frontier(place, &[words, &common].concat()).json();
    let found = run(&[&md4, &uniform, "--temperatures", "0.5,1,1.5"]);

    let curves = found["curves"].as_array().expect("curves");
    assert_eq!(curves.len(), 2);
    for curve in curves {
        let points = curve["points"].as_array().expect("points");
        let of = |name: &str| -> Vec<f64> { points.iter().map(|point| number(&point[name]["value"])).collect() };
        let (perplexity, cross_entropy, entropy) = (of("perplexity"), of("cross_entropy"), of("entropy"));
        for ((perplexity, cross_entropy), (entropy, difference)) in
            perplexity.iter().zip(&cross_entropy).zip(entropy.iter().zip(of("difference")))
        {
            assert!((perplexity - cross_entropy.exp()).abs() < 1e-9 * perplexity);
            assert!((cross_entropy - entropy - difference).abs() < 1e-12);
        }
        assert!(entropy.is_sorted() && entropy[0] < entropy[2] - 0.2, "{entropy:?}");
        assert!(
            points.iter().all(|point| point["entropy"]["n"] == 24 && number(&point["entropy"]["standard_error"]) > 0.0)
        );
    }
    let pair = &found["comparisons"][0];
    assert_eq!((&pair["a"], &pair["b"]), (&"md4-shakespeare0".into(), &"d3pm-uniform-shakespeare0".into()));
    let range: Vec<f64> = pair["entropies"].as_array().expect("common").iter().map(number).collect();
    let (mean, area) = (number(&pair["mean"]["value"]), number(&pair["area"]["value"]));
    assert!((area - mean * (range[1] - range[0])).abs() < 1e-12);
    let interval: Vec<f64> = pair["mean"]["interval"].as_array().expect("two").iter().map(number).collect();
    assert!(interval[0] < mean && mean < interval[1], "{pair}");
    assert_eq!(found["at_most"], false, "an autoregressive judge is exact");
    let png = image::open(found["png"].as_str().expect("a file")).expect("a picture");
    assert!(png.width() > png.height(), "two panels side by side");

    // A point does not depend on the other temperatures, nor on models after it.
    let alone = run(&[&md4, "--temperatures", "1"]);
    assert_eq!(alone["curves"][0]["points"][0], found["curves"][0]["points"][1]);
    assert!(alone["comparisons"].as_array().expect("none").is_empty());
    let held_out = ["perplexity", "entropy"].map(|name| number(&alone["reference"]["numbers"][name]["value"]));
    assert!(held_out[0] > 1.0 && held_out[1] > 2.0, "{held_out:?}");

    // Another seed gives other samples of the same law.
    let seeded = run(&[&md4, "--temperatures", "1", "--seed", "7"]);
    let entropy = |found: &Value| found["curves"][0]["points"][0]["entropy"].clone();
    let (one, other) = (entropy(&alone), entropy(&seeded));
    assert_ne!(one, other);
    let error = number(&one["standard_error"]).hypot(number(&other["standard_error"]));
    assert!((number(&one["value"]) - number(&other["value"])).abs() < 4.5 * error, "{one} {other}");

    // Every mass makes a curve; the smallest is the dullest.
    let cut = run(&[&md4, "--temperatures", "1", "--top-p", "0.3,1"]);
    let entropy = |curve: usize| number(&cut["curves"][curve]["points"][0]["entropy"]["value"]);
    assert!(entropy(0) < entropy(1) - 0.2, "{} {}", entropy(0), entropy(1));
    assert_eq!(cut["curves"][0]["name"], "md4-shakespeare0, top-p 0.3");
    // A judge with a bound alone says so.
    let bound = frontier(place, &[&ar, "--judge", &md4, "--samples", "4", "--temperatures", "1"]).json();
    assert_eq!((&bound["at_most"], &bound["curves"][0]["steps"]), (&true.into(), &Value::Null));
    // Other held-out data move the reference alone.
    let other = run(&[&md4, "--temperatures", "1", "--dataset", "kjv"]);
    assert_eq!((&other["curves"], &other["reference"]["data"]), (&alone["curves"], &"kjv:test".into()));
}

#[test]
fn what_has_no_frontier_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let [text, ar, digits, vdm] =
        ["md4-shakespeare", "ar-shakespeare", "md4-digits", "vdm-digits"].map(|preset| train(place, preset, &[]));
    let cases: [(&[&str], &[&str]); 10] = [
        (&[&text], &["--judge"]),
        (&[&vdm, "--judge", &ar], &["vdm", "no temperature"]),
        (&[&digits, "--judge", &ar], &["md4-digits0"]),
        (&[&text, "--judge", &ar, "--temperatures", "1,0.5,1"], &["--temperatures: 1 stands there twice"]),
        (&[&text, "--judge", &ar, "--temperatures=-1"], &["a number from 0 to 1000"]),
        (&[&text, "--judge", &ar, "--top-p", "0"], &["(0, 1]"]),
        (&[&text, "--judge", &ar, "--samples", "1"], &["--samples"]),
        (&[&ar, "--judge", &ar, "--steps", "8"], &["--steps has no effect"]),
        (&[&text, "--judge", &ar, "--ort-lib", "lib.so"], &["--ort-lib has no effect"]),
        (&[&text, "--judge", &ar, "--length", "8"], &["--length 8", "of its own length"]),
    ];
    for (words, told) in cases {
        assert_refused(&frontier(place, words), told);
    }
    // A judge that is a function lives in the program of the wheel.
    let function = frontier(place, &[&text, "--judge", "mine:log_p"]);
    assert!(function.code == 3 && function.stderr.contains("this program has no Python"), "{}", function.stderr);
}
