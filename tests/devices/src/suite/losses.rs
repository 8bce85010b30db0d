//! Losses and bounds of single sequences.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::likelihood::Estimator;
use elbow_harness::runs::Trained;
use elbow_impls::Key;
use elbow_impls::objective::Batch;
use elbow_impls::time_sampling::TimeSampling;

use crate::cases::{Ready, device};
use crate::compare::{Findings, largest};

/// Largest difference of a sequence's loss, over the largest loss. Measured on lavapipe: 3.1e-7.
const LOSS: f64 = 2e-6;
/// The same of its bound. Measured: 3.0e-7.
const BOUND: f64 = 1e-6;
/// Sequences.
const SEQUENCES: usize = 8;

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

/// Losses of the same draws.
pub fn losses_of_sequences(ready: &Ready, findings: &mut Findings) {
    let cpu = losses(ready, &Device::flex(), 0.0);
    let here = largest(&losses(ready, &device(), 0.0), &cpu);
    // An autoregressive model has no time: its witness is a loss that is wrong by a thousandth.
    let wrong = match ready.settings.objective().is_exact() {
        true => cpu.iter().map(|loss| loss * 1.001).collect(),
        false => losses(ready, &device(), 0.01),
    };
    findings.add("losses", here, largest(&wrong, &cpu), LOSS);
}

/// Bounds from the same draws.
pub fn bounds_of_sequences(ready: &Ready, findings: &mut Findings) {
    let bounds = |device: &Device, seed| {
        let model = Trained::load(ready.run(), device).expect("loads");
        let estimation = model.bound_estimation(ready.data.as_ref(), Estimator::Auto, 2, Some(SEQUENCES), seed);
        estimation.expect("a bound").run(device, &Silent).expect("a bound").per_sequence
    };
    let cpu = bounds(&Device::flex(), 0);
    let here = largest(&bounds(&device(), 0), &cpu);
    let wrong = match ready.settings.objective().is_exact() {
        true => cpu.iter().map(|nats| nats * 1.001).collect(),
        false => bounds(&device(), 1),
    };
    findings.add("bounds", here, largest(&wrong, &cpu), BOUND);
}
