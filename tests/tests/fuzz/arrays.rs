//! Arrays: npz, npy, IDX, CIFAR's batches; images and statistics in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use elbow_base::Silent;
use elbow_harness::device;
use elbow_harness::losses::{Answers, Noise, NoiseFile, judge};
use elbow_impls::data::catalogue::{self, Spec};
use elbow_impls::data::{InMemory, Reading, Split, Tokens};
use elbow_metrics::{NpzWriter, Statistics};

use super::containers::{npy, npz};
use super::mutations::{Mutation, bytes};
use super::runner::Format;

/// Opens the images of a file, and reads the first and the last.
fn images(path: &Path) -> bool {
    let spec = Spec::new(path.display().to_string(), Split::All);
    let Ok(data) = catalogue::open(&spec, &[], &Reading::in_memory()) else { return false };
    let ends = [0, data.len() - 1];
    data.labels(&ends);
    data.select(&ends).is_ok()
}

fn written(write: impl Fn(&mut NpzWriter)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npz");
    let mut npz = NpzWriter::create(&path).expect("writable");
    write(&mut npz);
    npz.finish().expect("writable");
    fs::read(path).expect("written")
}

fn levels(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * i * 37 + i * 11) as u8).collect()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(elbow_tests::root().join("fixtures").join(name)).expect("bundled")
}

/// An array of bytes as `numpy.save` writes it.
fn npy_file(shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn fuzz(name: &str, file: &str, mutations: &[Mutation], valid: &[Vec<u8>], read: fn(&Path) -> bool) {
    Format { name, file, mutations }.fuzz(valid, read);
}

#[test]
fn npz_files_of_images() {
    let nhwc = written(|npz| {
        npz.array("arr_0", &[3, 4, 5, 3], &levels(180)).expect("writable");
        npz.array("arr_1", &[3], &[0_i64, 2, 1]).expect("writable");
    });
    let imagenet = written(|npz| {
        npz.array("data", &[2, 12], &levels(24)).expect("writable");
        npz.array("labels", &[2], &[1_i64, 1000]).expect("writable");
    });
    fuzz("npz", "current.npz", &[npz, npz, bytes], &[nhwc, imagenet], images);
}

#[test]
fn npz_files_of_statistics() {
    let compressed = ["stats-compressed.npz", "stats-f32.npz", "stats-fortran.npz", "stats-singleton.npz"];
    let valid = compressed.map(|name| fixture(&format!("frechet/{name}")));
    fuzz("statistics", "current.npz", &[npz, npz, bytes], &valid, |path| Statistics::load(path).is_ok());
}

#[test]
fn npy_files_of_images() {
    let valid = [npy_file("(2, 4, 5, 3)", &levels(120)), npy_file("(6, 4, 5)", &levels(120))];
    fuzz("npy", "current.npy", &[npy, npy, bytes], &valid, images);
}

#[test]
fn npy_files_of_numbers() {
    let valid = [fixture("metrics/sorted_logits.npy"), fixture("metrics/thin.reference.npy")];
    fuzz("matrix", "current.npy", &[npy, npy, bytes], &valid, |path| elbow_arrays::read_npy(path).is_ok());
}

#[test]
fn idx_files() {
    let header = [2_051_u32, 2, 4, 5].map(u32::to_be_bytes).concat();
    fuzz("idx", "current-ubyte", &[bytes], &[[header, levels(40)].concat()], images);
}

#[test]
fn batches_of_cifar() {
    let record = |class: u8| [vec![class], levels(3072)].concat();
    fuzz("cifar", "current.bin", &[bytes], &[record(3), [record(0), record(9)].concat()], images);
}

/// A file of noise over a few sequences, and the answers of a program that says every value alike.
fn noise_and_losses() -> [Vec<u8>; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("noise.npz");
    let data = InMemory::new("numbers", 3, Tokens::new((0..24).map(|i| i % 3).collect(), 4));
    let noise = Noise { objective: "md4", settings: BTreeMap::new(), data: &data, draws: 2, sequences: None, seed: 0 };
    let noise = noise.draw(&device::open("cpu").expect("the CPU"), &Silent).expect("noise");
    noise.write(&path).expect("writable");
    let losses = written(|npz| {
        npz.array("log_probabilities", &[12, 4], &[-1.0_f64; 48]).expect("writable");
        npz.array("id", &[64], noise.id().as_bytes()).expect("writable");
    });
    [fs::read(path).expect("written"), losses]
}

#[test]
fn files_of_noise() {
    fuzz("noise", "current.npz", &[npz, npz, bytes], &noise_and_losses()[..1], |path| NoiseFile::read(path).is_ok());
}

#[test]
fn files_of_losses() {
    let [noise, losses] = noise_and_losses();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("noise.npz");
    fs::write(&path, noise).expect("writable");
    let (noise, device) = (NoiseFile::read(&path).expect("noise"), device::open("cpu").expect("the CPU"));
    let read = |path: &Path| {
        Answers::load(path, &noise).is_ok_and(|answers| judge(&noise, &answers, &device, &Silent).is_ok())
    };
    Format { name: "losses", file: "current.npz", mutations: &[npz, npz, bytes] }.fuzz(&[losses], read);
}
