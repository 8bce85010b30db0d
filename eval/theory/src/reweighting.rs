//! Theorem 2: a reweighted diffusion loss is a weighted sum of the bounds L^(i).
//!
//! With w_1 = w~(t(1)) and w_i = w~(t(i)) - w~(t(i-1)), for every x
//!
//! ```text
//! sum over i of w_i L^(i)(x)  =  C(x) - sum over j of w~(t(j)) l_j(x),    C(x) = sum over i of w_i (D_i(x) - K(x)).
//! ```
//!
//! C does not depend on the denoiser. The w_i are non-negative, and the loss is an average of bounds, where w~ is
//! non-decreasing.

use elbow_process::Weighting;
use elbow_process::schedule::LogSnr;

use crate::elbo::ElboTerms;

/// The weights of Theorem 2 on the grid t(i) = i/T, i = 1..=T.
pub struct TheoremWeights {
    /// w~(t(i)), the weight of step i in the reweighted loss.
    pub w_tilde: Vec<f64>,
    /// w_i, the weight of L^(i); their partial sums are the w~(t(i)).
    pub cascade: Vec<f64>,
}

impl TheoremWeights {
    /// The w~(t(i)) and w_i of a weighting under a schedule, T = `steps` [Demystifying, Theorem 2].
    pub fn new(weighting: &Weighting, schedule: &(impl LogSnr + ?Sized), steps: usize) -> Self {
        let w_tilde = (1..=steps).map(|i| weighting.at(schedule, i as f64 / steps as f64)).collect();
        Self { w_tilde, cascade: weighting.cascade_weights(schedule, steps) }
    }
}

/// Both sides of Theorem 2 for one outcome x, nats.
pub struct Theorem2 {
    /// The left side, sum over i of w_i L^(i)(x).
    pub weighted_elbos: f64,
    /// The right side, C(x) - sum over j of w~(t(j)) l_j(x).
    pub constant_minus_loss: f64,
}

impl Theorem2 {
    /// Both sides from the terms of x and its bounds `elbos` = L^(i)(x), i = 1..=T+1 [Demystifying, Theorem 2].
    ///
    /// L^(T+1) has no weight. A side is infinite or NaN where a w~ is infinite.
    pub fn sides(weights: &TheoremWeights, terms: &ElboTerms, elbos: &[f64]) -> Self {
        let constant: f64 = weights.cascade.iter().zip(&terms.decoder).map(|(w, d)| w * (d - terms.prior)).sum();
        let reweighted_loss = dot(&weights.w_tilde, &terms.step_kl);
        Self { weighted_elbos: dot(&weights.cascade, elbos), constant_minus_loss: constant - reweighted_loss }
    }

    /// |left side - right side|, nats; NaN where a side is infinite.
    pub fn residual(&self) -> f64 {
        (self.weighted_elbos - self.constant_minus_loss).abs()
    }
}

/// The sum of products; entries of the longer array beyond the shorter one do not count.
fn dot(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(w, value)| w * value).sum()
}
