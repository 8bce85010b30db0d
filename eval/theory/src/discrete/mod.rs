//! Discrete diffusion with any transition between states (D3PM): the cascade of bounds by enumeration of all joint
//! states, for uniform, absorbing, value-dependent masking (GenMD4) and any other transition.

mod cascade;
mod continuous_limit;
mod elbo;
mod forward;
mod gap;
pub mod genmd4;
mod matrix;
mod model;
mod reverse_kernel;
mod reverse_parameterization;
mod sampler_law;
mod transition_file;

pub use cascade::cascade;
pub use continuous_limit::{token_integrand, weighted_loss};
pub use forward::Forward;
pub use gap::gaps;
pub use model::DiscreteModel;
pub use reverse_kernel::token_step;
pub use reverse_parameterization::ReverseParameterization;
