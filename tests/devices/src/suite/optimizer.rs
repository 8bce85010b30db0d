//! One optimiser step: gradient, moments, weights, moving average.

use burn::tensor::Device;
use elbow_impls::train::{Settings, Trainer};

use crate::cases::{Ready, device};
use crate::compare::{Findings, euclidean, tensors};

/// Relative Euclidean difference of the gradient of all weights. Measured on lavapipe: 5.9e-6 for D3PM's uniform noise, whose
/// loss is a difference of large numbers, and at most 7.1e-7 for the others.
const GRADIENT: f64 = 2e-5;
/// The same of AdamW's moments after a step from a checkpoint. Measured: 1.2e-6.
const MOMENTS: f64 = 5e-6;
/// The same of the step of the weights, and of their average's. Measured: 2.4e-6.
const STEP: f64 = 1e-5;

/// A step of the weights: its gradient scaled by 1 - beta_1, the moments, the change of weights and of their average.
struct Step {
    gradient: Vec<f64>,
    moments: [Vec<f64>; 2],
    weights: Vec<f64>,
    average: Vec<f64>,
}

fn step(ready: &Ready, settings: &Settings, device: &Device) -> Step {
    let start = || Trainer::new(settings, ready.data.as_ref(), std::slice::from_ref(device)).expect("starts");
    let stepped = |mut trainer: Trainer| {
        let folder = tempfile::tempdir().expect("a folder");
        trainer.advance().expect("a step");
        trainer.save(folder.path()).expect("saves");
        folder
    };
    let read = |run: &std::path::Path, file: &str, ending: &str| tensors(&run.join("checkpoint").join(file), ending);
    // The first moment of a fresh optimiser is the gradient.
    let fresh = stepped(start().begin_from(ready.run()).expect("begins"));
    let resumed = stepped(start().resume(ready.run()).expect("resumes"));
    let change = |file: &str| {
        let (before, after) = (read(ready.run(), file, ""), read(resumed.path(), file, ""));
        after.iter().zip(before).map(|(after, before)| after - before).collect()
    };
    let moment = |run: &std::path::Path, number: usize| read(run, "optimizer.safetensors", &format!("moment_{number}"));
    Step {
        gradient: moment(fresh.path(), 1),
        moments: [1, 2].map(|number| moment(resumed.path(), number)),
        weights: change("model.safetensors"),
        average: change("ema.safetensors"),
    }
}

/// A step on the device and on the CPU.
pub fn one_step(ready: &Ready, findings: &mut Findings) {
    let cpu = step(ready, &ready.settings, &Device::flex());
    let here = step(ready, &ready.settings, &device());
    // Wrong by little: both decays of the moments, the learning rate, the decay of the average.
    let changes = ["beta_1=0.901", "beta_2=0.9901", "learning_rate=0.01001", "ema_decay=0.901"];
    let wrong = ready.settings.with(&changes.map(str::to_owned)).expect("settings");
    let wrong = step(ready, &wrong, &device());
    let mut compare = |what, part: fn(&Step) -> &[f64], tolerance| {
        let [here, wrong] = [&here, &wrong].map(|step| euclidean(part(step), part(&cpu)));
        findings.add(what, here, wrong, tolerance);
    };
    compare("gradient", |step| &step.gradient, GRADIENT);
    compare("first moment", |step| &step.moments[0], MOMENTS);
    compare("second moment", |step| &step.moments[1], MOMENTS);
    compare("step of the weights", |step| &step.weights, STEP);
    compare("step of the average", |step| &step.average, STEP);
}
