//! Losses and bounds of single sequences.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::likelihood::Estimator;
use elbow_harness::runs::Trained;
use elbow_impls::Key;
use elbow_impls::objective::Batch;
use elbow_impls::time_sampling::TimeSampling;

use crate::cases::{CASES, Ready, device};
use crate::compare::{Measured, largest};

/// Largest difference of a sequence's loss, over the largest loss. Measured on lavapipe: 2.9e-7.
const LOSS: f64 = 2e-6;
/// The same of its bound. Measured on lavapipe, of the first ten cases: 2.1e-7.
const BOUND: f64 = 1e-6;
/// Sequences.
const SEQUENCES: usize = 16;

/// Losses of single sequences, with every time moved by `later`.
fn losses(ready: &Ready, device: &Device, later: f64) -> Vec<f64> {
    let model = Trained::load(ready.run(), device).expect("loads");
    let chosen: Vec<usize> = (0..SEQUENCES).collect();
    let key = Key::new(0, "devices");
    let times = TimeSampling::Stratified.draw(SEQUENCES, &key.fold(0)).into_iter().map(|u| (u + later) % 1.0).collect();
    let mut batch = Batch::new(ready.data.select(&chosen).expect("in memory"), times);
    if ready.settings.class_conditioning {
        batch.class = ready.data.labels(&chosen);
    }
    let loss = model.diffusion().expect("a model").loss(&batch, &key.fold(1), device).expect("a loss");
    loss.into_data().iter::<f64>().collect()
}

#[test]
fn losses_of_sequences() {
    let mut measured = Measured::new("losses", LOSS);
    for ready in CASES.iter().map(|case| case.train()) {
        let cpu = losses(&ready, &Device::flex(), 0.0);
        let here = largest(&losses(&ready, &device(), 0.0), &cpu);
        // An autoregressive model has no time: its witness is another model.
        let wrong = match ready.settings.objective().is_exact() {
            true => cpu.iter().map(|loss| loss * 1.001).collect(),
            false => losses(&ready, &device(), 0.01),
        };
        measured.add(&ready.name, here, largest(&wrong, &cpu));
    }
    measured.judge();
}

#[test]
fn bounds_of_sequences() {
    let mut measured = Measured::new("bounds", BOUND);
    for ready in CASES.iter().map(|case| case.train()) {
        let bounds = |device: &Device, estimator, seed| {
            let model = Trained::load(ready.run(), device).expect("loads");
            let estimation = model.bound_estimation(ready.data.as_ref(), estimator, 2, Some(SEQUENCES), seed);
            estimation.expect("a bound").run(device, &Silent).expect("a bound").per_sequence
        };
        let cpu = bounds(&Device::flex(), Estimator::Auto, 0);
        let here = largest(&bounds(&device(), Estimator::Auto, 0), &cpu);
        let wrong = match ready.settings.objective().is_exact() {
            true => cpu.iter().map(|nats| nats * 1.001).collect(),
            false => bounds(&device(), Estimator::Auto, 1),
        };
        measured.add(&ready.name, here, largest(&wrong, &cpu));
    }
    measured.judge();
}
