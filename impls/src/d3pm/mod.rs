//! D3PM: discrete diffusion in discrete time (Austin et al. 2021), absorbing and uniform.
//!
//! Absorbing: alpha(t) = 1 - t on T steps; the network may put mass on the mask (V + 1 logits), which the kernel then
//! keeps masked. Uniform: a token is replaced by a uniform value; replaced and kept tokens look alike, so that every
//! position is predicted and the network needs the time. Two ways to make a reverse kernel from a denoiser:
//! - `d3pm`: q(z_t | z_s) times the denoiser's mean of q(z_s | x), normalised (D3PM, equation 4);
//! - `mixture`: the denoiser's mean of the posteriors q(z_s | z_t, x).
//!
//! The hybrid loss adds a multiple of the cross-entropy. Differences from the authors' code: the mask is an id of its
//! own (their image models absorb into a grey level, a data value); no 1e-6 inside logarithms; times T, the loss is an
//! unbiased draw of the sum over steps; the schedule of the uniform process is any of `schedule::MaskedSchedule`.

use burn::tensor::Tensor;

use crate::corruption::row_sums;

mod absorbing;
mod sampler;
mod uniform;

pub use absorbing::D3pmAbsorbing;
pub use sampler::{absorbing_ancestral, uniform_ancestral};
pub use uniform::{D3pmUniform, ReverseKernel};

/// The variational cost plus `weight` times the cross-entropy, summed over tokens, \[batch, length\] to \[batch\]
/// (D3PM, section 3.4).
fn hybrid_loss(cost: Tensor<2>, cross_entropy: Tensor<2>, weight: f64) -> Tensor<1> {
    // Added only where it counts: 0 times an infinite cross-entropy is not 0.
    row_sums(if weight > 0.0 { cost + cross_entropy.mul_scalar(weight) } else { cost })
}
