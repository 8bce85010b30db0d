//! Code lengths under the probability-flow ODE.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::likelihood::ode::Derivative;
use elbow_harness::likelihood::{Dequantisation, OdeLikelihood};
use elbow_harness::runs::Trained;

use crate::cases::{CASES, Ready, device};
use crate::compare::{Measured, largest};

/// Largest difference of a sequence's code length, over the largest.
const CODE: f64 = 1e-5;

fn code_lengths(ready: &Ready, device: &Device, steps: usize) -> Vec<f64> {
    let device = &device.clone().autodiff();
    let model = Trained::load(ready.run(), device).expect("loads");
    let likelihood = OdeLikelihood {
        objective: model.settings.objective.gaussian().expect("Gaussian diffusion"),
        denoiser: model.model.gaussian().expect("over points"),
        derivative: Derivative::Automatic,
        data: ready.data.as_ref(),
        conditional: false,
        dequantisation: Dequantisation::Decoder,
        exact_trace: false,
        steps,
        draws: 1,
        sequences: Some(8),
        seed: 0,
    };
    likelihood.run(device, &Silent).expect("a solution").per_sequence
}

#[test]
fn code_lengths_under_the_ode() {
    let mut measured = Measured::new("code lengths", CODE);
    let gaussian = CASES.iter().map(|case| case.train()).filter(|ready| ready.settings.objective.gaussian().is_some());
    for ready in gaussian {
        let cpu = code_lengths(&ready, &Device::flex(), 8);
        let here = code_lengths(&ready, &device(), 8);
        measured.add(&ready.name, largest(&here, &cpu), largest(&code_lengths(&ready, &device(), 10), &cpu));
    }
    measured.judge();
}
