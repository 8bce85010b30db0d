//! Positions that are masked in a batch, with the tokens that the denoiser has to predict there.

use std::sync::Arc;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{Patches, ids_tensor};
use elbow_fused::{Target, Targets};

/// The tokens of a batch, and which of them the denoiser has to predict.
#[derive(Clone, Debug)]
pub struct MaskedTargets {
    /// x, row after row.
    pub x: Vec<u32>,
    /// Whether each is to be predicted: masked in z_t.
    pub masked: Vec<bool>,
    /// Tokens per row.
    pub length: usize,
}

impl MaskedTargets {
    /// Tokens that are all to be predicted.
    pub fn all(x: &[u32], length: usize) -> Self {
        Self { x: x.to_vec(), masked: vec![true; x.len()], length }
    }

    /// x, \[batch, length\].
    pub fn ids(&self, device: &Device) -> Tensor<2, Int> {
        ids_tensor(&self.x, self.length, device)
    }

    /// True where the token is masked, \[batch, length\].
    pub fn mask(&self, device: &Device) -> Tensor<2, Bool> {
        let shape = [self.x.len() / self.length, self.length];
        Tensor::from_data(TensorData::new(self.masked.clone(), shape), device)
    }

    /// The number of masked tokens of each row.
    pub fn counts(&self) -> impl Iterator<Item = usize> {
        self.counts_of(self.length)
    }

    /// The number of masked tokens of each block of `size`, row after row.
    pub fn counts_of(&self, size: usize) -> impl Iterator<Item = usize> {
        self.masked.chunks(size).map(|block| block.iter().filter(|masked| **masked).count())
    }

    /// One cost per token, \[batch, length\], with those of visible tokens set to 0.
    pub fn zero_visible(&self, cost: Tensor<2>) -> Tensor<2> {
        let visible = self.mask(&cost.device()).bool_not();
        // Filled and not multiplied by zero: a visible value may have mu = 0, and 0 * inf is NaN.
        cost.mask_fill(visible, 0.0)
    }

    /// The masked tokens by their places in a network over patches, or tokens.
    pub(super) fn targets(&self, patches: Option<&Patches>) -> Arc<Targets> {
        let masked = (0..self.x.len()).filter(|&token| self.masked[token]);
        let masked = masked.map(|token| ([token / self.length, token % self.length], token, self.x[token] as usize));
        Arc::new(targets(masked, self.x.len(), self.length, patches))
    }
}

/// Positions of each sequence of a batch, in rising order.
#[derive(Clone, Debug)]
pub struct QueryPositions(pub Vec<Vec<usize>>);

impl QueryPositions {
    /// Pairs of sequence and position, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().enumerate().flat_map(|(row, positions)| positions.iter().map(move |&position| (row, position)))
    }

    /// Their rows of logits \[batch, length, outputs\]: \[positions, outputs\].
    pub(super) fn select(&self, logits: Tensor<3>) -> Tensor<2> {
        let [batch, length, outputs] = logits.dims();
        let rows: Vec<i64> = self.iter().map(|(row, position)| (row * length + position) as i64).collect();
        let count = rows.len();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &logits.device());
        logits.reshape([batch * length, outputs]).select(0, rows)
    }

    /// The positions by their places in a network over patches, or tokens; `token` is their number in [`Self::iter`].
    pub(super) fn targets(&self, length: usize, patches: Option<&Patches>) -> Targets {
        let queried = self.iter().enumerate().map(|(token, (row, n))| ([row, n], token, 0));
        targets(queried, self.iter().count(), length, patches)
    }
}

/// Tokens (their sequence and place in it, their number, their value) by their places in a network over patches, or tokens.
fn targets(
    tokens_at: impl Iterator<Item = ([usize; 2], usize, usize)>,
    tokens: usize,
    length: usize,
    patches: Option<&Patches>,
) -> Targets {
    let inside = patches.map_or(1, |patches| patches.tokens());
    let mut targets = Targets { places: vec![Vec::new(); inside], tokens };
    for ([sequence, n], token, value) in tokens_at {
        let [position, place] = patches.map_or([n, 0], |patches| patches.place(n));
        targets.places[place].push(Target { row: sequence * (length / inside) + position, token, value });
    }
    targets
}

/// -log_mu\[.., x_n\]: \[batch, length\].
pub fn negative_log(log_mu: Tensor<3>, x: &Tensor<2, Int>) -> Tensor<2> {
    log_mu.gather(2, x.clone().unsqueeze_dim(2)).squeeze_dim::<2>(2).neg()
}
