//! Runs that stop and go on, on the device and from one device to another.

use std::path::Path;

use burn::tensor::Device;
use elbow_impls::train::Trainer;

use crate::cases::{CASES, Ready, device, steps};
use crate::compare::{Measured, euclidean, tensors};

/// Relative Euclidean difference of the change of the weights in four steps, the last two on another device.
const MOVED: f64 = 1e-3;

const FILES: [&str; 3] = ["model.safetensors", "ema.safetensors", "optimizer.safetensors"];

/// Goes on for two steps from a folder into another one.
fn two_steps(ready: &Ready, from: &Path, to: &Path, device: &Device) {
    let trainer = Trainer::new(&ready.settings, ready.data.as_ref(), std::slice::from_ref(device)).expect("starts");
    let mut trainer = trainer.resume(from).expect("resumes");
    steps(&mut trainer, 2);
    trainer.save(to).expect("saves");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for ready in CASES.iter().map(|case| case.train()) {
        let [straight, half, resumed] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
        let devices = [device()];
        let trainer = Trainer::new(&ready.settings, ready.data.as_ref(), &devices).expect("starts");
        let mut trainer = trainer.resume(ready.run()).expect("resumes");
        steps(&mut trainer, 4);
        trainer.save(straight.path()).expect("saves");
        two_steps(&ready, ready.run(), half.path(), &device());
        two_steps(&ready, half.path(), resumed.path(), &device());
        let read = |run: &Path, file: &str| std::fs::read(run.join("checkpoint").join(file)).expect("written");
        for file in FILES {
            assert!(read(straight.path(), file) == read(resumed.path(), file), "{}: {file} differs", ready.name);
            assert!(read(straight.path(), file) != read(half.path(), file), "witness: {file} does not change");
        }
    }
}

#[test]
fn a_run_goes_on_on_another_device() {
    let mut measured = Measured::new("steps of a run that moves", MOVED);
    for ready in CASES.iter().map(|case| case.train()) {
        let run = |first: &Device, second: &Device| {
            let [half, whole] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
            two_steps(&ready, ready.run(), half.path(), first);
            two_steps(&ready, half.path(), whole.path(), second);
            let weights = |run: &Path| tensors(&run.join("checkpoint/model.safetensors"), "");
            let change = |after: Vec<f64>, before: Vec<f64>| after.iter().zip(before).map(|(a, b)| a - b).collect();
            let changes: [Vec<f64>; 2] = [
                change(weights(whole.path()), weights(ready.run())),
                change(weights(half.path()), weights(ready.run())),
            ];
            changes
        };
        let [cpu, _] = run(&Device::flex(), &Device::flex());
        let [there, half] = run(&Device::flex(), &device());
        let [back, _] = run(&device(), &Device::flex());
        measured.add(&ready.name, euclidean(&there, &cpu), euclidean(&half, &cpu));
        measured.add(&ready.name, euclidean(&back, &cpu), euclidean(&half, &cpu));
    }
    measured.judge();
}
