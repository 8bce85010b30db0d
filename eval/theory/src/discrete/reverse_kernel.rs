//! The reverse kernel of one token that a denoiser makes, and the exact one given x.

use ndarray::Array2;

use super::forward::Forward;
use super::model::{DiscreteModel, Posteriors};
use super::reverse_parameterization::{ReverseParameterization, posterior};

/// KL(q(z_s | z_t = z, x) || p_theta(z_s | z_t = z)) of one token under the row `mu`, step `i` of `steps`, nats; NaN
/// for a step that the process does not have.
pub fn token_step(
    forward: &Forward,
    parameterization: ReverseParameterization,
    mu: &[f64],
    (x, z): (usize, usize),
    (i, steps): (usize, usize),
) -> f64 {
    if forward.check_steps(steps).is_err() || !(1..=steps).contains(&i) {
        return f64::NAN;
    }
    let (before, after) = (forward.cumulative(i - 1, steps), forward.cumulative(i, steps));
    let matrices = [&before, &forward.one_step(i, steps), &after];
    let learned = parameterization.kernel(mu, z, matrices);
    kl(learned.len(), |j| (posterior(x, j, z, matrices), learned[j]))
}

/// The sum of p log(p / q) over `count` outcomes with p > 0, nats.
pub(super) fn kl(count: usize, pair: impl Fn(usize) -> (f64, f64)) -> f64 {
    (0..count).map(pair).filter(|(p, _)| *p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The reverse step from t(i) to s(i) of all joint states.
pub(super) struct ReverseStep<'a> {
    pub model: &'a DiscreteModel<'a>,
    /// q(z_s | x), q(z_t | z_s) and q(z_t | x) of one token.
    matrices: [Array2<f64>; 3],
    /// Posteriors at t(i).
    pub posteriors: Posteriors,
    /// q(z_s), one probability per joint state.
    pub marginal_before: Vec<f64>,
    /// p_theta(z_s\[n\] = j | z_t = z), index \[z * L + n\]\[j\].
    kernels: Vec<Vec<f64>>,
}

impl<'a> ReverseStep<'a> {
    /// Step `i` of `steps`.
    pub fn new(model: &'a DiscreteModel<'a>, i: usize, steps: usize) -> Self {
        let (forward, index) = (model.forward, &model.index);
        let matrices = [forward.cumulative(i - 1, steps), forward.one_step(i, steps), forward.cumulative(i, steps)];
        let posteriors = model.posteriors(&matrices[2]);
        let kernel = |(row, mu): (usize, &[f64])| {
            let state = index.digit(row / index.length, row % index.length);
            model.parameterization.kernel(mu, state, matrices.each_ref())
        };
        let kernels = posteriors.mu.chunks(forward.values).enumerate().map(kernel).collect();
        let marginal_before = index.all_moved(&model.data(), &matrices[0]);
        Self { model, matrices, posteriors, marginal_before, kernels }
    }

    /// q(z_s | x), q(z_t | z_s) and q(z_t | x) of one token.
    pub fn matrices(&self) -> [&Array2<f64>; 3] {
        self.matrices.each_ref()
    }

    /// p_theta(z_s\[n\] | z_t = z) of every token n.
    pub fn kernels(&self, z: usize) -> &[Vec<f64>] {
        let length = self.model.index.length;
        &self.kernels[z * length..(z + 1) * length]
    }
}
