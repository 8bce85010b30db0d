//! `elbow fid` as a user meets it: inputs of every kind, numbers that do not depend on the machine, errors that say what to do.

use std::fs;
use std::path::Path;
use std::process::Command;

use elbow_tests::{command, elbow, root};
use serde_json::{Value, json};

const ELBOW: &str = env!("CARGO_BIN_EXE_elbow-under-test");

fn run(arguments: &[&str]) -> elbow_tests::Call {
    elbow(ELBOW, arguments)
}

/// A number of a result by its metric's name.
fn measure<'a>(result: &'a Value, metric: &str) -> &'a Value {
    let measures = result["measures"].as_array().expect("measures");
    measures.iter().find(|m| m["metric"] == metric).unwrap_or_else(|| panic!("no {metric} in {result:#}"))
}

fn value(result: &Value, metric: &str) -> f64 {
    measure(result, metric)["value"].as_f64().expect("a number")
}

/// 8x8 grey images by formula.
fn pixels(count: usize, seed: usize) -> Vec<u8> {
    (0..count * 64).map(|i| ((i * 37 + i / 64 * seed * 11 + (i % 8) * (i % 7) * 5) % 256) as u8).collect()
}

fn npy(path: &Path, shape: &str, pixels: &[u8]) {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(pixels);
    fs::write(path, bytes).expect("writable");
}

/// A folder of PGM files, which need no library.
fn pgm(folder: &Path, pixels: &[u8]) {
    fs::create_dir_all(folder).expect("writable");
    for (i, image) in pixels.chunks(64).enumerate() {
        let bytes = [b"P5 8 8 255\n", image].concat();
        fs::write(folder.join(format!("{i:03}.PGM")), bytes).expect("writable");
    }
}

#[test]
fn every_kind_of_file_gives_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let images = pixels(70, 3);
    pgm(&place("folder"), &images);
    npy(&place("grey.npy"), "(70, 8, 8)", &images);
    npy(&place("pixels.npy"), "(70, 8, 8, 1)", &images);
    npy(&place("planes.npy"), "(70, 1, 8, 8)", &images);
    let header = [0x0803_u32, 70, 8, 8].map(u32::to_be_bytes).concat();
    fs::write(place("set-ubyte"), [header, images.clone()].concat()).expect("writable");
    let call = |name: &str| {
        let path = place(name);
        let result = run(&["fid", "calc", path.to_str().expect("UTF-8"), "digits:test", "--no-cache", "--json"]).json();
        assert_eq!(result["generated"]["n"], 70, "{name}");
        (result["measures"].clone(), result["generated"]["sha256"].clone())
    };
    let first = call("folder");
    for name in ["grey.npy", "pixels.npy", "planes.npy", "set-ubyte"] {
        assert_eq!(call(name), first, "{name}");
    }
}

#[test]
fn the_same_question_has_the_same_bytes_as_its_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let arguments = ["fid", "calc", "digits:test", "digits:train", "--extrapolate", "2", "--json", "--out", out];
    let fresh = run(&arguments);
    assert_eq!(fresh.code, 0, "{}", fresh.stderr);
    assert!(fresh.stderr.is_empty(), "nothing beside the numbers: {}", fresh.stderr);
    assert_eq!(run(&arguments).stdout, fresh.stdout, "from the cache");
    let cores: Vec<&str> = ["taskset", "-c", "0", ELBOW].into_iter().chain(arguments).chain(["--no-cache"]).collect();
    let one = Command::new(cores[0]).args(&cores[1..]).current_dir(root()).env("RAYON_NUM_THREADS", "1").output();
    // taskset is a tool of Linux.
    if let Ok(one) = one.map_err(|e| eprintln!("not tested on one core: {e}")) {
        assert_eq!(String::from_utf8_lossy(&one.stdout), fresh.stdout, "on one core, without the cache");
    }
    let other = run(&[&arguments[..], &["--seed", "1"]].concat()).json();
    let fresh = fresh.json();
    assert_eq!(value(&other, "fd.digits-classifier.unit"), value(&fresh, "fd.digits-classifier.unit"));
    let error =
        |result: &Value| measure(result, "fd.digits-classifier.unit")["standard_error"].as_f64().expect("a number");
    assert_ne!(error(&other), error(&fresh), "other blocks");
}

#[test]
fn what_is_generated_and_what_is_reference_makes_a_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    // A few images many times over.
    let path = folder.path().join("few.npy");
    npy(&path, "(40, 8, 8)", &pixels(4, 3).repeat(10));
    let few = path.to_str().expect("UTF-8");
    let [forth, back] = [[few, "digits:test"], ["digits:test", few]].map(|[a, b]| {
        run(&["fid", "calc", a, b, "--no-cache", "--neighbours", "3", "--boundary", "closed", "--json"]).json()
    });
    let name = |metric: &str| format!("{metric}.digits-classifier.unit");
    assert!((value(&forth, &name("fd")) - value(&back, &name("fd"))).abs() < 1e-9);
    assert!((value(&forth, &name("kid")) - value(&back, &name("kid"))).abs() < 1e-9);
    assert_eq!(value(&forth, &name("precision")), value(&back, &name("recall")));
    assert_eq!(value(&forth, &name("recall")), value(&back, &name("precision")));
    // The Inception Score and the entropies are of the generated side, and its own.
    assert!(value(&back, &name("is")) > value(&forth, &name("is")) + 1.0);
    assert_eq!(measure(&forth, "entropy.pooled")["details"]["reference"], measure(&back, "entropy.pooled")["value"]);
    assert_eq!(value(&forth, "distinct"), 0.1);
    let warnings = forth["warnings"].to_string();
    for word in ["36 of 40 images are equal to an earlier one", "biased upwards"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
    let same =
        run(&["fid", "calc", "digits:test", "digits:test", "--no-cache", "--metrics", "fd,entropy", "--json"]).json();
    assert!(same["warnings"].to_string().contains("299 of 299 generated images are also in the reference"));
    assert!(value(&same, &name("fd")).abs() < 1e-9);
}

#[test]
fn bad_images_are_all_named_or_counted() {
    let call = run(&["fid", "calc", "fixtures/photos/odd", "fixtures/photos/jpeg", "--no-cache"]);
    assert_eq!(call.code, 2);
    for word in ["2 of 8 images cannot be read", "fake.png", "truncated.png", "--on-bad skip"] {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
    let skip = ["fid", "calc", "fixtures/photos/odd", "fixtures/photos/jpeg", "--no-cache", "--on-bad", "skip"];
    let result = run(&[&skip[..], &["--metrics", "fd", "--json"]].concat()).json();
    assert_eq!(result["generated"]["skipped"].as_array().map(Vec::len), Some(2));
    let name = result["metric"].as_str().expect("a name");
    assert_eq!(name, "fd.lite0.lite", "colour images have the network for colour images");
    let warnings = result["warnings"].to_string();
    for word in ["transparency dropped", "lossy", "2 of 8 images cannot be read and were left out"] {
        assert!(warnings.contains(word), "{word}: {warnings}");
    }
}

#[test]
fn what_cannot_be_measured_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = folder.path().join("weights.pth");
    fs::write(&weights, "no weights").expect("writable");
    let output = folder.path().join("nowhere.onnx");
    let [weights, output] = [&weights, &output].map(|path| path.to_str().expect("UTF-8"));
    let call = run(&["fid", "export", weights, "-o", output]);
    assert!(call.code == 2 && call.stderr.contains("weights.pth"), "{}", call.stderr);
    // What and where, then what to do.
    assert!(call.stderr.lines().count() <= 2, "{}", call.stderr);
    let below_a_file = format!("{weights}/under/a/file.npz");
    let call = run(&["fid", "stats", "digits:test", "--no-cache", "-o", &below_a_file]);
    assert!(call.code == 3 && call.stderr.contains("cannot write"), "{}", call.stderr);
    assert_eq!(run(&["fid", "stats", "digits:test", "--part", "3/2", "-o", output]).code, 2);
    assert!(!Path::new(output).exists());
}

#[test]
fn a_gpu_that_is_missing_is_the_environments_fault() {
    let mut gpu = command(ELBOW, &["fid", "calc", "digits:test", "digits:train", "--no-cache", "--device", "cuda:0"]);
    let output = gpu.env_remove("ORT_DYLIB_PATH").output().expect("starts");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn parts_of_a_set_merge_to_the_whole_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for k in 1..=3 {
        let (part, file) = (format!("{k}/3"), path(&format!("{k}.npz")));
        run(&["fid", "stats", "digits:train", "--no-cache", "--part", &part, "-o", &file, "--json"]).json();
    }
    run(&["fid", "stats", "digits:train", "--no-cache", "-o", &path("whole.npz"), "--json"]).json();
    run(&["fid", "merge", &path("1.npz"), &path("2.npz"), &path("3.npz"), "-o", &path("merged.npz"), "--json"]).json();
    let apart = run(&["fid", "calc", &path("merged.npz"), &path("whole.npz"), "--json"]).json();
    assert!(apart["value"].as_f64().expect("a number").abs() < 1e-9, "{apart}");
    assert_eq!(
        (&apart["distance"]["n"], &apart["metric"]),
        (&json!([1498, 1498]), &json!("fd.digits-classifier.unit"))
    );
}

/// Statistics of another tool say nothing of their network: that is said, not guessed.
#[test]
fn statistics_without_a_network_are_named_so() {
    let theirs =
        run(&["fid", "calc", "fixtures/frechet/stats-f32.npz", "fixtures/frechet/stats-fortran.npz", "--json"]).json();
    assert_eq!(theirs["metric"], "fd (network unknown)");
    assert!(theirs["warnings"].to_string().contains("does not say of which network"));
}

/// One colour image in every layout: the numbers of colours and places differ, so that none can be taken for another.
#[test]
fn colour_layouts_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (count, area) = (2, 32 * 32);
    let level = |image: usize, place: usize, channel: usize| ((image * 91 + place * 7 + channel * 83) % 256) as u8;
    let all = |order: &dyn Fn(usize) -> Vec<u8>| -> Vec<u8> { (0..count).flat_map(order).collect() };
    let pixels = all(&|n| (0..area * 3).map(|i| level(n, i / 3, i % 3)).collect());
    let planes = all(&|n| (0..area * 3).map(|i| level(n, i % area, i / area)).collect());
    let batch: Vec<u8> =
        (0..count).flat_map(|n| [&[n as u8][..], &planes[n * area * 3..][..area * 3]].concat()).collect();
    npy(&folder.path().join("pixels.npy"), "(2, 32, 32, 3)", &pixels);
    npy(&folder.path().join("planes.npy"), "(2, 3, 32, 32)", &planes);
    fs::write(folder.path().join("batch.bin"), batch).expect("writable");
    fs::create_dir(folder.path().join("folder")).expect("writable");
    for (i, image) in pixels.chunks(area * 3).enumerate() {
        fs::write(folder.path().join(format!("folder/{i}.ppm")), [b"P6 32 32 255\n", image].concat())
            .expect("writable");
    }
    let hash = |name: &str| {
        let path = folder.path().join(name);
        let arguments = [
            "fid",
            "calc",
            path.to_str().expect("UTF-8"),
            "fixtures/photos/jpeg",
            "--no-cache",
            "--metrics",
            "entropy",
        ];
        run(&[&arguments[..], &["--json"]].concat()).json()["generated"]["sha256"].clone()
    };
    let first = hash("folder");
    for name in ["pixels.npy", "planes.npy", "batch.bin"] {
        assert_eq!(hash(name), first, "{name}");
    }
}

#[test]
fn a_class_is_measured_as_if_it_were_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let text = |name: &str| place(name).to_str().expect("UTF-8").to_owned();
    let (ours, theirs) = (pixels(45, 3), pixels(60, 5));
    pgm(&place("ours/a"), &ours[..64 * 20]);
    pgm(&place("ours/b"), &ours[64 * 20..64 * 44]);
    // One image of a class, and a class of one side only.
    pgm(&place("ours/c"), &ours[64 * 44..]);
    pgm(&place("theirs/a"), &theirs[..64 * 30]);
    pgm(&place("theirs/b"), &theirs[64 * 30..64 * 50]);
    pgm(&place("theirs/c"), &theirs[64 * 50..64 * 55]);
    pgm(&place("theirs/d"), &theirs[64 * 55..]);
    let fd = |a: &str, b: &str, more: &[&str]| {
        run(&[&["fid", "calc", &text(a), &text(b), "--no-cache", "--metrics", "fd", "--json"], more].concat()).json()
    };
    let result = fd("ours", "theirs", &["--per-class"]);
    let measured = measure(&result, "fd.digits-classifier.unit.per-class");
    let classes = &measured["details"]["classes"];
    let mut sum = 0.0;
    for class in ["a", "b"] {
        let alone = fd(&format!("ours/{class}"), &format!("theirs/{class}"), &[])["value"].as_f64().expect("a number");
        let value = classes[class]["value"].as_f64().expect("a number");
        assert!((value - alone).abs() < 1e-9 && alone > 1.0, "{class}: {value} against {alone}");
        sum += value;
    }
    assert!((measured["value"].as_f64().expect("a number") - sum / 2.0).abs() < 1e-12);
    assert!(result["warnings"].to_string().contains("left out: c, d"), "{}", result["warnings"]);
    assert_eq!(classes.as_object().map(|classes| classes.len()), Some(2));
}

#[test]
fn labels_of_a_data_set_are_its_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = folder.path().join("ours");
    pgm(&ours.join("a"), &pixels(45, 3));
    let ours = ours.to_str().expect("UTF-8");
    let unlabelled = run(&["fid", "calc", ours, "fixtures/photos/jpeg", "--no-cache", "--per-class"]);
    assert!(unlabelled.code == 2 && unlabelled.stderr.contains("no class has two images"), "{}", unlabelled.stderr);
    let digits =
        run(&["fid", "calc", "digits:test", "digits:train", "--no-cache", "--per-class", "--metrics", "fd", "--json"]);
    let digits = digits.json();
    let classes = &measure(&digits, "fd.digits-classifier.unit.per-class")["details"]["classes"];
    assert_eq!(classes.as_object().map(|classes| classes.len()), Some(10));
}

#[test]
fn a_matrix_of_conventions() {
    let jpeg = "fixtures/photos/jpeg";
    let table =
        run(&["fid", "conventions", jpeg, "fixtures/photos/odd", "--on-bad", "skip", "--no-cache", "--json"]).json();
    assert_eq!(table["conventions"], json!(["tf", "pytorch", "clean", "lite"]));
    let (matrix, own) = (&table["matrix"], &table["distances"]);
    for (i, name) in ["fd.lite0.tf", "fd.lite0.pytorch", "fd.lite0.clean", "fd.lite0.lite"].iter().enumerate() {
        assert_eq!(own[name], matrix[i][i]);
    }
    let direct = run(&[
        "fid",
        "calc",
        jpeg,
        "fixtures/photos/odd",
        "--on-bad",
        "skip",
        "--no-cache",
        "--convention",
        "clean",
        "--json",
    ]);
    let direct = direct.json();
    let apart = direct["value"].as_f64().expect("a number") - own["fd.lite0.clean"].as_f64().expect("a number");
    assert!(apart.abs() < 1e-9, "{apart}");
}

#[test]
fn fid_through_files_is_fid_through_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let direct = run(&["fid", "calc", "digits:test", "digits:train", "--no-cache", "--json"]).json();
    let golden = std::fs::read_to_string(root().join("fixtures/digits-classifier/golden.json")).expect("bundled");
    let golden: Value = serde_json::from_str(&golden).expect("valid");
    let expected = golden["frechet_train_test"]["nuclear_norm"].as_f64().expect("a number");
    let value = direct["value"].as_f64().expect("a number");
    // Features in single precision by another runtime: measured 1.5e-9.
    assert!((value - expected).abs() < 1e-8, "{value} against {expected} by onnxruntime and NumPy");
    assert_eq!(direct["metric"], "fd.digits-classifier.unit");
    run(&["fid", "stats", "digits:train", "--no-cache", "-o", &path("train.npz"), "--json"]).json();
    run(&["fid", "stats", "digits:test", "--no-cache", "-o", &path("test.npz"), "--json"]).json();
    let stored = run(&["fid", "calc", &path("test.npz"), &path("train.npz"), "--json"]).json();
    assert!((stored["value"].as_f64().expect("a number") - value).abs() < 1e-9);
    run(&["fid", "merge", &path("train.npz"), &path("test.npz"), "-o", &path("all.npz"), "--json"]).json();
    let mixed = run(&["fid", "calc", &path("all.npz"), "digits:train", "--no-cache", "--json"]).json();
    assert_eq!(mixed["distance"]["n"], serde_json::json!([1797, 1498]));
    // Statistics of other features are refused.
    let other = run(&["fid", "calc", &path("all.npz"), "digits:train", "--no-cache", "--network-convention", "signed"]);
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("convention"), "{}", other.stderr);
}

#[test]
fn the_native_runtime_agrees_with_the_embedded_one() {
    // Runs where ORT_DYLIB_PATH names a library, as continuous integration does; the embedded runtime is
    // compared with a golden value above in any case.
    let Some(library) = std::env::var_os("ORT_DYLIB_PATH") else {
        eprintln!("ORT_DYLIB_PATH is not set: only the embedded runtime was tested");
        return;
    };
    let library = library.to_str().expect("UTF-8");
    let native =
        run(&["fid", "calc", "digits:test", "digits:train", "--no-cache", "--json", "--ort-lib", library]).json();
    let embedded = {
        let mut command =
            elbow_tests::command(ELBOW, &["fid", "calc", "digits:test", "digits:train", "--no-cache", "--json"]);
        let output = command.env_remove("ORT_DYLIB_PATH").output().expect("starts");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    assert!(native["runtime"].as_str().expect("named").contains("native"));
    assert!(embedded["runtime"].as_str().expect("named").contains("embedded"));
    let difference = native["value"].as_f64().expect("a number") - embedded["value"].as_f64().expect("a number");
    // Measured 1.5e-9.
    assert!(difference.abs() < 1e-8, "{difference}");
    // A large network, on two small photographs.
    let photos =
        ["fid", "calc", "fixtures/photos/jpeg", "fixtures/photos/jpeg", "--no-cache", "--convention", "tf", "--json"];
    let entropy = |ort_lib: &str| value(&run(&[&photos[..], &["--ort-lib", ort_lib]].concat()).json(), "entropy.class");
    let (native, embedded) = (entropy(library), entropy("none"));
    assert!((native / embedded - 1.0).abs() < 1e-5, "{native} and {embedded}");
}
