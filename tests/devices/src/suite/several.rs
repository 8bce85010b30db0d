//! Devices that share each step.

use burn::tensor::Device;
use elbow_harness::device::open;
use elbow_impls::train::Trainer;

use crate::cases::{Ready, device, device_name, steps};
use crate::compare::{Findings, euclidean, tensors};

/// Relative Euclidean difference of the change of the weights in three steps. Measured on lavapipe: 2.6e-6.
const SHARED: f64 = 2e-5;

/// The change of the weights in three steps on these devices.
fn change(ready: &Ready, changes: &[&str], devices: &[Device]) -> Vec<f64> {
    let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
    let settings = ready.settings.with(&changes).expect("settings");
    let trainer = Trainer::new(&settings, ready.data.as_ref(), devices).expect("starts");
    let mut trainer = trainer.resume(ready.run()).expect("resumes");
    steps(&mut trainer, 3);
    let folder = tempfile::tempdir().expect("a folder");
    trainer.save(folder.path()).expect("saves");
    let weights = |run: &std::path::Path| tensors(&run.join("checkpoint/model.safetensors"), "");
    weights(folder.path()).iter().zip(weights(ready.run())).map(|(after, before)| after - before).collect()
}

/// A second device of the same kind. An adapter of wgpu counts as one by its own name and as the machine's best, each
/// with memory of its own.
fn second() -> Option<Device> {
    let name = device_name();
    let other = match name.split_once(':') {
        None if name == "wgpu" => "wgpu:0".to_owned(),
        Some(("wgpu", _)) => "wgpu".to_owned(),
        Some((backend, "0")) => format!("{backend}:1"),
        _ => format!("{name}:1"),
    };
    open(&other).ok()
}

/// Steps on the device, on two of its kind, and on it and the CPU, against those on the CPU.
pub fn devices_share_a_step(ready: &Ready, findings: &mut Findings) {
    let (cpu, here) = (Device::flex(), device());
    let shards = ["shards=4"];
    let alone = change(ready, &shards, std::slice::from_ref(&cpu));
    let wrong = euclidean(&change(ready, &["shards=4", "learning_rate=0.01001"], std::slice::from_ref(&here)), &alone);
    let one = change(ready, &shards, std::slice::from_ref(&here));
    if let Some(second) = second() {
        assert!(one == change(ready, &shards, &[here.clone(), second]), "two of a kind differ from one");
    }
    let mut compare = |what, found: &[f64]| findings.add(what, euclidean(found, &alone), wrong, SHARED);
    compare("steps of the device", &one);
    compare("steps of the CPU and the device", &change(ready, &shards, &[cpu.clone(), here.clone()]));
    compare("steps of the device and the CPU", &change(ready, &shards, &[here, cpu]));
}
