//! The loss, its mask rates and its normalisers.

use std::f64::consts::FRAC_PI_2;

use burn::tensor::{Device, Tensor};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::any_order::K_DCE;
use crate::corruption::{hide_count, row_sums};
use crate::key::Key;
use crate::network::{Denoiser, negative_log, rows_tensor};
use crate::objective::{Batch, Objective, Terms};

/// The law of the mask rate, as the rate of a uniform number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskRates {
    /// cos(pi u / 2): MaskGIT.
    Cosine,
    /// u.
    Uniform,
    /// A normal of mean 1 and deviation 0.25, cut to \[0.7, 1\]: MAR.
    TruncatedNormal,
}

impl MaskRates {
    /// The mask rate of `u` in (0, 1).
    pub fn rate(&self, u: f64) -> f64 {
        match self {
            Self::Cosine => (FRAC_PI_2 * u).cos(),
            Self::Uniform => u,
            Self::TruncatedNormal => {
                let normal = Normal::new(1.0, 0.25).expect("a positive deviation");
                let (low, high) = (normal.cdf(0.7), normal.cdf(1.0));
                normal.inverse_cdf(low + u * (high - low)).clamp(0.7, 1.0)
            }
        }
    }
}

crate::names!(MaskRates, "mask rates":
    Cosine = "cosine",
    Uniform = "uniform",
    TruncatedNormal = "truncated-normal",
);

/// What the sum of cross-entropies is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normaliser {
    /// Each row's number of hidden tokens, then the number of rows.
    PerRow,
    /// The number of hidden tokens of the batch.
    Global,
}

crate::names!(Normaliser, "normaliser": PerRow = "per-row", Global = "global");

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskGit {
    pub rates: MaskRates,
    pub normaliser: Normaliser,
    /// eps of the smoothed target (1 - eps) onehot + eps/V.
    pub label_smoothing: f64,
}

impl MaskGit {
    /// The number of hidden tokens of each row: ceil(N rate), at least one.
    fn counts(&self, batch: &Batch) -> Vec<usize> {
        let length = batch.x.length();
        batch.u.iter().map(|&u| ((length as f64 * self.rates.rate(u)).ceil() as usize).clamp(1, length)).collect()
    }

    /// The cost of each token under the smoothed target, \[batch, length\].
    pub fn smoothed(&self, log_mu: Tensor<3>, x: &Tensor<2, burn::tensor::Int>) -> Tensor<2> {
        let spread = log_mu.clone().mean_dim(2).squeeze_dim::<2>(2).neg();
        negative_log(log_mu, x).mul_scalar(1.0 - self.label_smoothing) + spread.mul_scalar(self.label_smoothing)
    }
}

impl Objective for MaskGit {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let counts = self.counts(batch);
        let hidden = hide_count(batch, &counts, denoiser.values(), key, device);
        let cost = row_sums(hidden.tokens.only(self.smoothed(hidden.log_mu(denoiser), &hidden.tokens.ids(device))));
        match self.normaliser {
            Normaliser::PerRow => {
                let weights: Vec<f64> = counts.iter().map(|&count| 1.0 / count as f64).collect();
                cost * rows_tensor(&weights, device)
            }
            Normaliser::Global => cost,
        }
    }

    /// Rows, or hidden tokens of the whole batch: the loss is a mean for each hidden token.
    fn divisor(&self, batch: &Batch) -> f64 {
        match self.normaliser {
            Normaliser::PerRow => batch.len() as f64,
            Normaliser::Global => self.counts(batch).iter().sum::<usize>() as f64,
        }
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        K_DCE.nelbo(denoiser, batch, key, device)
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        K_DCE.protocol()
    }

    fn is_any_order(&self) -> bool {
        true
    }
}
