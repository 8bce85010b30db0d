//! The uniform process.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor};

use super::hybrid_loss;
use crate::corruption::{Corruption, MaskedBatch, row_sums};
use crate::error::{Error, Result};
use crate::key::{Key, open_uniform};
use crate::network::{TokenDenoiser, negative_log, rows_tensor, to_f64_vec};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::MaskedSchedule;
use crate::time_sampling::step_of;

/// How a reverse kernel is made from a denoiser: see [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverseKernel {
    /// q(z_t | z_s) times the denoiser's mean of q(z_s | x), normalised.
    D3pm,
    /// The denoiser's mean of the posteriors q(z_s | z_t, x).
    Mixture,
}

crate::names!(ReverseKernel, "kernel": D3pm = "d3pm", Mixture = "mixture");

/// The objective. In continuous time only the `d3pm` kernel has a finite bound: the mixture's costs of a denoiser that
/// is not exact grow without limit as t falls to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct D3pmUniform {
    /// alpha(t): the probability that a token was not replaced.
    pub schedule: MaskedSchedule,
    /// T; none for continuous time.
    pub steps: Option<u32>,
    /// How the reverse kernel is made from the denoiser.
    pub kernel: ReverseKernel,
    /// lambda, the weight of the auxiliary cross-entropy of every token.
    pub hybrid_ce_weight: f64,
}

impl D3pmUniform {
    /// The time of a uniform number: itself, or the end t = i/T of its step.
    pub fn time(&self, u: f64) -> f64 {
        match self.steps {
            None => u,
            Some(steps) => f64::from(step_of(u, steps)) / f64::from(steps),
        }
    }

    /// The variational cost of each token and its cross-entropy, \[batch, length\], nats.
    ///
    /// The cost is T KL(q(z_s|z_t, x) || p(z_s|z_t)), or its limit for T to infinity. At the first step (s = 0) the
    /// posterior is a point at x, and the KL is the decoder's -log p(x | z_t).
    fn costs(&self, denoiser: &dyn TokenDenoiser, z: &MaskedBatch) -> Result<[Tensor<2>; 2]> {
        let mu = softmax(denoiser.value_logits(&z.input), 2);
        let x = z.targets.ids(&mu.device());
        let cross_entropy = negative_log(positive(mu.clone()).log(), &x);
        let cost = match (self.steps, self.kernel) {
            (Some(steps), _) => {
                let before = |t: &f64| ((t * f64::from(steps)).round() - 1.0) / f64::from(steps);
                let s: Vec<f64> = z.times.iter().map(before).collect();
                self.step_cost(mu, &z.input.z, &x, [&s, &z.times]).mul_scalar(f64::from(steps))
            }
            (None, ReverseKernel::D3pm) => self.rate_cost(mu, &z.input.z, &x, &z.times),
            (None, ReverseKernel::Mixture) => {
                let what = "the mixture kernel has no finite bound in continuous time: use kernel d3pm, or steps";
                return Err(Error::Setting(what.into()));
            }
        };
        Ok([cost, cross_entropy])
    }

    fn step_cost(&self, mu: Tensor<3>, z: &Tensor<2, Int>, x: &Tensor<2, Int>, times: [&[f64]; 2]) -> Tensor<2> {
        let values = mu.dims()[2];
        let factors = self.posterior_factors(z, values, times);
        let q = factors.q_posterior(one_hot(x, values));
        let p = self.reverse_kernel(mu, factors);
        // 0 log 0 = 0: q is exactly 0 away from x at s = 0.
        let ratio = positive(q.clone()).log() - positive(p).log();
        (q * ratio).sum_dim(2).squeeze_dim(2)
    }

    /// The factors of the posterior at z_t, for a step of each sequence from t to s.
    fn posterior_factors(&self, z: &Tensor<2, Int>, values: usize, [s, t]: [&[f64]; 2]) -> PosteriorFactors {
        let device = z.device();
        let share = 1.0 / values as f64;
        let row = |f: &dyn Fn(f64, f64) -> f64| {
            rows_tensor(s.iter().zip(t).map(|(&s, &t)| f(s, t)), &device).reshape([-1, 1, 1])
        };
        let (alpha, lost) = (|t: f64| self.schedule.alpha(t), |t: f64| self.schedule.mask_probability(t));
        // 1 - alpha_t/alpha_s = (alpha_s - alpha_t)/alpha_s, with the digits of the differences.
        let replaced = |s: f64, t: f64| (lost(t) - lost(s)) / alpha(s);
        PosteriorFactors {
            likelihood: one_hot(z, values) * row(&|s, t| 1.0 - replaced(s, t)) + row(&|s, t| replaced(s, t) * share),
            uniform: row(&|s, _| lost(s) * share),
            kept: row(&|s, _| alpha(s)),
        }
    }

    /// p_theta(z_s = j | z_t), \[batch, length, V\] [D3PM (4)].
    fn reverse_kernel(&self, mu: Tensor<3>, factors: PosteriorFactors) -> Tensor<3> {
        match self.kernel {
            // The sum over x of q(z_s, z_t | x) mu(x): the posterior is linear in x but for its normaliser.
            ReverseKernel::D3pm => factors.q_posterior(mu),
            ReverseKernel::Mixture => {
                let PosteriorFactors { likelihood, uniform, kept } = factors;
                // The posterior of x has the normaliser Z_x = alpha_s like(x) + (1 - alpha_s)/V, since like sums to 1.
                let per_x = mu / (likelihood.clone() * kept.clone() + uniform.clone());
                likelihood * (per_x.clone() * kept + per_x.sum_dim(2) * uniform)
            }
        }
    }

    /// The kernel for a sampler: mu and z of some sequences, all at the same step.
    pub fn reverse(&self, mu: Tensor<3>, z: &Tensor<2, Int>, s: f64, t: f64) -> Tensor<3> {
        let [batch, _, values] = mu.dims();
        let factors = self.posterior_factors(z, values, [&vec![s; batch], &vec![t; batch]]);
        self.reverse_kernel(mu, factors)
    }

    /// sum over j != z of R_j log(R_j / Rhat_j) - R_j + Rhat_j, with the reverse rates R_j = (-alpha'/(alpha V)) xbar_j
    /// / xbar_z, xbar = V alpha x + (1 - alpha), and the denoiser's in place of x for Rhat.
    fn rate_cost(&self, mu: Tensor<3>, z: &Tensor<2, Int>, x: &Tensor<2, Int>, times: &[f64]) -> Tensor<2> {
        let values = mu.dims()[2];
        let device = mu.device();
        let row = |f: &dyn Fn(f64) -> f64| rows_tensor(times.iter().map(|&t| f(t)), &device).reshape([-1, 1, 1]);
        let (gain, rest) =
            (row(&|t| values as f64 * self.schedule.alpha(t)), row(&|t| self.schedule.mask_probability(t)));
        let here = z.clone().unsqueeze_dim::<3>(2);
        let relative = |mean: Tensor<3>| {
            let bar = mean * gain.clone() + rest.clone();
            bar.clone() / bar.gather(2, here.clone())
        };
        let (truth, model) = (relative(one_hot(x, values)), relative(mu));
        // At j = z both are 1 and the term is 0.
        let terms = truth.clone() * (truth.clone().log() - model.clone().log()) - truth + model;
        let rate = row(&|t| -self.schedule.alpha_prime(t) / (self.schedule.alpha(t) * values as f64));
        (terms.sum_dim(2) * rate).squeeze_dim(2)
    }

    /// KL(q(z_1|x) || uniform) of one token, nats.
    pub fn prior_loss(&self, values: usize) -> f64 {
        let (alpha, v) = (self.schedule.alpha(1.0), values as f64);
        let (same, other) = (alpha + (1.0 - alpha) / v, (1.0 - alpha) / v);
        same * (same * v).ln() + (v - 1.0) * if other > 0.0 { other * (other * v).ln() } else { 0.0 }
    }
}

/// The factors of q(z_s = j | z_t, x), which is proportional to q(z_t | z_s = j) q(z_s = j | x).
struct PosteriorFactors {
    /// q(z_t | z_s = j) for every j, \[batch, length, V\].
    likelihood: Tensor<3>,
    /// (1 - alpha_s)/V of q(z_s = j | x) = alpha_s x_j + (1 - alpha_s)/V, \[batch, 1, 1\].
    uniform: Tensor<3>,
    /// alpha_s of the same, \[batch, 1, 1\].
    kept: Tensor<3>,
}

impl PosteriorFactors {
    /// q(z_s | z_t, x), \[batch, length, V\], for a law `x` over the values, one-hot for a token [D3PM (3)].
    fn q_posterior(&self, x: Tensor<3>) -> Tensor<3> {
        let weights = self.likelihood.clone() * (x * self.kept.clone() + self.uniform.clone());
        weights.clone() / weights.sum_dim(2)
    }
}

/// 1 at the id, \[batch, length, V\].
fn one_hot(ids: &Tensor<2, Int>, values: usize) -> Tensor<3> {
    ids.clone().one_hot::<3>(values).float()
}

/// Kept above 0, so that logarithms are finite: what underflows costs 87 nats and not infinitely many times 0.
fn positive(probabilities: Tensor<3>) -> Tensor<3> {
    probabilities.clamp_min(f32::MIN_POSITIVE)
}

impl TokenObjective for D3pmUniform {
    /// Each token is replaced by a uniform value with probability 1 - alpha(t); every position is to be predicted.
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        let (values, length) = (denoiser.values(), batch.x.length());
        let mut rng = key.rng();
        let replace = |(at, &token): (usize, &u32)| {
            let lost = self.schedule.mask_probability(times[at / length]);
            let value = (open_uniform(&mut rng) * values as f64) as u32;
            if open_uniform(&mut rng) < lost { value.min(values as u32 - 1) } else { token }
        };
        let z: Vec<u32> = batch.x.ids().iter().enumerate().map(replace).collect();
        Ok(MaskedBatch::predicting_all(batch, &z, &times, values, device)?.into())
    }

    /// The variational cost plus a multiple of the cross-entropy (D3PM, section 3.4).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let [cost, cross_entropy] = self.costs(denoiser, z)?;
        Ok(hybrid_loss(cost, cross_entropy, self.hybrid_ce_weight))
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let [cost, _] = self.costs(denoiser, z)?;
        let prior = z.targets.length as f64 * self.prior_loss(denoiser.values());
        let terms = |diffusion| BoundTerms { reconstruction: 0.0, prior, diffusion };
        Ok(to_f64_vec(row_sums(cost)).into_iter().map(terms).collect())
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "d3pm-uniform".into()),
            ("schedule", self.schedule.to_string()),
            ("steps", self.steps.map_or("continuous time".into(), |steps| steps.to_string())),
            ("kernel", self.kernel.to_string()),
            ("reconstruction", "the step to s = 0, inside the sum".into()),
            ("prior", "KL(q(z_1|x) || uniform), included".into()),
        ]
    }
}
