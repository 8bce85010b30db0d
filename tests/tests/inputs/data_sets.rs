//! Data sets of one's own: folders, arrays, files of images.

use std::fs;
use std::path::Path;

use elbow_tests::{Call, elbow};
use serde_json::json;

use crate::ELBOW;

const SMALL: [&str; 8] =
    ["--set", "steps=4", "--set", "batch_size=4", "--set", "shards=1", "--set", "checkpoint_every=2"];

fn run(arguments: &[&str]) -> Call {
    elbow(ELBOW, arguments)
}

fn refused(arguments: &[&str], words: &[&str]) {
    let call = run(arguments);
    assert_eq!(call.code, 2, "{arguments:?}: {}{}", call.stdout, call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
    assert!(call.stderr.lines().count() <= 2 && !call.stderr.contains("alphabet"), "{}", call.stderr);
}

/// Grey images of this height and width in two class folders.
fn photos(folder: &Path, count: usize, [height, width]: [usize; 2]) {
    for i in 0..count {
        let class = folder.join(["left", "right"][i % 2]);
        fs::create_dir_all(&class).expect("writable");
        let pixels: Vec<u8> = (0..height * width).map(|k| (i * 31 + k * 5) as u8).collect();
        let file = [format!("P5 {width} {height} 255\n").into_bytes(), pixels].concat();
        fs::write(class.join(format!("{i:02}.pgm")), file).expect("writable");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_folder_of_images_is_trained_on_measured_and_sampled() {
    let folder = tempfile::tempdir().expect("a folder");
    let [own, training] = ["own", "run"].map(|name| folder.path().join(name));
    photos(&own, 20, [4, 6]);
    let dataset = format!("dataset={}", text(&own));
    let train = ["train", "md4-digits", "--set", &dataset, "--run", text(&training), "--quiet", "--json"];
    let plan = run(&[&train[..], &SMALL, &["--dry-run"]].concat()).json();
    assert!(plan["plan"]["of"]["parameters"].as_u64().expect("counted") > 0, "{plan:#}");
    let trained = run(&[&train[..], &SMALL].concat()).json();
    assert_eq!((&trained["steps"], &trained["dataset"]), (&json!(4), &json!("own:train")));
    // Killed or not, the same command finds the same images.
    assert_eq!(run(&[&train[..], &SMALL].concat()).json()["dataset_hash"], trained["dataset_hash"]);
    let measure = ["likelihood", "--checkpoint", text(&training), "--quiet", "--json"];
    let held_out = run(&measure).json();
    assert_eq!((&held_out["nelbo"]["sequences"], &held_out["nelbo"]["dims"]), (&json!(2), &json!(24)));
    assert_eq!(held_out["nelbo"]["dataset"], "own:test");
    let bits = held_out["nelbo"]["bits_per_dim"]["value"].as_f64().expect("a number");
    // Four steps leave the network near the uniform law: 8 bits per dimension.
    assert!((bits - 8.0).abs() < 1.0, "{bits}");
    let all = run(&[&measure[..], &["--dataset", text(&own), "--split", "all"]].concat()).json();
    assert_eq!(all["nelbo"]["sequences"], 20);
    let samples = folder.path().join("samples");
    let sample = ["sample", "--checkpoint", text(&training), "--count", "4", "--steps", "4", "--out", text(&samples)];
    let drawn = run(&[&sample[..], &["--quiet", "--json"]].concat());
    assert_eq!(drawn.code, 0, "{}", drawn.stderr);
    // Other images of as many pixels are no data for this model.
    let other = folder.path().join("other");
    photos(&other, 4, [6, 4]);
    refused(&[&measure[..], &["--dataset", text(&other)]].concat(), &["images of 6x4x1, the model's are 4x6x1"]);
}

#[test]
fn what_cannot_be_trained_on_is_refused_before_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let dry = |path: &Path, preset: &str, more: &[&str], words: &[&str]| {
        let dataset = format!("dataset={}", text(path));
        refused(&[&["train", preset, "--dry-run", "--set", &dataset], more].concat(), words);
    };
    fs::create_dir(place("empty")).expect("writable");
    dry(&place("empty"), "md4-digits", &[], &["empty: no images among 0 files"]);
    photos(&place("one"), 1, [4, 4]);
    dry(&place("one"), "md4-digits", &[], &["one image", "test_dataset"]);
    photos(&place("mixed"), 2, [4, 4]);
    photos(&place("mixed/right"), 1, [8, 8]);
    dry(&place("mixed"), "md4-digits", &[], &["several sizes", "4x4x1", "8x8x1", "mogrify"]);
    dry(&place("nowhere/"), "md4-digits", &[], &["nowhere/: no such file or folder"]);
    let unknown = run(&["train", "md4-digits", "--dry-run", "--set", "dataset=photos"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("unknown data set \"photos\""), "{}", unknown.stderr);
    photos(&place("wide"), 4, [32, 64]);
    dry(&place("wide"), "md4-imagenet64", &[], &["32x64", "square"]);
    let fraction = ["--set", "test_fraction=1.5"];
    dry(&place("wide"), "md4-digits", &fraction, &["test_fraction = 1.5", "between 0 and 1"]);
    let named = refused_setting(&["test_fraction=0.2"]);
    assert!(named.contains("test_fraction has no meaning for dataset digits"), "{named}");
}

/// The refusal of settings of the preset on digits.
fn refused_setting(pairs: &[&str]) -> String {
    let sets: Vec<&str> = pairs.iter().flat_map(|pair| ["--set", *pair]).collect();
    let call = run(&[&["train", "md4-digits", "--dry-run"], &sets[..]].concat());
    assert_eq!(call.code, 2);
    call.stderr
}
