//! The loss of MaskGIT, its mask rates and its normalisers.

use std::f64::consts::FRAC_PI_2;

use burn::tensor::{Device, Int, Tensor};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::any_order::K_DCE;
use crate::corruption::{Corruption, PermutationStream, row_sums};
use crate::error::Result;
use crate::key::Key;
use crate::network::{TokenDenoiser, negative_log, rows_tensor};
use crate::objective::{Batch, BoundTerms, TokenObjective};

/// The law of the mask rate, as the rate of a uniform number (MaskGIT, section 3.3).
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

/// The number by which the sum of cross-entropies is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normaliser {
    /// Each row's number of masked tokens, then the number of rows.
    PerRow,
    /// The number of masked tokens of the batch.
    Global,
}

crate::names!(Normaliser, "normaliser": PerRow = "per-row", Global = "global");

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskGit {
    /// The law of the mask rate.
    pub rates: MaskRates,
    /// The number by which the sum of cross-entropies is divided.
    pub normaliser: Normaliser,
    /// eps of the smoothed target (1 - eps) onehot + eps/V.
    pub label_smoothing: f64,
}

impl MaskGit {
    /// The number of masked tokens of each row: ceil(N rate), at least one.
    fn counts(&self, batch: &Batch) -> Vec<usize> {
        let length = batch.x.length();
        batch.u.iter().map(|&u| ((length as f64 * self.rates.rate(u)).ceil() as usize).clamp(1, length)).collect()
    }

    /// The cost of each token under the smoothed target, \[batch, length\].
    fn smoothed(&self, log_mu: Tensor<3>, x: &Tensor<2, Int>) -> Tensor<2> {
        let spread = log_mu.clone().mean_dim(2).squeeze_dim::<2>(2).neg();
        negative_log(log_mu, x).mul_scalar(1.0 - self.label_smoothing) + spread.mul_scalar(self.label_smoothing)
    }

    /// The number by which the sum of the losses of rows with these counts of masked tokens is divided: rows, or masked
    /// tokens of the whole batch.
    pub fn divisor_of(&self, counts: &[usize]) -> f64 {
        match self.normaliser {
            Normaliser::PerRow => counts.len() as f64,
            Normaliser::Global => counts.iter().sum::<usize>() as f64,
        }
    }
}

impl TokenObjective for MaskGit {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let mut orders = PermutationStream::new(batch.len(), batch.x.length(), key);
        Ok(orders.mask(batch, &self.counts(batch), denoiser.values(), device)?.into())
    }

    /// The smoothed cross-entropies of the masked tokens: their mean, or their sum under the global normaliser
    /// (MaskGIT, section 3.1).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let cost = row_sums(z.costs(denoiser, |log_mu, x| self.smoothed(log_mu, x)));
        Ok(match self.normaliser {
            // A row without masks costs 0.
            Normaliser::PerRow => {
                cost * rows_tensor(z.targets.counts().map(|count| 1.0 / count.max(1) as f64), &z.input.z.device())
            }
            Normaliser::Global => cost,
        })
    }

    fn divisor(&self, batch: &Batch) -> f64 {
        self.divisor_of(&self.counts(batch))
    }

    fn corrupt_for_bound(
        &self,
        denoiser: &dyn TokenDenoiser,
        batch: &Batch,
        key: &Key,
        device: &Device,
    ) -> Result<Corruption> {
        K_DCE.corrupt(denoiser, batch, key, device)
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, corruption: &Corruption) -> Result<Vec<BoundTerms>> {
        K_DCE.nelbo_of(denoiser, corruption)
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        K_DCE.protocol()
    }

    fn is_any_order(&self) -> bool {
        true
    }
}
