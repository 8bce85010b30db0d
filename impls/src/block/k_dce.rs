//! k-DCE within each block: the estimator of least variance of the bound of a network that sees no time.

use burn::tensor::Device;

use super::loss::{block_batch, block_cross_entropies, blocks_of, bound_terms};
use crate::any_order::AnyOrder;
use crate::corruption::{Corruption, PermutationStream};
use crate::error::Result;
use crate::key::{Key, open_uniform};
use crate::network::TokenDenoiser;
use crate::objective::{Batch, BoundTerms};

/// The any-order bound within each block: k ~ U{1..K} of its tokens masked, (K/k) times the sum of their costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockDce {
    /// K, tokens per block.
    pub size: usize,
}

impl BlockDce {
    /// The corruptions of several draws of the same sequences; `u` has each draw's, in place of the batch's. A block's draws
    /// take their masked tokens from one order, one window after the other, and their numbers from places along `u` that
    /// are shifted by a random number of the block: stratified over the draws as `u` is.
    pub fn draws(
        &self,
        values: usize,
        batch: Batch,
        u: Vec<Vec<f64>>,
        key: &Key,
        device: &Device,
    ) -> Result<impl Iterator<Item = Result<Corruption>> + use<>> {
        let (size, blocks) = (self.size, blocks_of(batch.x.length(), self.size)?);
        let mut orders = PermutationStream::new(batch.len() * blocks, size, key);
        let mut rng = key.fold(0).rng();
        // The first block has its sequence's own place: one block is k-DCE itself.
        let mut shift = |number: usize| if number.is_multiple_of(blocks) { 0.0 } else { open_uniform(&mut rng) };
        let shifts: Vec<f64> = (0..batch.len() * blocks).map(&mut shift).collect();
        let device = device.clone();
        Ok(u.into_iter().map(move |u| {
            let place = |(number, shift): (usize, &f64)| (u[number / blocks] + shift).fract();
            let counts: Vec<usize> = shifts.iter().enumerate().map(place).map(|u| AnyOrder::count(u, size)).collect();
            let times = counts.iter().map(|&k| k as f64 / size as f64).collect();
            let masked = counts.iter().enumerate().flat_map(|(number, &k)| orders.window(number, k)).collect();
            Ok(block_batch(&batch.at(&u), times, values, masked, &device)?.into())
        }))
    }

    /// The bound's terms of each sequence.
    pub fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Vec<BoundTerms> {
        let weights: Vec<f64> = z.targets.counts_of(self.size).map(|k| self.size as f64 / k as f64).collect();
        bound_terms(block_cross_entropies(denoiser, z, self.size), &weights, BoundTerms::default())
    }

    /// The conventions of the bound by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "block".into()),
            ("block size", self.size.to_string()),
            ("form", "k-dce".into()),
            ("steps", "blocks from left to right, within a block every order, one token per step".into()),
            ("reconstruction", "0, alpha runs from 1 to 0".into()),
            ("prior", "0, alpha runs from 1 to 0".into()),
        ]
    }
}
