//! Code lengths under the probability-flow ODE.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::likelihood::ode::Derivative;
use elbow_harness::likelihood::{Dequantisation, OdeLikelihood};
use elbow_harness::runs::Trained;

use crate::cases::{Ready, device};
use crate::compare::{Findings, largest};

/// Largest difference of a sequence's code length, over the largest. Measured on lavapipe: 3.0e-6.
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

/// The same solution, where the model is a Gaussian diffusion.
pub fn code_lengths_under_the_ode(ready: &Ready, findings: &mut Findings) {
    if ready.settings.objective.gaussian().is_none() {
        return;
    }
    let cpu = code_lengths(ready, &Device::flex(), 8);
    let [here, wrong] = [8, 10].map(|steps| largest(&code_lengths(ready, &device(), steps), &cpu));
    findings.add("code lengths under the ODE", here, wrong, CODE);
}
