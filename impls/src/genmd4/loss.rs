//! The training loss and the NELBO of masked diffusion with a schedule for each value.

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor};

use super::sampler::powers;
use crate::corruption::{Corrupted, hide_each, numbers, row_sums};
use crate::key::Key;
use crate::network::{Denoiser, negative_log, rows_tensor};
use crate::objective::{Batch, Objective, Terms};

/// The objective; its schedule is part of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenMd4;

impl GenMd4 {
    /// t L(x, z_t), \[batch\]: the sum over masked n of -w_x log mu_x - w_x + sum_v w_v mu_v, since r_v = w_v / t
    /// [GenMD4, continuous time].
    pub fn cost(denoiser: &dyn Denoiser, corrupted: &Corrupted, w: &Tensor<1>) -> Tensor<1> {
        let log_mu = corrupted.log_mu(denoiser);
        let [_, _, values] = log_mu.dims();
        let w_x = of_tokens(w, corrupted);
        let spread = (log_mu.clone().exp() * w.clone().reshape([1, 1, values])).sum_dim(2).squeeze_dim::<2>(2);
        let cost = w_x.clone() * (negative_log(log_mu, &corrupted.tokens.ids(&w.device())) - 1.0) + spread;
        row_sums(corrupted.tokens.only(cost))
    }

    /// log q(z_t | x), \[batch\]: w_x ln t for a masked token, ln(1 - t^(w_x)) for a visible one.
    pub fn log_probability(corrupted: &Corrupted, w: &Tensor<1>, times: &[f64]) -> Tensor<1> {
        let device = w.device();
        let ln_t: Vec<f64> = times.iter().map(|t| t.ln()).collect();
        let masked = of_tokens(w, corrupted) * rows_tensor(&ln_t, &device).unsqueeze_dim::<2>(1);
        // 1 - t^w is kept away from 0, where single precision has no digits left; w > 0 and t < 1 keep it positive.
        let visible = (masked.clone().exp().neg() + 1.0).clamp_min(1e-7).log();
        row_sums(visible.mask_where(corrupted.tokens.mask(&device), masked))
    }

    /// The surrogate whose gradient is that of E L, \[batch\] [GenMD4, RLOO]:
    /// (L1 + L2)/2 + stop((L1 - L2)/2) (log q(z1|x) - log q(z2|x)).
    ///
    /// The second part is added as f - stop(f): it has the gradient, and the value stays (L1 + L2)/2.
    pub fn surrogate(
        denoiser: &dyn Denoiser,
        [first, second]: [&Corrupted; 2],
        times: &[f64],
        theta: &Tensor<1>,
    ) -> Tensor<1> {
        let w = softplus(theta.clone(), 1.0);
        let per_time: Vec<f64> = times.iter().map(|t| 1.0 / t).collect();
        let per_time = rows_tensor(&per_time, &w.device());
        let loss = |z: &Corrupted| Self::cost(denoiser, z, &w) * per_time.clone();
        let (l1, l2) = (loss(first), loss(second));
        let score = Self::log_probability(first, &w, times) - Self::log_probability(second, &w, times);
        let reinforce = (l1.clone() - l2.clone()).detach().mul_scalar(0.5) * score;
        (l1 + l2).mul_scalar(0.5) + reinforce.clone() - reinforce.detach()
    }

    /// The batch with each token hidden with its value's probability t^(w_v).
    fn hide(batch: &Batch, powers: &[f64], key: &Key, device: &Device) -> Corrupted {
        let probability = |row: usize, token: u32| batch.u[row].powf(powers[token as usize]);
        hide_each(batch, &batch.u, powers.len(), probability, key, device)
    }
}

/// w of each token's value, \[batch, length\].
fn of_tokens(w: &Tensor<1>, corrupted: &Corrupted) -> Tensor<2> {
    let x = corrupted.tokens.ids(&w.device());
    let [batch, length] = x.dims();
    w.clone().select(0, x.reshape([batch * length])).reshape([batch, length])
}

impl Objective for GenMd4 {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let theta = denoiser.schedule_parameters().expect("a model for GenMD4 has a schedule");
        let powers = powers(denoiser);
        let first = Self::hide(batch, &powers, &key.fold(0), device);
        let second = Self::hide(batch, &powers, &key.fold(1), device);
        Self::surrogate(denoiser, [&first, &second], &batch.u, &theta)
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let theta = denoiser.schedule_parameters().expect("a model for GenMD4 has a schedule");
        let corrupted = Self::hide(batch, &powers(denoiser), key, device);
        let cost = numbers(Self::cost(denoiser, &corrupted, &softplus(theta, 1.0)));
        cost.into_iter().zip(&batch.u).map(|(cost, t)| Terms { diffusion: cost / t, ..Terms::default() }).collect()
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "genmd4".into()),
            ("schedule", "learned, 1 - t^(w_v)".into()),
            ("steps", "continuous time".into()),
            ("times", "(0, 1), no end left out".into()),
            ("reconstruction", "0 exactly".into()),
            ("prior", "0 exactly".into()),
        ]
    }
}
