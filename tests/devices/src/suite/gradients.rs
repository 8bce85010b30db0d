//! One optimiser step: gradient, moments, weights, moving average.

use burn::tensor::Device;
use elbow_impls::train::{Settings, Trainer};

use crate::cases::{CASES, Ready, device};
use crate::compare::{Measured, euclidean, tensors};

/// Relative Euclidean difference of the gradient of all weights. Measured on lavapipe, here and below of the first cases: 2.6e-7.
const GRADIENT: f64 = 2e-6;
/// The same of AdamW's moments after a step from a checkpoint. Measured: 9.3e-8.
const MOMENTS: f64 = 9e-7;
/// The same of the step of the weights, and of their average's. Measured: 1.0e-6.
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

#[test]
fn an_optimiser_step() {
    let mut gradients = Measured::new("gradients", GRADIENT);
    let mut moments = Measured::new("moments", MOMENTS);
    let mut weights = Measured::new("steps of the weights", STEP);
    let mut averages = Measured::new("steps of the average", STEP);
    for ready in CASES.iter().map(|case| case.train()) {
        let cpu = step(&ready, &ready.settings, &Device::flex());
        let here = step(&ready, &ready.settings, &device());
        // Shorter by little: the clipped norm, both decays of the moments, the learning rate, the decay of the average.
        let changes = ["clip_norm=0.001", "beta_1=0.901", "beta_2=0.9901", "learning_rate=0.01001", "ema_decay=0.6"];
        let wrong = ready.settings.with(&changes.map(str::to_owned)).expect("settings");
        let wrong = step(&ready, &wrong, &device());
        gradients.add(&ready.name, euclidean(&here.gradient, &cpu.gradient), euclidean(&wrong.gradient, &cpu.gradient));
        for number in 0..2 {
            let [here, wrong] = [&here, &wrong].map(|step| euclidean(&step.moments[number], &cpu.moments[number]));
            moments.add(&ready.name, here, wrong);
        }
        weights.add(&ready.name, euclidean(&here.weights, &cpu.weights), euclidean(&wrong.weights, &cpu.weights));
        averages.add(&ready.name, euclidean(&here.average, &cpu.average), euclidean(&wrong.average, &cpu.average));
    }
    [gradients, moments, weights, averages].into_iter().for_each(Measured::judge);
}
