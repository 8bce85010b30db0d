//! Discrete diffusion with any transition between states (D3PM): the cascade of bounds by enumeration of all joint
//! states, for uniform, absorbing, value-dependent masking (GenMD4) and any other transition.

mod cascade;
mod continuous;
mod forward;
pub mod genmd4;
mod kernel;
mod matrix;
mod patterns;

pub use cascade::cascade;
pub use continuous::{token_integrand, weighted_loss};
pub use forward::Forward;
pub use kernel::{Model, Parameterization, token_step};
