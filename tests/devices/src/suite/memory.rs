//! What a device cannot hold is an error in words, and the device goes on.

use burn::tensor::Tensor;
use elbow_base::{Error, Kind, Workers};
use elbow_harness::device::{guarded, largest_tensor};
use elbow_harness::runs::run_training;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::Split;
use elbow_impls::train::Settings;

use crate::cases::{device, device_name, workspace};

/// The sum of this many ones on the device, computed by a worker as losses are.
fn sum(numbers: usize) -> Result<f32, Error> {
    guarded(&device_name(), || {
        let work = |_: usize, numbers: &usize| {
            Tensor::<1>::ones([*numbers], &device()).mul_scalar(2.0).sum().into_scalar::<f32>()
        };
        Ok(Workers::new(1).map(&[numbers], work)[0])
    })
}

#[test]
fn a_tensor_that_is_too_large_is_an_error() {
    device();
    // Without a limit of its own: more than any device has.
    let numbers = largest_tensor(&device_name()).map_or(1 << 44, |bytes| bytes as usize / 4 + 1);
    let failure = sum(numbers).expect_err("it does not fit");
    println!("{failure}");
    assert_eq!(failure.kind, Kind::Environment, "{failure}");
    assert!(failure.what.contains("no memory for a tensor"), "{failure}");
    assert_eq!(sum(1000).expect("it fits"), 2000.0, "the device goes on");
}

#[test]
fn a_training_that_is_too_large_is_refused_before_it_starts() {
    device();
    let Some(limit) = largest_tensor(&device_name()) else { return };
    let settings = |batch: usize| {
        let changes = [
            "sequence_length=1024",
            "width=32",
            "heads=8",
            "layers=1",
            "hidden=8",
            "shards=1",
            "steps=1",
            "warmup_steps=0",
        ];
        let mut changes = changes.map(str::to_owned).to_vec();
        changes.push(format!("batch_size={batch}"));
        Settings::resolve("md4-shakespeare", &changes).expect("settings")
    };
    let here = workspace();
    let here = Workspace::new("out".into(), here.given_data().to_vec(), 0, &device_name(), true, false).expect("opens");
    let data = here.open(&settings(1).data(Split::Train)).expect("bundled");
    let folder = tempfile::tempdir().expect("a folder");
    // The scores of a sequence have 8 x 1024 x 1024 numbers.
    let batch = (limit >> 25) as usize + 1;
    let failure =
        run_training(&here, &settings(batch), data.as_ref(), &folder.path().join("large")).expect_err("too large");
    println!("{failure}");
    assert_eq!(failure.kind, Kind::Input);
    assert!(failure.what.contains("MiB"), "{failure}");
    run_training(&here, &settings(1), data.as_ref(), &folder.path().join("small")).expect("witness: one sequence fits");
}
