//! Any-order autoregression: ARDM (Hoogeboom et al. 2022) and the time-free forms of masked diffusion of RADD (Ou et
//! al. 2024).
//!
//! The bound is the mean over all orders sigma of sum_k -log mu(x_sigma(k) | x_sigma(<k)). It equals the continuous
//! NELBO of masked diffusion for a denoiser that sees no time, whatever the schedule. Its forms have the same mean and
//! different variances:
//! - k-DCE: k ~ U{1..N} tokens are masked, (N/k) sum of their cross-entropies (ARDM's estimator); several draws of a
//!   sequence may share one order of its tokens ([`k_dce_draws`]);
//! - lambda-DCE: each token is masked with probability lambda ~ U(0, 1), (1/lambda) sum: 1/lambda has no variance;
//! - t-DCE: lambda = 1 - alpha(t) under a schedule, r(t) sum: MD4's loss.
//!
//! Differences from the authors' code: ARDM's absorbing input is index 0 with a selection mask beside it, here the mask
//! has an id of its own; RADD divides by lambda in single precision, here the bound is double.

mod loss;
mod sampler;

pub use loss::{AnyOrder, DceForm, K_DCE, k_dce_draws};
pub(crate) use sampler::reveal_in_random_order;
pub use sampler::{first_hitting, one_by_one};
