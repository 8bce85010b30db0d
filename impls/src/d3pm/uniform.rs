//! The uniform process.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor};

use crate::corruption::{numbers, row_sums};
use crate::key::{Key, open_uniform};
use crate::network::{Denoiser, ids_tensor, negative_log, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::schedule::MaskedSchedule;
use crate::time_sampling::step_of;

/// How a reverse kernel is made of a denoiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    D3pm,
    Mixture,
}

crate::names!(Kernel, "kernel": D3pm = "d3pm", Mixture = "mixture");

/// The objective. In continuous time only the `d3pm` kernel has a finite bound: the mixture's costs of a denoiser that is not
/// exact grow without limit as t falls to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    /// alpha(t): the probability that a token was not replaced.
    pub schedule: MaskedSchedule,
    /// T; none for continuous time.
    pub steps: Option<u32>,
    pub kernel: Kernel,
    /// Weight of the auxiliary cross-entropy of every token.
    pub hybrid: f64,
}

/// The two ends of the step that each sequence is at, s < t.
pub struct Ends {
    pub s: Vec<f64>,
    pub t: Vec<f64>,
}

impl Uniform {
    /// The step (or, in continuous time, the moment) of each uniform number.
    pub fn ends(&self, u: &[f64]) -> Ends {
        match self.steps {
            None => Ends { s: u.to_vec(), t: u.to_vec() },
            Some(steps) => {
                let end =
                    |back: u32| u.iter().map(|&u| f64::from(step_of(u, steps) - back) / f64::from(steps)).collect();
                Ends { s: end(1), t: end(0) }
            }
        }
    }

    /// The cost of each token, \[batch, length\], nats: T KL(q(z_s|z_t, x) || p(z_s|z_t)), or its limit; and the cross-entropy.
    ///
    /// At the first step (s = 0) the posterior is a point at x, and the KL is the decoder's -log p(x | z_t).
    pub fn costs(&self, mu: Tensor<3>, z: &Tensor<2, Int>, x: &Tensor<2, Int>, ends: &Ends) -> (Tensor<2>, Tensor<2>) {
        let cross_entropy = negative_log(positive(mu.clone()).log(), x);
        let cost = match self.steps {
            None => {
                assert_eq!(self.kernel, Kernel::D3pm, "the mixture has no finite bound in continuous time");
                self.rate_cost(mu, z, x, &ends.t)
            }
            Some(steps) => self.step_cost(mu, z, x, ends).mul_scalar(f64::from(steps)),
        };
        (cost, cross_entropy)
    }

    fn step_cost(&self, mu: Tensor<3>, z: &Tensor<2, Int>, x: &Tensor<2, Int>, ends: &Ends) -> Tensor<2> {
        let values = mu.dims()[2];
        let (like, spread, kept) = self.factors(z, values, ends);
        let truth = one_hot(x, values);
        let q = normalise(like.clone() * (truth * kept.clone() + spread.clone()));
        let p = self.kernel(mu, like, spread, kept);
        // 0 log 0 = 0: q is exactly 0 away from x at s = 0.
        let ratio = positive(q.clone()).log() - positive(p).log();
        (q * ratio).sum_dim(2).squeeze_dim(2)
    }

    /// q(z_t | z_s = j) for every j, and (1 - alpha_s)/V and alpha_s of q(z_s = j | x) [D3PM (3)].
    fn factors(&self, z: &Tensor<2, Int>, values: usize, ends: &Ends) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
        let device = z.device();
        let share = 1.0 / values as f64;
        let row = |f: &dyn Fn(f64, f64) -> f64| {
            let numbers: Vec<f64> = ends.s.iter().zip(&ends.t).map(|(&s, &t)| f(s, t)).collect();
            rows_tensor(&numbers, &device).reshape([-1, 1, 1])
        };
        let (alpha, lost) = (|t: f64| self.schedule.alpha(t), |t: f64| self.schedule.mask_probability(t));
        // 1 - alpha_t/alpha_s = (alpha_s - alpha_t)/alpha_s, with the digits of the differences.
        let replaced = |s: f64, t: f64| (lost(t) - lost(s)) / alpha(s);
        let like = one_hot(z, values) * row(&|s, t| 1.0 - replaced(s, t)) + row(&|s, t| replaced(s, t) * share);
        (like, row(&|s, _| lost(s) * share), row(&|s, _| alpha(s)))
    }

    /// p(z_s = j | z_t), \[batch, length, V\] [D3PM (4)].
    fn kernel(&self, mu: Tensor<3>, like: Tensor<3>, spread: Tensor<3>, kept: Tensor<3>) -> Tensor<3> {
        match self.kernel {
            Kernel::D3pm => normalise(like * (mu * kept + spread)),
            Kernel::Mixture => {
                // The posterior of x has the normaliser Z_x = alpha_s like(x) + (1 - alpha_s)/V, since like sums to 1.
                let per_x = mu / (like.clone() * kept.clone() + spread.clone());
                like * (per_x.clone() * kept + per_x.sum_dim(2) * spread)
            }
        }
    }

    /// The kernel for a sampler: mu and z of some sequences, all at the same step.
    pub fn reverse(&self, mu: Tensor<3>, z: &Tensor<2, Int>, s: f64, t: f64) -> Tensor<3> {
        let [batch, _, values] = mu.dims();
        let (like, spread, kept) = self.factors(z, values, &Ends { s: vec![s; batch], t: vec![t; batch] });
        self.kernel(mu, like, spread, kept)
    }

    /// sum over j != z of R_j log(R_j / Rhat_j) - R_j + Rhat_j, with the reverse rates R_j = (-alpha'/(alpha V)) xbar_j / xbar_z,
    /// xbar = V alpha x + (1 - alpha), and the denoiser's in place of x for Rhat.
    fn rate_cost(&self, mu: Tensor<3>, z: &Tensor<2, Int>, x: &Tensor<2, Int>, times: &[f64]) -> Tensor<2> {
        let values = mu.dims()[2];
        let device = mu.device();
        let row = |f: &dyn Fn(f64) -> f64| {
            let numbers: Vec<f64> = times.iter().map(|&t| f(t)).collect();
            rows_tensor(&numbers, &device).reshape([-1, 1, 1])
        };
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

    /// KL(q(z_1|x) || uniform) of one token.
    fn prior(&self, values: usize) -> f64 {
        let (alpha, v) = (self.schedule.alpha(1.0), values as f64);
        let (same, other) = (alpha + (1.0 - alpha) / v, (1.0 - alpha) / v);
        same * (same * v).ln() + (v - 1.0) * if other > 0.0 { other * (other * v).ln() } else { 0.0 }
    }

    fn draw(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let ends = self.ends(&batch.u);
        let (values, length) = (denoiser.values(), batch.x.length());
        let mut rng = key.rng();
        let replace = |(at, &token): (usize, &u32)| {
            let lost = self.schedule.mask_probability(ends.t[at / length]);
            let value = (open_uniform(&mut rng) * values as f64) as u32;
            if open_uniform(&mut rng) < lost { value.min(values as u32 - 1) } else { token }
        };
        let z: Vec<u32> = batch.x.ids().iter().enumerate().map(replace).collect();
        let input = batch.input(&z, &ends.t, device);
        let x = ids_tensor(batch.x.ids(), length, device);
        let mu = softmax(denoiser.value_logits(&input), 2);
        self.costs(mu, &input.z, &x, &ends)
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

fn normalise(weights: Tensor<3>) -> Tensor<3> {
    weights.clone() / weights.sum_dim(2)
}

impl Objective for Uniform {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let (cost, cross_entropy) = self.draw(denoiser, batch, key, device);
        row_sums(if self.hybrid > 0.0 { cost + cross_entropy.mul_scalar(self.hybrid) } else { cost })
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let cost = numbers(row_sums(self.draw(denoiser, batch, key, device).0));
        let prior = batch.x.length() as f64 * self.prior(denoiser.values());
        cost.into_iter().map(|diffusion| Terms { reconstruction: 0.0, prior, diffusion }).collect()
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
