//! Runs that stop and go on, on the device and from one device to another.

use std::path::Path;

use burn::tensor::Device;
use elbow_impls::train::{Settings, Trainer};

use crate::cases::{Ready, device, steps};
use crate::compare::{Findings, euclidean, tensors};

/// Relative Euclidean difference of the change of the weights in four steps, the first or last two on the
/// device. Measured on lavapipe: 1.0e-5.
const MOVED: f64 = 1e-4;

const FILES: [&str; 3] = ["model.safetensors", "ema.safetensors", "optimizer.safetensors"];

/// Goes on for two steps from a folder into another one.
fn two_steps(ready: &Ready, settings: &Settings, from: &Path, to: &Path, device: &Device) {
    let trainer = Trainer::new(settings, ready.data.as_ref(), std::slice::from_ref(device)).expect("starts");
    let mut trainer = trainer.resume(from).expect("resumes");
    steps(&mut trainer, 2);
    trainer.save(to).expect("saves");
}

/// Four steps in one go, and two and two: the same bytes.
pub fn a_resumed_run_is_the_uninterrupted_one(ready: &Ready) {
    let [straight, half, resumed] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let trainer = Trainer::new(&ready.settings, ready.data.as_ref(), &[device()]).expect("starts");
    let mut trainer = trainer.resume(ready.run()).expect("resumes");
    steps(&mut trainer, 4);
    trainer.save(straight.path()).expect("saves");
    two_steps(ready, &ready.settings, ready.run(), half.path(), &device());
    two_steps(ready, &ready.settings, half.path(), resumed.path(), &device());
    let read = |run: &Path, file: &str| std::fs::read(run.join("checkpoint").join(file)).expect("written");
    for file in FILES {
        assert!(read(straight.path(), file) == read(resumed.path(), file), "{file} differs");
        assert!(read(straight.path(), file) != read(half.path(), file), "witness: {file} does not change");
    }
}

/// Two steps on the CPU and two on the device, and the reverse, against four on the CPU.
pub fn a_run_goes_on_on_another_device(ready: &Ready, findings: &mut Findings) {
    let weights = |run: &Path| tensors(&run.join("checkpoint/model.safetensors"), "");
    let before = weights(ready.run());
    // The change of the weights in four steps, the last two with these settings.
    let change = |first: &Device, second: &Device, settings: &Settings| {
        let [half, whole] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        two_steps(ready, &ready.settings, ready.run(), half.path(), first);
        two_steps(ready, settings, half.path(), whole.path(), second);
        weights(whole.path()).iter().zip(&before).map(|(after, before)| after - before).collect::<Vec<f64>>()
    };
    let (cpu, here) = (Device::flex(), device());
    let stayed = change(&cpu, &cpu, &ready.settings);
    let faster = ready.settings.with(&["learning_rate=0.01002".to_owned()]).expect("settings");
    let wrong = euclidean(&change(&cpu, &cpu, &faster), &stayed);
    let mut compare = |what, moved: &[f64]| findings.add(what, euclidean(moved, &stayed), wrong, MOVED);
    compare("steps, from the CPU to the device", &change(&cpu, &here, &ready.settings));
    compare("steps, from the device to the CPU", &change(&here, &cpu, &ready.settings));
}
