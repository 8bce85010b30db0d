//! MaskGIT (Chang et al. 2022) and MAR's masking (Li et al. 2024): masked prediction without a likelihood in mind.
//!
//! A mask rate is drawn, ceil(N rate) tokens are masked, and their mean cross-entropy is the loss. The normaliser
//! decides which weighting of the NELBO that is (in the mask rate r, with density p(r)):
//! - `per-row`: the mean over each row's masked tokens, then over rows: w~ proportional to p(r). This is what the
//!   public codes do; with uniform rates it is the ELBO itself.
//! - `global`: the sum over all masked tokens by their number: w~ proportional to r p(r), "simple" for uniform rates.
//!
//! The bound that is reported is the any-order one of the same denoiser: exact for a network that sees no time.
//!
//! Differences from the authors' code: the mask rate is not clipped from below at 0.5; label smoothing is the public
//! one, 1 - eps + eps/V on the true value.

mod loss;
mod sampler;

pub use loss::{MaskGit, MaskRates, Normaliser};
pub use sampler::confidence_decoding;
