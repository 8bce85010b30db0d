//! The terms of the bounds L^(i) of discrete diffusion, from the explicit joint law of neighbouring states.

use ndarray::Array2;

use super::model::DiscreteModel;
use super::reverse_kernel::{ReverseStep, kl};
use super::reverse_parameterization::posterior;

/// D(x) = E log q(x | z) of every outcome x, nats, where `cumulative` is q(z | x) and `marginal` q(z)
/// [Demystifying, L^(i)].
pub(super) fn decoders(model: &DiscreteModel, cumulative: &Array2<f64>, marginal: &[f64]) -> Vec<f64> {
    let decoder = |&(x, q): &(usize, f64)| {
        let mut decoder = 0.0;
        for (z, marginal) in marginal.iter().enumerate().filter(|(_, q)| **q > 0.0) {
            let given = model.index.transition(x, z, cumulative);
            if given > 0.0 {
                decoder += given * (q * given / marginal).ln();
            }
        }
        decoder
    };
    model.outcomes.iter().map(decoder).collect()
}

/// l_i(x) = E KL(q(z_s | z_t, x) || p_theta(z_s | z_t)) of every outcome x, nats [Demystifying, L^(i)].
///
/// The reverse process is a product over tokens given z_t and x, so the KL is a sum over tokens [D3PM (1)].
pub(super) fn step_kls(step: &ReverseStep) -> Vec<f64> {
    let index = &step.model.index;
    let (values, states, length) = (step.model.forward.values, step.model.forward.states, index.length);
    let matrices = step.matrices();
    // KL(q(z_s[n] | z_t[n], x_n) || p_theta(z_s[n] | z_t)), shape [S^L, L, V]: the outcomes share it.
    let mut token_kl = vec![0.0; index.count() * length * values];
    let occurring = |z: &usize| step.posteriors.marginal[*z] > 0.0;
    for z in (0..index.count()).filter(occurring) {
        for (n, (row, state)) in step.kernels(z).iter().zip(index.digits(z)).enumerate() {
            let at = (z * length + n) * values;
            for v in (0..values).filter(|&v| step.posteriors.joint[at + v] > 0.0) {
                token_kl[at + v] = kl(states, |j| (posterior(v, j, state, matrices), row[j]));
            }
        }
    }
    let outcome = |&(x, _): &(usize, f64)| {
        let mut expected = 0.0;
        for z in (0..index.count()).filter(occurring) {
            let token = |(n, v): (usize, usize)| token_kl[(z * length + n) * values + v];
            expected += index.transition(x, z, matrices[2]) * index.digits(x).enumerate().map(token).sum::<f64>();
        }
        expected
    };
    step.model.outcomes.iter().map(outcome).collect()
}

/// K(x) = KL(q(z_1 | x) || p(z_1)) of every outcome x, nats; `token_prior` is p(z_1\[n\]).
pub(super) fn priors(model: &DiscreteModel, last: &Array2<f64>, token_prior: &[f64]) -> Vec<f64> {
    let token = |v: usize| kl(token_prior.len(), |j| (last[(v, j)], token_prior[j]));
    model.outcomes.iter().map(|&(x, _)| model.index.digits(x).map(token).sum()).collect()
}
