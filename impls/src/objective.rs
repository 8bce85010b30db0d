//! An objective over tokens, in two steps: `corrupt` draws time and noise, `loss_of` is the published formula.
//!
//! The [`Corruption`] holds all randomness: the loss of a given corruption is deterministic. So the golden values of
//! other programs are compared with the loss that trains, and an exact mean is a sum over corruptions.

use burn::tensor::{Device, Tensor};

pub use crate::batch::Batch;
pub use crate::bound_terms::BoundTerms;
use crate::corruption::Corruption;
use crate::error::Result;
use crate::key::Key;
use crate::network::TokenDenoiser;

/// A training loss over tokens, with the bound that belongs to it.
pub trait TokenObjective: Send + Sync {
    /// Draws time and noise of each sequence. The denoiser says the number of values, and its schedule where it learns one.
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption>;

    /// The training loss of each sequence, \[batch\]: nats, times the weights of the objective. Nothing is drawn.
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, corruption: &Corruption) -> Result<Tensor<1>>;

    /// The training loss of a fresh corruption, \[batch\].
    fn loss(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Tensor<1>> {
        self.loss_of(denoiser, &self.corrupt(denoiser, batch, key, device)?)
    }

    /// The divisor of the sum of a batch's losses in the loss that is minimised and logged: the number of tokens,
    /// unless the objective normalises otherwise.
    fn divisor(&self, batch: &Batch) -> f64 {
        (batch.len() * batch.x.length()) as f64
    }

    /// The corruption of one draw of the bound: that of training, unless the bound draws otherwise.
    fn corrupt_for_bound(
        &self,
        denoiser: &dyn TokenDenoiser,
        batch: &Batch,
        key: &Key,
        device: &Device,
    ) -> Result<Corruption> {
        self.corrupt(denoiser, batch, key, device)
    }

    /// The bound's terms of each sequence, in double precision, under the bound's own weights whatever weights train.
    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, corruption: &Corruption) -> Result<Vec<BoundTerms>>;

    /// One draw of the bound's terms of each sequence.
    fn nelbo(&self, model: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Vec<BoundTerms>> {
        self.nelbo_of(model, &self.corrupt_for_bound(model, batch, key, device)?)
    }

    /// The conventions of the bound by name: interval of times, terms left out, steps.
    fn protocol(&self) -> Vec<(&'static str, String)>;

    /// Whether the model is a masked one whose bound, for a denoiser that sees no time, is the mean over all orders of
    /// revealing one token after the other: then [`crate::any_order`]'s low-variance estimator is an estimator of it.
    fn is_any_order(&self) -> bool {
        false
    }

    /// K of a model that is drawn block after block: its any-order bound is one within each block, given those before.
    fn block_size(&self) -> Option<usize> {
        None
    }

    /// Whether the bound is the likelihood itself and needs no noise: one draw is all.
    fn is_exact(&self) -> bool {
        false
    }
}
