//! Gaussian diffusion on toys: atoms, and mixtures in one and two dimensions, by quadrature.

mod cascade;
mod conditional_path;
mod continuous_limit;
mod elbo;
mod gap;
mod loss_parameterisations;
mod mixture;
mod noise_augmented_elbo;
mod sampler_law;
mod toy;

pub use cascade::cascade;
pub use conditional_path::ConditionalPath;
pub use continuous_limit::{expected_error, weighted_loss};
pub use gap::gaps;
pub use loss_parameterisations::{LossParameterisations, loss_parameterisations, warped_diffusion};
pub use mixture::{Component, Mixture};
pub use noise_augmented_elbo::noise_augmented_nelbo;
pub use toy::GaussianToy;
