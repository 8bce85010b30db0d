//! GenMD4: masked diffusion with a learned schedule per value (Shi, Han, Wang, Doucet and Titsias 2024).
//!
//! Value v is still visible at time t with probability alpha_v(t) = 1 - t^(w_v), w = softplus(theta), and theta is
//! trained with the network. Because z_t is drawn from a law that depends on theta, its gradient has a score-function
//! term; two independent draws of z_t for the same x and t make it a leave-one-out estimator (RLOO), unbiased.
//!
//! Differences from the authors' code (google-deepmind/md4):
//! - alpha is not clipped: alpha_v(0) = 1 and alpha_v(1) = 0 exactly, so that there are no reconstruction and prior
//!   terms, and times fill (0, 1). Theirs lie in \[1e-3, 1\] without the factor 1 - 1e-3.
//! - the logged loss is L at the drawn masks; theirs is the surrogate, whose value means nothing.
//! - there is a sampler.

mod loss;
mod sampler;

pub use loss::GenMd4;
pub use sampler::{powers, vector_ancestral};
