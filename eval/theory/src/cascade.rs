//! The cascade of bounds on a time grid: what `elbow theory` prints, for any diffusion process.
//!
//! The bounds are in [`crate::elbo`], Theorem 1 is in [`crate::gap`], Theorem 2 in [`crate::reweighting`]. Here their
//! values are averaged over the data.

use elbow_process::Weighting;
use elbow_process::schedule::LogSnr;
use rayon::prelude::*;
use serde::Serialize;

use crate::elbo::ElboTerms;
use crate::error::Error;
use crate::gap::theorem1_residual;
use crate::reweighting::{Theorem2, TheoremWeights};

/// The exact cascade of bounds, in nats; arrays over i start at i = 1. Fields that a process does not have are absent.
#[derive(Clone, Debug, Serialize)]
pub struct Cascade {
    /// Data values of a discrete toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<usize>,
    /// Tokens of a discrete toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Tokens per block, where each block is drawn given those before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_size: Option<usize>,
    /// Dimensions of a continuous toy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// The forward transition of a discrete process other than masking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<String>,
    /// Name of the [`crate::discrete::ReverseParameterization`], where there is a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameterization: Option<String>,
    /// Name of the noise schedule.
    pub schedule: String,
    /// T, the number of steps of the grid t(i) = i/T.
    pub steps: usize,
    /// Name of the weighting.
    pub weighting: String,
    /// H = -E log q(x); the differential entropy of a density.
    pub entropy: f64,
    /// E L^(i), i = 1..T+1.
    pub elbo: Vec<f64>,
    /// g_i = E KL(q(z_s(i)|z_t(i)) || p_theta(z_s(i)|z_t(i))), i = 1..T, as an expected joint KL.
    pub gap: Vec<f64>,
    /// Discrete: the part of g_i that no factorised denoiser can remove, the total correlation of the tokens that
    /// change in one step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub factorization: Vec<f64>,
    /// Gaussian: the part of g_i that no denoiser can remove, since the exact reverse kernel is not Gaussian.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel_mismatch: Vec<f64>,
    /// E l_i, i = 1..T.
    pub kl_step: Vec<f64>,
    /// E D_i, i = 1..T+1.
    pub decoder: Vec<f64>,
    /// E K.
    pub prior: f64,
    /// KL(q || p~(i)), i = 1..T+1; empty where it is too expensive (see `notes`).
    pub data_model_kl: Vec<f64>,
    /// E log p~(1)(x) - E L^(1), by how much the bound at T steps is above the code length of the sampler's own law: bounds
    /// of unlike processes are comparable up to it. Absent where `data_model_kl` is, null where infinite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<f64>,
    /// w~(t(i)), i = 1..T; null where infinite.
    pub w_tilde: Vec<f64>,
    /// w_i, i = 1..T; null where infinite.
    pub cascade_weights: Vec<f64>,
    /// Whether w~ is non-decreasing in t, so that the reweighted loss is a sum of bounds.
    pub monotone: bool,
    /// max over i of |E L^(i+1) - E L^(i) - g_i|.
    pub theorem1_residual: f64,
    /// max over x of |sum w_i L^(i)(x) - C(x) + sum w~(t(j)) l_j(x)|; null where a term is infinite.
    pub theorem2_residual: f64,
    /// E sum over i of w_i L^(i); null where a term is infinite.
    pub weighted_elbo_sum: f64,
    /// -E L^(1) in continuous time; null where infinite.
    pub neg_elbo_continuous: f64,
    /// The reweighted loss in continuous time; null where infinite. Not a bound on the likelihood.
    pub weighted_continuous: f64,
    /// E over orders of -log p(x) of a masked denoiser that reveals one token per step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any_order_ar_nll: Option<f64>,
    /// Estimated quadrature error of -E L^(1), of the gaps and of the continuous-time numbers, the largest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quadrature_error: Option<f64>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Cascade {
    /// Averages the terms of all outcomes; they are consumed one by one and need not fit in memory together.
    ///
    /// `gap` is g_i for i = 1..=T, computed independently of the terms, so that Theorem 1 is a test of both. The fields
    /// of single processes stay empty.
    pub fn new(
        schedule: &dyn LogSnr,
        steps: usize,
        weighting: &Weighting,
        entropy: f64,
        outcomes: impl IntoParallelIterator<Item = ElboTerms, Iter: IndexedParallelIterator>,
        gap: Vec<f64>,
    ) -> Self {
        let weights = TheoremWeights::new(weighting, schedule, steps);
        let mut notes = Vec::new();
        if weights.w_tilde.iter().any(|w| !w.is_finite()) {
            notes.push(format!(
                "w~ of {weighting} is infinite at t = 1 under the {schedule} schedule: Theorem 2 holds for alpha(1) > 0 only"
            ));
        }
        // Blocks are summed apart and added in order, so the number of threads changes no digit.
        let outcomes = outcomes.into_par_iter();
        let block = outcomes.len().div_ceil(BLOCKS).max(1);
        let add = |mut sums: Expectations, terms: ElboTerms| {
            sums.add_outcome(&terms, &weights);
            sums
        };
        let blocks: Vec<Expectations> = outcomes.fold_chunks(block, || Expectations::new(steps), add).collect();
        let mut sums = Expectations::new(steps);
        blocks.iter().for_each(|block| sums.add_block(block));
        let Expectations { elbo, decoder, kl_step, prior, theorem2_residual, weighted_elbo_sum } = sums;
        Self {
            states: None,
            length: None,
            block_size: None,
            dimensions: None,
            transition: None,
            parameterization: None,
            schedule: schedule.to_string(),
            steps,
            weighting: weighting.to_string(),
            entropy,
            theorem1_residual: theorem1_residual(&elbo, &gap),
            elbo,
            gap,
            factorization: Vec::new(),
            kernel_mismatch: Vec::new(),
            kl_step,
            decoder,
            prior,
            data_model_kl: Vec::new(),
            slack: None,
            w_tilde: weights.w_tilde,
            cascade_weights: weights.cascade,
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

/// What a cascade has no finite numbers for by the theory.
#[derive(Clone, Copy, Default)]
pub(crate) struct Infinite {
    /// There is no noise at t = 0: the terms of the last step are infinite.
    pub at_the_data: bool,
    /// The process exists on its grid only.
    pub no_continuous_time: bool,
}

impl Cascade {
    /// Refuses numbers that are not finite, but for those that are infinite by the theory: a note says why they are.
    pub(crate) fn checked(mut self, infinite: Infinite) -> Result<Self, Error> {
        let Infinite { at_the_data: at_data, no_continuous_time: no_limit } = infinite;
        // -E log p~(1)(x) = H + KL(q || p~(1)).
        self.slack = self.data_model_kl.first().map(|kl| -self.elbo[0] - self.entropy - kl);
        let no_sum = at_data || self.w_tilde.iter().any(|w| w.is_infinite());
        let (neg_elbo, weighted) = ([self.neg_elbo_continuous], [self.weighted_continuous]);
        // Whether the numbers may be infinite, and whether they may be NaN.
        let numbers: [(&str, &[f64], [bool; 2]); 17] = [
            ("entropy", &[self.entropy], [false; 2]),
            ("elbo", &self.elbo, [at_data, false]),
            ("gap", &self.gap, [at_data, false]),
            ("factorization", &self.factorization, [false; 2]),
            ("kernel_mismatch", &self.kernel_mismatch, [at_data, false]),
            ("kl_step", &self.kl_step, [at_data, false]),
            ("decoder", &self.decoder, [at_data, false]),
            ("prior", &[self.prior], [false; 2]),
            ("data_model_kl", &self.data_model_kl, [at_data, false]),
            ("slack", self.slack.as_slice(), [at_data; 2]),
            ("w_tilde", &self.w_tilde, [true, false]),
            ("cascade_weights", &self.cascade_weights, [true, false]),
            ("theorem2_residual", &[self.theorem2_residual], [no_sum; 2]),
            ("weighted_elbo_sum", &[self.weighted_elbo_sum], [no_sum; 2]),
            ("neg_elbo_continuous", &neg_elbo, [true, no_limit || at_data]),
            ("weighted_continuous", &weighted, [true, no_limit]),
            ("any_order_ar_nll", self.any_order_ar_nll.as_slice(), [false; 2]),
        ];
        for (name, values, [may_be_infinite, may_be_nan]) in numbers {
            let bad = |v: &f64| (v.is_infinite() && !may_be_infinite) || (v.is_nan() && !may_be_nan);
            if let Some(i) = values.iter().position(bad) {
                let place = if values.len() > 1 { format!(", i = {}", i + 1) } else { String::new() };
                return Err(Error::NotFinite {
                    quantity: format!("{name}{place}"),
                    value: values[i],
                    schedule: self.schedule,
                    weighting: self.weighting,
                });
            }
        }
        for (name, [value]) in [("neg_elbo_continuous", neg_elbo), ("weighted_continuous", weighted)] {
            if value.is_infinite() {
                self.notes.push(format!("{name} is infinite: the integral over the noise levels diverges"));
            }
        }
        Ok(self)
    }
}

/// Number of blocks of outcomes that are summed independently.
const BLOCKS: usize = 64;

/// Expectations over the outcomes, named as in [`Cascade`].
struct Expectations {
    elbo: Vec<f64>,
    decoder: Vec<f64>,
    kl_step: Vec<f64>,
    prior: f64,
    /// A maximum, not an expectation.
    theorem2_residual: f64,
    weighted_elbo_sum: f64,
}

impl Expectations {
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

    fn add_outcome(&mut self, terms: &ElboTerms, weights: &TheoremWeights) {
        let elbos = terms.elbos();
        accumulate(&mut self.elbo, &elbos, terms.probability);
        accumulate(&mut self.decoder, &terms.decoder, terms.probability);
        accumulate(&mut self.kl_step, &terms.step_kl, terms.probability);
        self.prior += terms.probability * terms.prior;
        let theorem2 = Theorem2::sides(weights, terms, &elbos);
        self.weighted_elbo_sum += terms.probability * theorem2.weighted_elbos;
        self.add_residual(theorem2.residual());
    }

    fn add_block(&mut self, other: &Self) {
        accumulate(&mut self.elbo, &other.elbo, 1.0);
        accumulate(&mut self.decoder, &other.decoder, 1.0);
        accumulate(&mut self.kl_step, &other.kl_step, 1.0);
        self.prior += other.prior;
        self.weighted_elbo_sum += other.weighted_elbo_sum;
        self.add_residual(other.theorem2_residual);
    }

    /// Keeps the larger residual; a NaN stays.
    fn add_residual(&mut self, residual: f64) {
        let known = self.theorem2_residual;
        self.theorem2_residual = if residual.is_nan() || known.is_nan() { f64::NAN } else { known.max(residual) };
    }
}

fn accumulate(sums: &mut [f64], values: &[f64], weight: f64) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
}
