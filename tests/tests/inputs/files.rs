//! Outputs replace no input, link, folder or device; files that cannot be read are named with what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use elbow_metrics::NpzWriter;
use elbow_tests::{Call, elbow};

use super::ELBOW;

/// Twelve grey images of 8x8.
fn images(path: &Path) {
    let pixels: Vec<u8> = (0..12 * 64u32).map(|i| (i * 37 % 251) as u8).collect();
    let mut file = NpzWriter::create(path).expect("writable");
    file.array("arr_0", &[12, 8, 8, 1], &pixels).expect("written");
    file.finish().expect("written");
}

fn stats(set: &Path, output: &Path, more: &[&str]) -> Call {
    let [set, output] = [set, output].map(|path| path.to_str().expect("UTF-8"));
    elbow(ELBOW, &[&["fid", "stats", set, "-o", output, "--no-cache", "-q", "--ort-lib", "none"], more].concat())
}

fn assert_refused(call: &Call, words: &[&str]) {
    assert_eq!(call.code, 2, "{}", call.stderr);
    for word in words {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
    assert!(call.stderr.lines().count() <= 2, "{}", call.stderr);
}

#[cfg(unix)]
#[test]
fn an_output_replaces_no_input_link_folder_or_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let [set, target, link, pipe, inside] =
        ["set.npz", "target.npz", "link.npz", "pipe", "photos/a.npz"].map(|name| folder.path().join(name));
    images(&set);
    fs::write(&target, "old").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let before = fs::read(&set).expect("the set");
    for more in [&[][..], &["--force"]] {
        assert_refused(&stats(&set, &link, more), &["link.npz is a link", "-o FILE"]);
        assert_refused(&stats(&set, &pipe, more), &["pipe is a device or a pipe"]);
        assert_refused(&stats(&set, folder.path(), more), &["is a folder"]);
        assert_refused(&stats(&set, &set, more), &["set.npz is an input", "-o FILE"]);
    }
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(fs::read(&target).expect("there"), b"old");
    assert_eq!(fs::read(&set).expect("there"), before, "the images are gone");
    // A file in a folder of images is one of the images.
    images(&inside);
    assert_refused(&stats(inside.parent().expect("a folder"), &inside, &["--force"]), &["is an input"]);
}

#[test]
fn only_a_file_of_the_same_kind_is_replaced_without_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let [set, notes, one, other] =
        ["set.npz", "notes.npz", "one.npz", "other.npz"].map(|name| folder.path().join(name));
    images(&set);
    fs::write(&notes, "notes").expect("written");
    assert_refused(&stats(&set, &notes, &[]), &["notes.npz exists", "--force"]);
    assert_eq!(fs::read(&notes).expect("there"), b"notes");
    assert_eq!(stats(&set, &notes, &["--force"]).code, 0);
    // Statistics are replaced by statistics.
    for file in [&one, &one, &other] {
        let call = stats(&set, file, &[]);
        assert_eq!(call.code, 0, "{}", call.stderr);
    }
    // A case is not written over data of another kind.
    fs::write(folder.path().join("data.npz"), "mine").expect("written");
    let here = folder.path().to_str().expect("UTF-8");
    assert_refused(&elbow(ELBOW, &["bench", "case", "md4-digits", here, "-q"]), &["data.npz exists"]);
    assert_eq!(fs::read(folder.path().join("data.npz")).expect("there"), b"mine");
    let [one, other] = [&one, &other].map(|path| path.to_str().expect("UTF-8"));
    assert_refused(&elbow(ELBOW, &["fid", "merge", one, other, "-o", one]), &["is an input"]);
}

#[cfg(unix)]
#[test]
fn rows_are_not_appended_through_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let [target, rows] = ["target", "out/results.jsonl"].map(|name| folder.path().join(name));
    fs::write(&target, "").expect("written");
    fs::create_dir(folder.path().join("out")).expect("a folder");
    std::os::unix::fs::symlink(&target, &rows).expect("a link");
    let out = folder.path().join("out");
    let call = elbow(ELBOW, &["eval", "worked-example", "-q", "--out", out.to_str().expect("UTF-8")]);
    assert_refused(&call, &["results.jsonl is a link", "--out DIR"]);
    assert_eq!(fs::read(&target).expect("there"), b"");
}

#[test]
fn a_folder_or_a_text_in_another_encoding_is_bad_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let latin = |name: &str| -> PathBuf {
        let file = folder.path().join(name);
        fs::write(&file, b"caf\xe9 = 1").expect("written");
        file
    };
    let (toy, settings) = (latin("toy.json"), latin("own.toml"));
    let [dir, toy, settings] = [folder.path(), &toy, &settings].map(|path| path.to_str().expect("UTF-8"));
    assert_refused(&elbow(ELBOW, &["theory", "masked", "--toy", dir]), &["is a folder", "name a file"]);
    assert_refused(&elbow(ELBOW, &["import", dir, "--run", "nowhere"]), &["is a folder", "name a file"]);
    assert_refused(&elbow(ELBOW, &["theory", "masked", "--toy", toy]), &["toy.json", "UTF-8"]);
    assert_refused(&elbow(ELBOW, &["train", settings, "-q"]), &["own.toml", "UTF-8"]);
}
