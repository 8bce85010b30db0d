//! Denoisers. Networks and the exact table implement one trait, so that the loss code that trains a network is
//! the code that is checked against exact numbers.

pub mod table;
pub mod transformer;

use burn::tensor::{Int, Tensor};

pub use table::TableDenoiser;
pub use transformer::{Transformer, TransformerShape};

/// mu_theta: for each position of a partly masked sequence, a distribution over the data values.
///
/// Time-free: in masked diffusion with one schedule for all values the exact posterior of x given z_t does not
/// depend on t, so the network need not see it.
pub trait MaskedDenoiser {
    /// Number of data values V; the mask token has the id V.
    fn values(&self) -> usize;

    /// Logits over the data values (never the mask).
    ///
    /// `z`: \[batch, length\], ids 0..=V. Returns \[batch, length, V\].
    fn logits(&self, z: Tensor<2, Int>) -> Tensor<3>;
}

/// The probabilities of some logits, in double precision.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}
