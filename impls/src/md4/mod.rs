//! MD4: simplified masked diffusion (Shi, Han, Wang, Doucet and Titsias 2024), with the weightings of Shi and Titsias
//! 2025.
//!
//! Forward process: each token stays visible with probability alpha(t), else becomes the mask. Reverse step t to s: a
//! masked token becomes visible with probability xi = (alpha_s - alpha_t)/(1 - alpha_t), with a value drawn from
//! mu_theta(z_t); visible tokens never change. Prior: a token of z_1 is the mask with probability 1 - alpha(1), else a
//! uniform value. Decoder: a token that is still masked at t = 0 is decoded uniformly.
//!
//! Differences from the authors' code (google-deepmind/md4), each on purpose:
//! - alpha is clipped to \[1e-4, 1 - 1e-4\] only under the schedules named `md4:...`; the others are accurate at the
//!   ends, and times lie in the open interval.
//! - the prior term is reported and not set to zero (it is zero for linear, cosine and polynomial schedules).
//! - whether the network sees the time is a setting; the exact posterior does not depend on it.
//! - how times are spread is a setting (theirs is the rotated grid, `rotated` here).
//! - sampling is in double precision and in two stages, reveal or not, then which value: a joint single-precision
//!   Gumbel draw loses outcomes of probability below about 1e-8.

mod loss;
mod predictor_corrector;
mod sampler;

pub use loss::{Md4, end_terms, prior_loss, reconstruction_loss};
pub use predictor_corrector::{Corrector, predictor_corrector};
pub(crate) use sampler::draw_prior;
pub use sampler::{Grid, ancestral};
