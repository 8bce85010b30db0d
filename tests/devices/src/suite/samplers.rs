//! Every sampler of every implementation: the same tokens.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{Request, draw};

use crate::cases::{Ready, device};
use crate::compare::Findings;

/// Share of the tokens that may differ. On lavapipe none does; one can where a uniform draw falls between two roundings of a
/// probability, which are some 1e-7 apart.
const TOKENS: f64 = 0.0;

/// The tokens of some samples by each sampler of the model.
fn samples(ready: &Ready, device: &Device, seed: u64) -> Vec<(String, Vec<u32>)> {
    let model = Trained::load(ready.run(), device).expect("loads");
    let of = |sampler| {
        let plain = Request::new(&model.settings, &model.model, 8, ready.data.length(), seed);
        let made = draw(device, &model.settings, &model.model, &Request { sampler, steps: 8, ..plain }, &Silent);
        (format!("tokens of sampler {sampler}"), made.expect("samples").tokens.ids().to_vec())
    };
    model.settings.objective.samplers().iter().map(|&sampler| of(sampler)).collect()
}

/// Samples from the same draws.
pub fn tokens_of_samplers(ready: &Ready, findings: &mut Findings) {
    let differing = |a: &[u32], b: &[u32]| a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64;
    let [cpu, here] = [Device::flex(), device()].map(|device| samples(ready, &device, 0));
    let wrong = samples(ready, &device(), 1);
    for (((what, cpu), (_, here)), (_, wrong)) in cpu.iter().zip(&here).zip(&wrong) {
        findings.add(what, differing(here, cpu), differing(wrong, cpu), TOKENS);
    }
}
