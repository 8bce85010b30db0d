//! The cascade of bounds on a time grid, whatever the diffusion process: Theorem 1 and Theorem 2.
//!
//! L^(i)(x) = D_i(x) - K(x) - sum over j >= i of l_j(x), i = 1..T+1, is the ELBO of the model that runs the learned
//! reverse kernels from t(T) down to s(i) = (i - 1)/T and then draws x from the exact q(x | z_s(i)).

use elbow_process::Weighting;
use elbow_process::schedule::LogSnr;
use rayon::prelude::*;
use serde::Serialize;

/// The terms of the bounds of one outcome x (or of one group of outcomes, on average), in nats.
pub struct Terms {
    /// q(x): the weight in expectations over the data.
    pub probability: f64,
    /// D_i(x) = E log q(x | z_s(i)), i = 1..T+1.
    pub decoder: Vec<f64>,
    /// l_i(x) = E KL(q(z_s(i) | z_t(i), x) || p_theta(z_s(i) | z_t(i))), i = 1..T.
    pub step: Vec<f64>,
    /// K(x) = KL(q(z_1 | x) || p(z_1)).
    pub prior: f64,
}

impl Terms {
    /// L^(i)(x), i = 1..T+1.
    pub fn elbo(&self) -> Vec<f64> {
        let steps = self.step.len();
        let mut elbo = vec![0.0; steps + 1];
        let mut remaining = 0.0;
        for i in (0..=steps).rev() {
            if i < steps {
                remaining += self.step[i];
            }
            elbo[i] = self.decoder[i] - self.prior - remaining;
        }
        elbo
    }
}

/// The exact cascade, in nats. Arrays over i start at i = 1. What a process does not have is absent.
#[derive(Clone, Debug, Serialize)]
pub struct Cascade {
    /// Data values of a discrete toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<usize>,
    /// Tokens of a discrete toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Dimensions of a continuous toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// The forward transition of a discrete process other than masking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    /// How the denoiser makes a reverse kernel, where there is a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameterization: Option<String>,
    pub schedule: String,
    pub steps: usize,
    pub weighting: String,
    /// H = -E log q(x); the differential entropy of a density.
    pub entropy: f64,
    /// E L^(i), i = 1..T+1.
    pub elbo: Vec<f64>,
    /// g_i = E KL(q(z_s(i)|z_t(i)) || p_theta(z_s(i)|z_t(i))), i = 1..T, as an expected joint KL.
    pub gap: Vec<f64>,
    /// Discrete: the part of g_i that no factorised denoiser can remove, the total correlation of what is
    /// revealed at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factorization: Vec<f64>,
    /// Gaussian: the part of g_i that no denoiser can remove, because the true reverse kernel is no Gaussian.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel_mismatch: Vec<f64>,
    /// E l_i, i = 1..T.
    pub kl_step: Vec<f64>,
    /// E D_i, i = 1..T+1.
    pub decoder: Vec<f64>,
    /// E K.
    pub prior: f64,
    /// KL(q || p~(i)), i = 1..T+1; empty where it would take too long (see `notes`).
    pub data_model_kl: Vec<f64>,
    /// w~(t(i)), i = 1..T; null where infinite.
    pub w_tilde: Vec<f64>,
    /// w_i, i = 1..T; null where infinite.
    pub cascade_weights: Vec<f64>,
    /// Whether w~ is non-decreasing, so that the weighted loss is a sum of bounds.
    pub monotone: bool,
    /// max over i of |E L^(i+1) - E L^(i) - g_i|.
    pub theorem1_residual: f64,
    /// max over x of |sum w_i L^(i)(x) - C(x) + sum w~(t(j)) l_j(x)|; null where a term is infinite.
    pub theorem2_residual: f64,
    /// E sum over i of w_i L^(i); null where a term is infinite.
    pub weighted_elbo_sum: f64,
    /// -E L^(1) in continuous time; null where infinite.
    pub neg_elbo_continuous: f64,
    /// The reweighted loss in continuous time; null where infinite. It is no bound on the likelihood.
    pub weighted_continuous: f64,
    /// E over orders of -log p(x) of a masked denoiser used one token at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_order_ar_nll: Option<f64>,
    /// Estimated error of the quadrature behind -E L^(1), the gaps and the continuous numbers, largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quadrature_error: Option<f64>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Cascade {
    /// Sums the terms of all outcomes, which need not exist all at once. `gap` is g_i, computed apart from them.
    /// Everything else that a process knows is for its own code to fill in.
    pub fn new(
        schedule: &dyn LogSnr,
        steps: usize,
        weighting: &Weighting,
        entropy: f64,
        outcomes: impl IntoParallelIterator<Item = Terms, Iter: IndexedParallelIterator>,
        gap: Vec<f64>,
    ) -> Self {
        let w_tilde: Vec<f64> = (1..=steps).map(|i| weighting.at(schedule, i as f64 / steps as f64)).collect();
        let cascade_weights = weighting.cascade_weights(schedule, steps);
        let mut notes = Vec::new();
        if w_tilde.iter().any(|w| !w.is_finite()) {
            notes.push(format!(
                "w~ of {weighting} is infinite at t = 1 under the {schedule} schedule: Theorem 2 holds for alpha(1) > 0 only"
            ));
        }
        // Blocks are summed apart and added in order: so the number of threads changes no digit, and few are lost.
        let outcomes = outcomes.into_par_iter();
        let block = outcomes.len().div_ceil(BLOCKS).max(1);
        let add = |mut sums: Sums, terms: Terms| {
            sums.add_outcome(&terms, &w_tilde, &cascade_weights);
            sums
        };
        let blocks: Vec<Sums> = outcomes.fold_chunks(block, || Sums::new(steps), add).collect();
        let mut sums = Sums::new(steps);
        blocks.iter().for_each(|block| sums.add(block));
        let Sums { elbo, decoder, kl_step, prior, theorem2_residual, weighted_elbo_sum } = sums;
        // Where a bound is infinite there is nothing to compare, and max leaves the NaN out.
        let residual = |i: usize| (elbo[i + 1] - elbo[i] - gap[i]).abs();
        Self {
            states: None,
            length: None,
            dimensions: None,
            transition: None,
            parameterization: None,
            schedule: schedule.to_string(),
            steps,
            weighting: weighting.to_string(),
            entropy,
            theorem1_residual: (0..steps).map(residual).fold(0.0, f64::max),
            elbo,
            gap,
            factorization: Vec::new(),
            kernel_mismatch: Vec::new(),
            kl_step,
            decoder,
            prior,
            data_model_kl: Vec::new(),
            w_tilde,
            cascade_weights,
            monotone: weighting.is_monotone(schedule),
            theorem2_residual,
            weighted_elbo_sum,
            neg_elbo_continuous: f64::NAN,
            weighted_continuous: f64::NAN,
            any_order_ar_nll: None,
            quadrature_error: None,
            notes,
        }
    }
}

/// Blocks of outcomes, each summed by itself.
const BLOCKS: usize = 64;

/// What is summed over the outcomes, by the names in [`Cascade`].
struct Sums {
    elbo: Vec<f64>,
    decoder: Vec<f64>,
    kl_step: Vec<f64>,
    prior: f64,
    theorem2_residual: f64,
    weighted_elbo_sum: f64,
}

impl Sums {
    fn new(steps: usize) -> Self {
        Self {
            elbo: vec![0.0; steps + 1],
            decoder: vec![0.0; steps + 1],
            kl_step: vec![0.0; steps],
            prior: 0.0,
            theorem2_residual: 0.0,
            weighted_elbo_sum: 0.0,
        }
    }

    fn add_outcome(&mut self, terms: &Terms, w_tilde: &[f64], cascade_weights: &[f64]) {
        let bounds = terms.elbo();
        accumulate(&mut self.elbo, &bounds, terms.probability);
        accumulate(&mut self.decoder, &terms.decoder, terms.probability);
        accumulate(&mut self.kl_step, &terms.step, terms.probability);
        self.prior += terms.probability * terms.prior;
        let left: f64 = cascade_weights.iter().zip(&bounds).map(|(w, l)| w * l).sum();
        let constant: f64 = cascade_weights.iter().zip(&terms.decoder).map(|(w, d)| w * (d - terms.prior)).sum();
        let right = constant - w_tilde.iter().zip(&terms.step).map(|(w, l)| w * l).sum::<f64>();
        self.weighted_elbo_sum += terms.probability * left;
        self.add_residual((left - right).abs());
    }

    fn add(&mut self, other: &Self) {
        accumulate(&mut self.elbo, &other.elbo, 1.0);
        accumulate(&mut self.decoder, &other.decoder, 1.0);
        accumulate(&mut self.kl_step, &other.kl_step, 1.0);
        self.prior += other.prior;
        self.weighted_elbo_sum += other.weighted_elbo_sum;
        self.add_residual(other.theorem2_residual);
    }

    /// The larger one; NaN stays.
    fn add_residual(&mut self, residual: f64) {
        let known = self.theorem2_residual;
        self.theorem2_residual = if residual.is_nan() || known.is_nan() { f64::NAN } else { known.max(residual) };
    }
}

fn accumulate(sums: &mut [f64], values: &[f64], weight: f64) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
}
