//! Readers of data sets: their sequences, their splits, and their errors about damaged files.

mod catalogue;
mod images;
mod large_text;
mod npz;
mod own_images;
mod text;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_impls::Result;
use elbow_impls::data::{Dataset, InMemory, Npz, Split, Tokens, cifar, digits, idx};
use flate2::{Compression, write::GzEncoder};
use tempfile::{TempDir, tempdir};

fn folder() -> TempDir {
    tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
    fs::write(&path, bytes).expect("writable");
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The error must name all of these.
fn fails<T>(result: Result<T>, words: &[&str]) {
    let message = result.err().expect("an error").to_string();
    words.iter().for_each(|word| assert!(message.contains(word), "{message:?} does not say {word:?}"));
}

fn rows(data: &dyn Dataset, indices: &[usize]) -> Vec<Vec<u32>> {
    data.select(indices).expect("readable").rows().map(<[u32]>::to_vec).collect()
}

#[test]
fn splits_have_names_and_sets_say_which_they_have() {
    for split in Split::ALL {
        assert_eq!(split.to_string().parse::<Split>(), Ok(split));
    }
    let unknown = "dev".parse::<Split>().expect_err("no split").to_string();
    assert_eq!(unknown, "unknown split \"dev\": choose one of train, valid, test, all");
    fails(digits::load(Path::new("unread"), Split::Valid), &["unknown split \"valid\": choose one of train, test"]);
    fails(idx::load(Path::new("unread"), "mnist", Split::Valid), &["choose one of train, test"]);
    fails(cifar::load(Path::new("unread"), Split::All), &["choose one of train, test"]);
    fails(Npz::file(Path::new("unread"), Split::Train), &["unknown split \"train\": choose one of all"]);
}

#[test]
fn made_sets() {
    let made = || InMemory::new("toy", 5, Tokens::new(vec![0, 1, 2, 3, 4, 0], 2));
    let plain = made();
    assert_eq!((plain.len(), plain.length(), plain.values(), plain.classes()), (3, 2, 5, 0));
    assert!(plain.labels(&[0, 1]).is_empty() && plain.image().is_none() && plain.text().is_none());
    let labelled = made().with_labels(vec![1, 0, 2], 3);
    assert_eq!((labelled.classes(), labelled.labels(&[2, 0])), (3, vec![2, 1]));
    assert_ne!(plain.hash(), labelled.hash());
}
