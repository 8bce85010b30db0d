//! The absorbing process with a denoiser that may put mass on the mask.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use super::hybrid_loss;
use crate::corruption::{Corruption, MaskedBatch, mask_under, row_sums};
use crate::error::Result;
use crate::key::Key;
use crate::network::{TokenDenoiser, negative_log, rows_tensor, to_f64_vec};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::MaskedSchedule;
use crate::time_sampling::step_of;

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct D3pmAbsorbing {
    /// T.
    pub steps: u32,
    /// lambda, the weight of the auxiliary cross-entropy.
    pub hybrid_ce_weight: f64,
}

impl D3pmAbsorbing {
    /// The step of a uniform number.
    pub fn step(&self, u: f64) -> u32 {
        step_of(u, self.steps)
    }

    /// The variational cost of each masked token and its cross-entropy, nats; 0 where visible. \[batch, length\].
    ///
    /// The cost is T KL(q(z_s|z_t, x) || p(z_s|z_t)). With dt = 1/T, t = i/T, s = t - dt, alpha = 1 - t and x_m the
    /// mass on the mask: (dt/t) \[log(alpha_t x_m/t + 1) - log x_x\] + (1 - dt/t) \[log(alpha_t x_m/t + 1) -
    /// log(alpha_s x_m/s + 1)\]. The second factor is 0 at i = 1, where s = 0: that step decodes.
    fn costs(&self, denoiser: &dyn TokenDenoiser, z: &MaskedBatch) -> [Tensor<2>; 2] {
        let log_x = log_softmax(denoiser.logits(&z.input), 2);
        let [_, _, outputs] = log_x.dims();
        let device = log_x.device();
        let values = denoiser.values();
        let total = f64::from(self.steps);
        let row = |f: &dyn Fn(f64) -> f64| {
            rows_tensor(z.times.iter().map(|t| f((t * total).round())), &device).unsqueeze_dim::<2>(1)
        };
        let cross_entropy = z.targets.zero_visible(negative_log(log_x.clone(), &z.targets.ids(&device)));
        if outputs == values {
            return [cross_entropy.clone() * row(&|i| total / i), cross_entropy];
        }
        let mass = log_x.narrow(2, values, 1).squeeze_dim::<2>(2).exp();
        // alpha/t at step i: (1 - i/T) / (i/T) = T/i - 1; at i = 0 the factor before it is 0, and so is this.
        let odds = |i: f64| if i > 0.0 { total / i - 1.0 } else { 0.0 };
        let now = (mass.clone() * row(&odds)).log1p();
        let before = (mass * row(&|i| odds(i - 1.0))).log1p();
        let kl = (cross_entropy.clone() + now.clone()) * row(&|i| 1.0 / i) + (now - before) * row(&|i| 1.0 - 1.0 / i);
        [z.targets.zero_visible(kl.mul_scalar(total)), cross_entropy]
    }
}

impl TokenObjective for D3pmAbsorbing {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let times: Vec<f64> = batch.u.iter().map(|&u| f64::from(self.step(u)) / f64::from(self.steps)).collect();
        Ok(mask_under(&MaskedSchedule::Linear, batch, &times, denoiser.values(), key, device)?.into())
    }

    /// The variational cost plus a multiple of the cross-entropy (D3PM, section 3.4).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let [cost, cross_entropy] = self.costs(denoiser, z);
        Ok(hybrid_loss(cost, cross_entropy, self.hybrid_ce_weight))
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let [cost, _] = self.costs(denoiser, z);
        let terms = |diffusion| BoundTerms { diffusion, ..BoundTerms::default() };
        Ok(to_f64_vec(row_sums(cost)).into_iter().map(terms).collect())
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "d3pm-absorbing".into()),
            ("schedule", "linear".into()),
            ("steps", self.steps.to_string()),
            ("reconstruction", "the step to s = 0, inside the sum".into()),
            ("prior", "0 exactly".into()),
        ]
    }
}
