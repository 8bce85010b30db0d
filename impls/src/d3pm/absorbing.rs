//! The absorbing process with a denoiser that may put mass on the mask.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use crate::corruption::{Corrupted, hide_each, numbers, row_sums};
use crate::key::Key;
use crate::network::{Denoiser, negative_log, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::time_sampling::step_of;

/// The objective: T steps, and the weight of the auxiliary cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absorbing {
    pub steps: u32,
    pub hybrid: f64,
}

impl Absorbing {
    /// The step of a uniform number.
    pub fn step(&self, u: f64) -> u32 {
        step_of(u, self.steps)
    }

    /// T KL(q(z_s|z_t, x) || p(z_s|z_t)) of each masked token, and its cross-entropy; 0 where visible. \[batch, length\].
    ///
    /// With dt = 1/T, t = i/T, s = t - dt, alpha = 1 - t and x_m the mass on the mask:
    /// (dt/t) \[log(alpha_t x_m/t + 1) - log x_x\] + (1 - dt/t) \[log(alpha_t x_m/t + 1) - log(alpha_s x_m/s + 1)\].
    /// The second factor is 0 at i = 1, where s = 0: that step decodes.
    pub fn costs(&self, denoiser: &dyn Denoiser, hidden: &Corrupted, steps: &[u32]) -> (Tensor<2>, Tensor<2>) {
        let log_x = log_softmax(denoiser.logits(&hidden.input), 2);
        let [_, _, outputs] = log_x.dims();
        let device = log_x.device();
        let values = denoiser.values();
        let row = |f: &dyn Fn(f64) -> f64| {
            let numbers: Vec<f64> = steps.iter().map(|&i| f(f64::from(i))).collect();
            rows_tensor(&numbers, &device).unsqueeze_dim::<2>(1)
        };
        let total = f64::from(self.steps);
        let cross_entropy = hidden.tokens.only(negative_log(log_x.clone(), &hidden.tokens.ids(&device)));
        if outputs == values {
            return (cross_entropy.clone() * row(&|i| total / i), cross_entropy);
        }
        let mass = log_x.narrow(2, values, 1).squeeze_dim::<2>(2).exp();
        // alpha/t at step i: (1 - i/T) / (i/T) = T/i - 1; at i = 0 the factor before it is 0, and so is this.
        let odds = |i: f64| if i > 0.0 { total / i - 1.0 } else { 0.0 };
        let now = (mass.clone() * row(&odds)).log1p();
        let before = (mass * row(&|i| odds(i - 1.0))).log1p();
        let kl = (cross_entropy.clone() + now.clone()) * row(&|i| 1.0 / i) + (now - before) * row(&|i| 1.0 - 1.0 / i);
        (hidden.tokens.only(kl.mul_scalar(total)), cross_entropy)
    }

    fn corrupt(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> (Corrupted, Vec<u32>) {
        let steps: Vec<u32> = batch.u.iter().map(|&u| self.step(u)).collect();
        let times: Vec<f64> = steps.iter().map(|&i| f64::from(i) / f64::from(self.steps)).collect();
        let hidden = hide_each(batch, &times, denoiser.values(), |row, _| times[row], key, device);
        (hidden, steps)
    }
}

impl Objective for Absorbing {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let (hidden, steps) = self.corrupt(denoiser, batch, key, device);
        let (kl, cross_entropy) = self.costs(denoiser, &hidden, &steps);
        // Added only where it counts: 0 times an infinite cross-entropy is not 0.
        row_sums(if self.hybrid > 0.0 { kl + cross_entropy.mul_scalar(self.hybrid) } else { kl })
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let (hidden, steps) = self.corrupt(denoiser, batch, key, device);
        let kl = numbers(row_sums(self.costs(denoiser, &hidden, &steps).0));
        kl.into_iter().map(|diffusion| Terms { diffusion, ..Terms::default() }).collect()
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
