//! Every sampler of every implementation: the same tokens.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{Request, draw};

use crate::cases::{CASES, Ready, device};
use crate::compare::Measured;

/// Share of the tokens that may differ: where a uniform draw falls between two roundings of a probability.
const TOKENS: f64 = 1e-3;

/// The tokens of some samples by each sampler of the model.
fn samples(ready: &Ready, device: &Device, seed: u64) -> Vec<(String, Vec<u32>)> {
    let model = Trained::load(ready.run(), device).expect("loads");
    let of = |sampler| {
        let plain = Request::new(&model.settings, &model.model, 8, ready.data.length(), seed);
        let made = draw(device, &model.settings, &model.model, &Request { sampler, steps: 8, ..plain }, &Silent);
        (format!("{} {sampler}", ready.name), made.expect("samples").tokens.ids().to_vec())
    };
    model.settings.objective.samplers().iter().map(|&sampler| of(sampler)).collect()
}

#[test]
fn tokens_of_samplers() {
    let mut measured = Measured::new("tokens that differ", TOKENS);
    let differing = |a: &[u32], b: &[u32]| a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64;
    for ready in CASES.iter().map(|case| case.train()) {
        let all = [samples(&ready, &Device::flex(), 0), samples(&ready, &device(), 0), samples(&ready, &device(), 1)];
        let [cpu, here, wrong] = all;
        for (((name, cpu), (_, here)), (_, wrong)) in cpu.iter().zip(&here).zip(&wrong) {
            measured.add(name, differing(here, cpu), differing(wrong, cpu));
        }
    }
    measured.judge();
}
