//! The any-order bound of a model whose denoiser sees no time: over the whole sequence, or within each block.

use burn::tensor::Device;

use crate::any_order::{K_DCE, k_dce_draws};
use crate::block::BlockDce;
use crate::corruption::Corruption;
use crate::error::Result;
use crate::key::Key;
use crate::network::TokenDenoiser;
use crate::objective::{Batch, BoundTerms, TokenObjective};

/// A denoiser whose bound k-DCE estimates.
#[derive(Clone, Copy)]
pub struct AnyOrderBound<'a> {
    denoiser: &'a dyn TokenDenoiser,
    /// Within blocks of this size, given the blocks before.
    blocks: Option<BlockDce>,
}

impl<'a> AnyOrderBound<'a> {
    /// The bound of a denoiser that sees no time, within blocks of `block_size` tokens where there are blocks.
    pub fn new(denoiser: &'a dyn TokenDenoiser, block_size: Option<usize>) -> Self {
        Self { denoiser, blocks: block_size.map(|size| BlockDce { size }) }
    }

    /// The corruptions of several draws of the same sequences: [`k_dce_draws`], [`BlockDce::draws`].
    pub fn draws(
        &self,
        batch: Batch,
        u: Vec<Vec<f64>>,
        key: &Key,
        device: &Device,
    ) -> Result<Box<dyn Iterator<Item = Result<Corruption>>>> {
        let values = self.denoiser.values();
        Ok(match &self.blocks {
            None => Box::new(k_dce_draws(values, batch, u, key, device)),
            Some(blocks) => Box::new(blocks.draws(values, batch, u, key, device)?),
        })
    }

    /// The bound's terms of each sequence under a corruption, nats.
    pub fn nelbo_of(&self, corruption: &Corruption) -> Result<Vec<BoundTerms>> {
        match &self.blocks {
            None => K_DCE.nelbo_of(self.denoiser, corruption),
            Some(blocks) => Ok(blocks.nelbo_of(self.denoiser, corruption)),
        }
    }

    /// The conventions of the bound by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        self.blocks.as_ref().map_or_else(|| K_DCE.protocol(), BlockDce::protocol)
    }
}
