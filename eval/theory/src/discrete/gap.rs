//! The gaps g_i of Theorem 1 for discrete diffusion, and the part of them that no factorised denoiser can remove.

use super::model::DiscreteModel;
use super::reverse_kernel::{ReverseStep, kl};
use crate::error::Error;

/// The gaps g_i = E L^(i+1) - E L^(i), i = 1..=T, nats [Demystifying, Theorem 1].
///
/// Each is the expected KL of the joint reverse kernels over all tokens,
/// `E_{q(z_t)} KL(q(z_s | z_t) || p_theta(z_s | z_t))`, and never a difference of bounds. Cost: O(T S^(2L) L) for S
/// states per token.
pub fn gaps(model: &DiscreteModel, steps: usize) -> Result<Vec<f64>, Error> {
    model.forward.check_steps(steps)?;
    Ok((1..=steps).map(|i| step_gap(&ReverseStep::new(model, i, steps)).0).collect())
}

/// g_i of one step, and the total correlation of q(z_s | z_t) averaged over z_t, nats.
pub(super) fn step_gap(step: &ReverseStep) -> (f64, f64) {
    let (mut gap, mut correlation) = (0.0, 0.0);
    for (z, &q) in step.posteriors.marginal.iter().enumerate().filter(|(_, q)| **q > 0.0) {
        let reverse = ExactReverse::new(step, z);
        gap += q * reverse.kl_to_product(step.kernels(z));
        correlation += q * reverse.kl_to_product(&reverse.token_marginals());
    }
    (gap, correlation)
}

/// The exact reverse law q(z_s | z_t = z) over all joint states z_s.
struct ExactReverse<'a> {
    model: &'a DiscreteModel<'a>,
    probability: Vec<f64>,
}

impl<'a> ExactReverse<'a> {
    fn new(step: &ReverseStep<'a>, z: usize) -> Self {
        let (index, forward) = (&step.model.index, step.matrices()[1]);
        let (before, marginal) = (&step.marginal_before, step.posteriors.marginal[z]);
        let bayes =
            |s: usize| if before[s] > 0.0 { before[s] * index.transition(s, z, forward) / marginal } else { 0.0 };
        Self { model: step.model, probability: (0..index.count()).map(bayes).collect() }
    }

    /// The marginal law of every token, shape \[L\]\[S\].
    fn token_marginals(&self) -> Vec<Vec<f64>> {
        let index = &self.model.index;
        let mut rows = vec![vec![0.0; index.symbols]; index.length];
        for (s, &p) in self.probability.iter().enumerate() {
            for (row, digit) in rows.iter_mut().zip(index.digits(s)) {
                row[digit] += p;
            }
        }
        rows
    }

    /// KL to the product of the laws `rows` of the tokens, nats.
    fn kl_to_product(&self, rows: &[Vec<f64>]) -> f64 {
        let index = &self.model.index;
        let product = |s: usize| rows.iter().zip(index.digits(s)).map(|(row, digit)| row[digit]).product();
        kl(index.count(), |s| (self.probability[s], product(s)))
    }
}
