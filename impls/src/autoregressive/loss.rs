//! The negative log-likelihood.

use burn::tensor::{Device, Tensor};

use crate::corruption::{Corruption, MaskedBatch};
use crate::error::Result;
use crate::key::Key;
use crate::network::TokenDenoiser;
use crate::objective::{Batch, BoundTerms, TokenObjective};

/// The objective. Its network must be causal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Autoregressive;

/// Each row shifted to the right by one, behind the id `begin`.
pub(super) fn shifted(ids: &[u32], length: usize, begin: u32) -> Vec<u32> {
    ids.chunks(length).flat_map(|row| std::iter::once(begin).chain(row[..length - 1].iter().copied())).collect()
}

impl TokenObjective for Autoregressive {
    /// No noise: every token is predicted from the tokens before it.
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, _: &Key, device: &Device) -> Result<Corruption> {
        let values = denoiser.values();
        let z = shifted(batch.x.ids(), batch.x.length(), values as u32);
        Ok(MaskedBatch::predicting_all(batch, &z, &vec![0.0; batch.len()], values, device)?.into())
    }

    /// sum over n of -log p(x_n | x_<n).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        Ok(z.cross_entropy(denoiser))
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        Ok(z.bound_terms(denoiser, BoundTerms::default(), |_| 1.0))
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "ar".into()),
            ("steps", "left to right, exact".into()),
            ("scored", "every token, the first after a begin mark".into()),
        ]
    }

    fn is_exact(&self) -> bool {
        true
    }
}
