//! The exact law of the learned reverse chain of discrete diffusion, run over all joint states together.

use ndarray::Array2;

use super::model::DiscreteModel;
use super::reverse_kernel::ReverseStep;

/// p(z_1\[n\]) of one token, the law of z_1 for uniformly random data values: uniform for uniform diffusion; for
/// masking the mask, and what is left of the values.
pub(super) fn token_prior(model: &DiscreteModel, last: &Array2<f64>) -> Vec<f64> {
    let values = model.forward.values;
    let state = |j: usize| (0..values).map(|v| last[(v, j)]).sum::<f64>() / values as f64;
    (0..model.forward.states).map(state).collect()
}

/// The prior p(z_1), one probability per joint state.
pub(super) fn prior(model: &DiscreteModel, token_prior: &[f64]) -> Vec<f64> {
    (0..model.index.count()).map(|z| model.index.digits(z).map(|digit| token_prior[digit]).product()).collect()
}

/// The law after one learned reverse step, one probability per joint state: sum over z_t of p(z_t) p_theta(z_s | z_t).
pub(super) fn learned_step(step: &ReverseStep, now: &[f64]) -> Vec<f64> {
    let index = &step.model.index;
    let mut next = vec![0.0; now.len()];
    for (z, &probability) in now.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let rows = step.kernels(z);
        for (s, next) in next.iter_mut().enumerate() {
            let product: f64 = rows.iter().zip(index.digits(s)).map(|(row, digit)| row[digit]).product();
            *next += probability * product;
        }
    }
    next
}

/// KL(q || p~(i)), nats, of the model that draws x from the exact q(x | z) where z has the law `learned`
/// [Demystifying, data-model KL]. `cumulative` is q(z | x) and `marginal` q(z) at s(i).
pub(super) fn data_model_kl(model: &DiscreteModel, learned: &[f64], cumulative: &Array2<f64>, marginal: &[f64]) -> f64 {
    let mut divergence = 0.0;
    for &(x, q) in &model.outcomes {
        let mut decoded = 0.0;
        for (z, marginal) in marginal.iter().enumerate().filter(|(_, q)| **q > 0.0) {
            let given = model.index.transition(x, z, cumulative);
            if given > 0.0 {
                decoded += learned[z] * q * given / marginal;
            }
        }
        divergence += q * (q / decoded).ln();
    }
    divergence
}
