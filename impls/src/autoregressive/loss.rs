//! The negative log-likelihood.

use burn::tensor::{Device, Tensor};

use crate::corruption::{numbers, row_sums};
use crate::key::Key;
use crate::network::{Denoiser, Hidden};
use crate::objective::{Batch, Objective, Terms};

/// The objective. Its network must be causal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Autoregressive;

/// Each row shifted to the right by one, behind the id `begin`.
pub(super) fn shifted(ids: &[u32], length: usize, begin: u32) -> Vec<u32> {
    ids.chunks(length).flat_map(|row| std::iter::once(begin).chain(row[..length - 1].iter().copied())).collect()
}

impl Autoregressive {
    /// -log p(x_n | x_<n) of every token, \[batch, length\].
    pub fn costs(denoiser: &dyn Denoiser, batch: &Batch, device: &Device) -> Tensor<2> {
        let length = batch.x.length();
        let input =
            batch.input(&shifted(batch.x.ids(), length, denoiser.values() as u32), &vec![0.0; batch.len()], device);
        denoiser.hidden_costs(&input, &Hidden::all(batch.x.ids(), length))
    }
}

impl Objective for Autoregressive {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, _: &Key, device: &Device) -> Tensor<1> {
        row_sums(Self::costs(denoiser, batch, device))
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, _: &Key, device: &Device) -> Vec<Terms> {
        let costs = numbers(row_sums(Self::costs(denoiser, batch, device)));
        costs.into_iter().map(|diffusion| Terms { diffusion, ..Terms::default() }).collect()
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
