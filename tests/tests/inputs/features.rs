//! Features and statistics of one's own, and options of `fid`.

use std::fs;
use std::path::{Path, PathBuf};

use elbow_metrics::NpzWriter;
use elbow_tests::{Call, elbow, root};
use serde_json::Value;

use crate::ELBOW;

fn fid(arguments: &[&str]) -> Call {
    elbow(ELBOW, &[&["fid"], arguments].concat())
}

/// The result of `fid calc`: every value and every standard error that is there is a number.
fn calc(arguments: &[&str]) -> Value {
    let result = fid(&[&["calc"], arguments, &["--no-cache", "--json"]].concat()).json();
    assert!(measures(&result).iter().all(|m| m["value"].is_number() && !m["n"].is_null()), "{result:#}");
    result
}

/// The message of a refusal: bad input, in two lines, with these words.
fn refused(arguments: &[&str], words: &[&str]) -> String {
    let call = fid(arguments);
    assert_eq!(call.code, 2, "{arguments:?}: {}{}", call.stdout, call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
    assert!(call.stderr.lines().count() <= 2, "{}", call.stderr);
    call.stderr
}

fn measures(result: &Value) -> &[Value] {
    result["measures"].as_array().expect("measures")
}

fn value(result: &Value, metric: &str) -> f64 {
    let found = measures(result).iter().find(|m| m["metric"] == metric);
    found.unwrap_or_else(|| panic!("no {metric} in {result:#}"))["value"].as_f64().expect("a number")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// An npz file with one array.
fn array(folder: &Path, name: &str, key: &str, shape: &[usize], data: &[f32]) -> PathBuf {
    let path = folder.join(name);
    let mut npz = NpzWriter::create(&path).expect("writable");
    npz.array(key, shape, data).expect("writable");
    npz.finish().expect("writable");
    path
}

fn statistics(
    folder: &Path,
    name: &str,
    [mu, sigma]: [&str; 2],
    mean: [f64; 2],
    variance: f64,
    n: Option<i64>,
) -> PathBuf {
    let path = folder.join(name);
    let mut npz = NpzWriter::create(&path).expect("writable");
    npz.array(mu, &[2], &mean).expect("writable");
    npz.array(sigma, &[2, 2], &[variance, 0.0, 0.0, variance]).expect("writable");
    n.map_or(Ok(()), |n| npz.array("n", &[], &[n])).expect("writable");
    npz.finish().expect("writable");
    path
}

#[test]
fn features_given_have_the_golden_numbers_under_a_name_of_their_own() {
    let golden = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(root().join(file)).expect("bundled")).expect("valid")
    };
    let exact = golden("fixtures/metrics/golden.json");
    let [generated, reference] = ["generated", "reference"].map(|side| format!("fixtures/metrics/full.{side}.npy"));
    let result = calc(&[&generated, &reference, "--extrapolate", "2"]);
    let expected = [
        ("fd.given", exact["frechet"]["full"]["distance"].as_f64()),
        ("kid.given", exact["kid"]["full"]["unbiased"].as_f64()),
    ];
    for (metric, expected) in expected {
        let (found, expected) = (value(&result, metric), expected.expect("a number"));
        // As the tests of the metrics have it: measured 3e-14 and 1e-13.
        assert!((found / expected - 1.0).abs() < 1e-12, "{metric}: {found} against {expected}");
    }
    for metric in ["precision.given", "recall.given", "density.given", "coverage.given", "fd.given.infinity"] {
        value(&result, metric);
    }
    assert!(measures(&result).iter().all(|m| m["metric"].as_str().expect("a name").contains("given")), "{result:#}");
    let error = &measures(&result)[0]["standard_error"];
    assert!(error.as_f64().expect("by blocks") > 0.0);
    assert_eq!(result["network_hash"], Value::Null);
    let warnings = result["warnings"].to_string();
    for word in ["is is left out: features were given", "entropy is left out", "does not say of which network"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    refused(&["calc", &generated, &reference, "--metrics", "is"], &["without class logits"]);
    refused(&["calc", &generated, &reference, "--per-class"], &["without classes"]);
    for option in [["--network", "lite0"], ["--features", "pool"], ["--pool", "mean"], ["--ort-lib", "none"]] {
        refused(&["calc", &generated, &reference, option[0], option[1]], &[&format!("{} has no effect", option[0])]);
    }
    // Witness: the sides exchanged exchange precision and recall.
    let back = calc(&[&reference, &generated]);
    assert_eq!(value(&back, "precision.given"), value(&result, "recall.given"));
    assert_ne!(value(&back, "precision.given"), value(&result, "precision.given"));
}

#[test]
fn features_given_meet_statistics_and_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = ["a", "b"].map(|name| format!("fixtures/frechet/{name}.npy"));
    let whole = value(&calc(&[&a, &b, "--metrics", "fd"]), "fd.given");
    let stored = folder.path().join("b.npz");
    let made = fid(&["stats", &b, "-o", text(&stored), "--json"]).json();
    assert_eq!((made["n"].as_u64(), made["metric"].as_str()), (Some(300), Some("network unknown")));
    let result = calc(&[&a, text(&stored)]);
    assert!((value(&result, "fd.given") / whole - 1.0).abs() < 1e-12);
    assert!(result["warnings"].to_string().contains("kid is left out: statistics on the reference side"));
    // Features of as many dimensions as the network's are compared, with a warning, under the same name.
    let features = array(folder.path(), "features.npz", "features", &[70, 64], &vec![0.5; 70 * 64]);
    let result = calc(&[text(&features), "digits:test", "--metrics", "fd"]);
    assert!(value(&result, "fd.given") > 1.0);
    assert!(result["warnings"].to_string().contains("features.npz does not say of which network"));
    refused(&["calc", &a, "digits:test", "--no-cache"], &["features of 16 and of 64 dimensions"]);
    refused(&["stats", text(&features), "--part", "1/2", "-o", "x.npz"], &["--part"]);
}

#[test]
fn features_that_are_no_features_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let nan = array(folder.path(), "nan.npz", "features", &[4, 2], &[0.0, 1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0, 7.0]);
    refused(&["calc", "fixtures/frechet/a.npy", text(&nan)], &["nan.npz: feature 1 of image 1 is NaN", "again"]);
    let pickle = folder.path().join("st.npy");
    let header = format!("{:<117}\n", "{'descr': '|O', 'fortran_order': False, 'shape': (), }");
    fs::write(&pickle, [b"\x93NUMPY\x01\x00v\x00", header.as_bytes(), b"\x80\x04}."].concat()).expect("writable");
    refused(&["calc", text(&pickle), text(&pickle)], &["st.npy", "never loaded", "np.savez("]);
    let one = array(folder.path(), "one.npz", "features", &[1, 2], &[0.0, 1.0]);
    refused(&["calc", text(&one), text(&one)], &["reference side: one image has no covariance"]);
}

#[test]
fn statistics_of_other_tools_are_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str, names, mean, variance, n| statistics(folder.path(), name, names, mean, variance, n);
    let plain = make("plain.npz", ["mu", "sigma"], [0.0, 0.0], 1.0, Some(50_000));
    let short = make("short.npz", ["m", "s"], [3.0, 0.0], 4.0, None);
    let result = calc(&[text(&plain), text(&short)]);
    // (3 - 0)^2 + 2 (1 + 4 - 2 sqrt(4)).
    assert!((value(&result, "fd (network unknown)") - 11.0).abs() < 1e-12, "{result:#}");
    assert_eq!(result["distance"]["n"][0], 50_000);
    let far = make("far.npz", ["mu", "sigma"], [1e200, 0.0], 1.0, None);
    refused(&["calc", text(&far), text(&plain), "--json"], &["generated side", "1e200"]);
    let indefinite = make("indefinite.npz", ["mu", "sigma"], [0.0, 0.0], -1.0, None);
    refused(&["calc", text(&plain), text(&indefinite)], &["reference side", "eigenvalue"]);
}

#[test]
fn kept_features_that_are_not_finite_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let call = ["calc", "digits:test", "digits:test", "--metrics", "fd", "--cache", text(&cache)];
    fid(&[&call[..], &["--json"]].concat()).json();
    let file = fs::read_dir(&cache).expect("a folder").next().expect("a shard").expect("an entry").path();
    let bytes = fs::read(&file).expect("readable");
    // A cut file is made again.
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("writable");
    assert_eq!(fid(&call).code, 0);
    assert_eq!(fs::read(&file).expect("readable"), bytes);
    // A whole file under its own key.
    let key = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut npz = NpzWriter::create(&file).expect("writable");
    npz.array("key", &[key.len()], key.as_bytes()).expect("writable");
    npz.array("features", &[299, 64], &[f32::NAN; 299 * 64]).expect("writable");
    npz.array("logits", &[299, 10], &[0.0_f32; 2990]).expect("writable");
    npz.finish().expect("writable");
    refused(&call, &[text(&file), "not finite", "--no-cache, or delete this file"]);
    assert_eq!(fid(&[&call[..5], &["--no-cache"]].concat()).code, 0);
}

#[test]
fn constant_images_have_a_distance() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, level) in [("black", 0_u8), ("grey", 128)] {
        fs::create_dir(folder.path().join(name)).expect("writable");
        for i in 0..8 {
            let image = [b"P5 8 8 255\n", &[level; 64][..]].concat();
            fs::write(folder.path().join(format!("{name}/{i}.pgm")), image).expect("writable");
        }
    }
    let [black, grey] = ["black", "grey"].map(|name| folder.path().join(name));
    let same = calc(&[text(&grey), text(&grey), "--network", "digits-classifier"]);
    assert_eq!(value(&same, "fd.digits-classifier.unit"), 0.0);
    assert!(same["warnings"].to_string().contains("no more images than feature dimensions"));
    let apart = calc(&[text(&black), text(&grey), "--network", "digits-classifier"]);
    assert!(value(&apart, "fd.digits-classifier.unit") > 1e-3);
    assert_eq!(value(&apart, "precision.digits-classifier.unit"), 0.0);
}

#[test]
fn what_needs_more_images_says_how_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let few = array(folder.path(), "few.npz", "features", &[2, 2], &[0.0, 1.0, 2.0, 5.0]);
    let result = calc(&[text(&few), text(&few)]);
    let warnings = result["warnings"].to_string();
    for word in ["kid is left out: it needs three images or more on each side", "prdc is left out: it needs 6 images"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    refused(
        &["calc", "digits:test", "digits:test", "--no-cache", "--metrics", "is", "--splits", "300"],
        &["300 images"],
    );
}

#[test]
fn too_few_samples_to_extrapolate_from_are_refused_before_they_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let train = ["train", "md4-digits", "--set", "steps=1", "--set", "batch_size=2", "--run", text(&run), "--quiet"];
    assert_eq!(elbow(ELBOW, &train).code, 0);
    // So many samples would take minutes.
    let call =
        ["calc", text(&run), "digits:test", "--no-cache", "--count", "20000", "--extrapolate", "50", "--blocks", "2"];
    refused(&[&call[..], &["--network", "lite0"]].concat(), &["20000 images", "1280 dimensions", "or more"]);
    let call = ["calc", text(&run), "digits:test", "--no-cache", "--count", "200", "--extrapolate", "4"];
    let message = refused(&call, &["45 images each", "64 dimensions", "288 images or more"]);
    assert!(!message.contains("samples"), "{message}");
}
