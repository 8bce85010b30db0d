//! The training loss and the NELBO of masked diffusion with a schedule per value.

use burn::tensor::activation::softplus;
use burn::tensor::{Device, Tensor};

use super::sampler::{powers, theta};
use crate::corruption::{Corruption, MaskedBatch, mask_bernoulli, row_sums};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::network::{TokenDenoiser, negative_log, rows_tensor, to_f64_vec};
use crate::objective::{Batch, BoundTerms, TokenObjective};

/// The objective; its schedule is part of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenMd4;

impl GenMd4 {
    /// t L(x, z_t), \[batch\]: the sum over masked n of -w_x log mu_x - w_x + sum_v w_v mu_v, since r_v = w_v / t
    /// [GenMD4, continuous time].
    pub fn cost(denoiser: &dyn TokenDenoiser, z: &MaskedBatch, w: &Tensor<1>) -> Tensor<1> {
        row_sums(z.costs(denoiser, |log_mu, x| {
            let [_, _, values] = log_mu.dims();
            let w_x = of_tokens(w, z);
            let spread = (log_mu.clone().exp() * w.clone().reshape([1, 1, values])).sum_dim(2).squeeze_dim::<2>(2);
            w_x * (negative_log(log_mu, x) - 1.0) + spread
        }))
    }

    /// log q(z_t | x), \[batch\]: w_x ln t for a masked token, ln(1 - t^(w_x)) for a visible one.
    pub fn log_probability(z: &MaskedBatch, w: &Tensor<1>) -> Tensor<1> {
        let device = w.device();
        let masked = of_tokens(w, z) * rows_tensor(z.times.iter().map(|t| t.ln()), &device).unsqueeze_dim::<2>(1);
        // 1 - t^w is kept away from 0, where single precision has no digits left; w > 0 and t < 1 keep it positive.
        let visible = (masked.clone().exp().neg() + 1.0).clamp_min(1e-7).log();
        row_sums(visible.mask_where(z.targets.mask(&device), masked))
    }

    /// The batch with each token masked with its value's probability t^(w_v).
    fn mask(batch: &Batch, powers: &[f64], key: &Key, device: &Device) -> Result<MaskedBatch> {
        let probability =
            |row: usize, token: u32| batch.u[row].powf(powers.get(token as usize).copied().unwrap_or(1.0));
        mask_bernoulli(batch, &batch.u, powers.len(), probability, key, device)
    }
}

/// w of each token's value, \[batch, length\].
fn of_tokens(w: &Tensor<1>, z: &MaskedBatch) -> Tensor<2> {
    let x = z.targets.ids(&w.device());
    let [batch, length] = x.dims();
    w.clone().select(0, x.reshape([batch * length])).reshape([batch, length])
}

impl TokenObjective for GenMd4 {
    /// Two independent z_t of the same x and t.
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let powers = powers(denoiser)?;
        let draw = |number: u64| Self::mask(batch, &powers, &key.fold(number), device);
        Ok(Corruption { z: draw(0)?, second: Some(draw(1)?) })
    }

    /// The surrogate whose gradient is that of E L, \[batch\] [GenMD4, RLOO]:
    /// (L1 + L2)/2 + stop((L1 - L2)/2) (log q(z1|x) - log q(z2|x)).
    ///
    /// The second part is added as f - stop(f): it has the gradient, and the value stays (L1 + L2)/2.
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, corruption: &Corruption) -> Result<Tensor<1>> {
        let Corruption { z: first, second: Some(second) } = corruption else {
            return Err(Error::Setting("the loss of GenMD4 compares two draws of z_t, and was given one".into()));
        };
        let w = softplus(theta(denoiser)?, 1.0);
        let per_time = rows_tensor(first.times.iter().map(|t| 1.0 / t), &w.device());
        let loss = |z: &MaskedBatch| Self::cost(denoiser, z, &w) * per_time.clone();
        let (l1, l2) = (loss(first), loss(second));
        let score = Self::log_probability(first, &w) - Self::log_probability(second, &w);
        let reinforce = (l1.clone() - l2.clone()).detach().mul_scalar(0.5) * score;
        Ok((l1 + l2).mul_scalar(0.5) + reinforce.clone() - reinforce.detach())
    }

    /// One z_t: the bound has no gradient to estimate.
    fn corrupt_for_bound(
        &self,
        denoiser: &dyn TokenDenoiser,
        batch: &Batch,
        key: &Key,
        device: &Device,
    ) -> Result<Corruption> {
        Ok(Self::mask(batch, &powers(denoiser)?, key, device)?.into())
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let costs = to_f64_vec(Self::cost(denoiser, z, &softplus(theta(denoiser)?, 1.0)));
        let terms = |(cost, t): (f64, &f64)| BoundTerms { diffusion: cost / t, ..BoundTerms::default() };
        Ok(costs.into_iter().zip(&z.times).map(terms).collect())
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
