//! Sets of images in files and arrays.

use std::fs;
use std::path::Path;

use elbow_tests::{Call, elbow};
use serde_json::{Value, json};

use crate::ELBOW;

fn fid(arguments: &[&str]) -> Call {
    elbow(ELBOW, &[&["fid"], arguments, &["--no-cache"]].concat())
}

/// The error of a call: exit 2, and one line each of what and of what to do.
fn refused(arguments: &[&str], words: &[&str]) {
    let call = fid(arguments);
    assert_eq!(call.code, 2, "{arguments:?}: {}", call.stderr);
    words.iter().for_each(|word| assert!(call.stderr.contains(word), "{word}: {}", call.stderr));
}

/// 12 grey images of 8x8 by formula.
fn levels() -> Vec<u8> {
    (0..12 * 64).map(|i| ((i * 37 + i / 64 * 33 + (i % 8) * (i % 7) * 5) % 256) as u8).collect()
}

fn npy(path: &Path, descr: &str, shape: &str, entries: &[u8]) -> String {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let bytes = [&b"\x93NUMPY\x01\0"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), entries].concat();
    fs::write(path, bytes).expect("writable");
    path.to_str().expect("UTF-8").to_owned()
}

fn pgm(folder: &Path, images: impl Iterator<Item = usize>) -> String {
    fs::create_dir_all(folder).expect("writable");
    for i in images {
        let bytes = [b"P5 8 8 255\n", &levels()[i * 64..][..64]].concat();
        fs::write(folder.join(format!("{i:02}.pgm")), bytes).expect("writable");
    }
    folder.to_str().expect("UTF-8").to_owned()
}

const DIGITS: [&str; 4] = ["digits:test", "--metrics", "fd,entropy", "--json"];

fn calc(set: &str, options: &[&str]) -> Value {
    fid(&[&["calc", set], &DIGITS[..], options].concat()).json()
}

#[test]
fn an_array_gives_the_numbers_of_the_same_images_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let numbers = |scale: f32, shift: f32| -> Vec<u8> {
        levels().iter().flat_map(|&v| (f32::from(v) * scale + shift).to_le_bytes()).collect()
    };
    let expected = calc(&pgm(&place("folder"), 0..12), &[]);
    assert_eq!(expected["generated"]["array"], Value::Null);
    let unit = npy(&place("unit.npy"), "<f4", "(12, 8, 8)", &numbers(1.0 / 255.0, 0.0));
    let signed = npy(&place("signed.npy"), "<f4", "(12, 8, 8, 1)", &numbers(2.0 / 255.0, -1.0));
    for (file, options) in [(&unit, ["--range", "0,1"]), (&signed, ["--range", "-1,1"])] {
        let found = calc(file, &options);
        assert_eq!(found["measures"], expected["measures"], "{file}");
        assert_eq!(found["generated"]["array"]["dtype"], "float32");
        assert!(found["warnings"].to_string().contains("float32 [12, 8, 8"), "{}", found["warnings"]);
    }
    // Witness: the other range.
    assert_ne!(calc(&unit, &["--range", "-1,1"])["measures"], expected["measures"]);
    refused(&["calc", &unit, "digits:test"], &["float32 from 0 to 1", "--range 0,1"]);
    refused(&["calc", &unit, "digits:test", "--range", "1,0"], &["LOW,HIGH"]);
    refused(&["calc", &unit, "digits:test", "--range", "0,1", "--array", "x"], &["--array has no effect"]);
    refused(&["calc", "digits:test", "digits:test", "--layout", "nhwc"], &["--layout has no effect"]);
    // The other verbs read arrays by the same options, and say so.
    let output = place("stats.npz");
    let stats = fid(&["stats", &unit, "--range", "0,1", "-o", output.to_str().expect("UTF-8"), "--json"]).json();
    assert_eq!(stats["of"]["images"]["array"]["range"], json!([0.0, 1.0]));
    refused(&["conventions", &unit, "digits:test"], &["--range 0,1"]);
}

#[test]
fn one_image_is_not_a_set_of_grey_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let single = npy(&folder.path().join("single.npy"), "|u1", "(16, 8, 3)", &levels()[..384]);
    refused(&["calc", &single, "digits:test"], &["shape [16, 8, 3]: one image of 16x8", "add a dimension", "nhw"]);
}

#[test]
fn headers_and_pickles_are_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npy");
    for bracket in ["{", "["] {
        let header = format!("{:<63}\n", bracket.repeat(40));
        fs::write(&path, [b"\x93NUMPY\x01\0\x40\0", header.as_bytes()].concat()).expect("writable");
        let begin = std::time::Instant::now();
        refused(&["calc", path.to_str().expect("UTF-8"), "digits:test"], &["a.npy", "header"]);
        assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    }
    let pickle = npy(&folder.path().join("st.npy"), "|O", "()", b"\x80\x04.");
    refused(&["calc", &pickle, "digits:test"], &["a pickle", "np.savez(", "allow_pickle=True).item()"]);
}

#[test]
fn what_is_beside_images_is_counted_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mixed = pgm(&folder.path().join("mixed"), 0..12);
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join("mixed").join(name), bytes).expect("writable");
    put("notes.txt", b"of the photographer");
    put("Thumbs.db", b"x");
    let found = calc(&mixed, &[]);
    assert_eq!((&found["generated"]["n"], &found["generated"]["other_files"]), (&json!(12), &json!({ "txt": 1 })));
    assert!(found["warnings"].to_string().contains("left out: 1 .txt"), "{}", found["warnings"]);
    put("12.gif", b"GIF89a");
    put("13.pgm", &[b"P5 8 8 255\n", &levels()[..40]].concat());
    refused(
        &["calc", &mixed, "digits:test"],
        &["2 of 14 images", "12.gif: ", "convert it to PNG", "13.pgm: ", "--on-bad"],
    );
    let found = calc(&mixed, &["--on-bad", "skip"]);
    assert_eq!(found["generated"]["skipped"].as_array().map(Vec::len), Some(2));
    assert!(found["warnings"].to_string().contains("2 of 14 images cannot be read and were left out"));
}
