//! MDLM: masked diffusion language models (Sahoo et al. 2024).
//!
//! The same process and bound as MD4 under the log-linear schedule alpha(t) = 1 - (1 - 1e-3) t, whose cross-entropy weight
//! is 1/t exactly. The denoiser is made by [`subs_parameterization`]. Times are stratified with jitter ("low discrepancy").
//!
//! The protocol is an option, because the published one leaves things out:
//! - `published`: t in \[1e-3, 1\] without the factor 1 - 1e-3, no reconstruction and no prior term. What it reports is the
//!   mean of the integrand over \[1e-3, 1\] and no bound (MDLM argues that the difference vanishes).
//! - `exact`: t in (0, 1), with the prior term of the one token in a thousand that stays visible at t = 1.
//! - `importance`: like `published`, with ln(1 - alpha) uniform in place of t ("change of variables"): a constant weight.
//!
//! Differences from the authors' code (kuleshov-group/mdlm): strata span the whole batch and not each device; the sampler
//! draws in double precision; its cache is kept for each sequence, where theirs is lost when any sequence changes.

mod loss;
mod remasking;
mod sampler;
mod semi_autoregressive;
mod subs;

pub use loss::{Mdlm, Protocol};
pub use remasking::{Remask, remasking};
pub use sampler::ancestral_cached;
pub use semi_autoregressive::semi_autoregressive;
pub use subs::subs_parameterization;
