//! Hidden tokens: what a denoiser must answer for.

use std::sync::Arc;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{Patches, ids_tensor};
use elbow_fused::cross_entropy::{Target, Targets};

/// The tokens of a batch, and which of them are hidden from the denoiser.
#[derive(Clone, Debug)]
pub struct Hidden {
    /// x, row after row.
    pub x: Vec<u32>,
    /// Whether each is hidden.
    pub masked: Vec<bool>,
    /// Tokens of a row.
    pub length: usize,
}

impl Hidden {
    /// Tokens that are all hidden.
    pub fn all(x: &[u32], length: usize) -> Self {
        Self { x: x.to_vec(), masked: vec![true; x.len()], length }
    }

    /// x, \[batch, length\].
    pub fn ids(&self, device: &Device) -> Tensor<2, Int> {
        ids_tensor(&self.x, self.length, device)
    }

    /// True where the token is hidden, \[batch, length\].
    pub fn mask(&self, device: &Device) -> Tensor<2, Bool> {
        let shape = [self.x.len() / self.length, self.length];
        Tensor::from_data(TensorData::new(self.masked.clone(), shape), device)
    }

    /// A cost per token, with those of visible tokens set to 0 (MDLM's "carry-over unmasking") [MDLM, SUBS].
    pub fn only(&self, cost: Tensor<2>) -> Tensor<2> {
        let visible = self.mask(&cost.device()).bool_not();
        // Filled and not multiplied by zero: a visible value may have mu = 0, and 0 * inf is NaN.
        cost.mask_fill(visible, 0.0)
    }

    /// -log softmax(logits)\[n, x_n\] where token n is hidden and 0 elsewhere, \[batch, length\], from logits over the data values.
    pub fn costs(&self, logits: Tensor<3>) -> Tensor<2> {
        let x = self.ids(&logits.device());
        self.only(negative_log(log_softmax(logits, 2), &x))
    }

    /// The hidden tokens by their places in a network whose positions are patches, or tokens.
    pub(super) fn targets(&self, patches: Option<&Patches>) -> Arc<Targets> {
        let hidden = (0..self.x.len()).filter(|&token| self.masked[token]);
        let hidden = hidden.map(|token| ([token / self.length, token % self.length], token, self.x[token] as usize));
        Arc::new(targets(hidden, self.x.len(), self.length, patches))
    }
}

/// Positions of each sequence of a batch, in rising order.
#[derive(Clone, Debug)]
pub struct Wanted(pub Vec<Vec<usize>>);

impl Wanted {
    /// Sequence and position, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().enumerate().flat_map(|(row, positions)| positions.iter().map(move |&position| (row, position)))
    }

    /// The same by their places in a network whose positions are patches, or tokens; `token` is their number in [`Self::iter`].
    pub(super) fn targets(&self, length: usize, patches: Option<&Patches>) -> Targets {
        let wanted = self.iter().enumerate().map(|(token, (row, n))| ([row, n], token, 0));
        targets(wanted, self.iter().count(), length, patches)
    }
}

/// Tokens (their sequence and place in it, their number, their value) by their places in a network over patches, or tokens.
fn targets(
    wanted: impl Iterator<Item = ([usize; 2], usize, usize)>,
    tokens: usize,
    length: usize,
    patches: Option<&Patches>,
) -> Targets {
    let inside = patches.map_or(1, |patches| patches.tokens());
    let mut targets = Targets { places: vec![Vec::new(); inside], tokens };
    for ([sequence, n], token, value) in wanted {
        let [position, place] = patches.map_or([n, 0], |patches| patches.place(n));
        targets.places[place].push(Target { row: sequence * (length / inside) + position, token, value });
    }
    targets
}

/// -log_mu\[.., x_n\]: \[batch, length\].
pub fn negative_log(log_mu: Tensor<3>, x: &Tensor<2, Int>) -> Tensor<2> {
    log_mu.gather(2, x.clone().unsqueeze_dim(2)).squeeze_dim::<2>(2).neg()
}
