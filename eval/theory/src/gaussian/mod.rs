//! Gaussian diffusion on toys: atoms, and mixtures in one and two dimensions, by quadrature.

mod augmented;
mod cascade;
mod chain;
mod forms;
mod mixture;
mod toy;

pub use augmented::augmented_nelbo;
pub use cascade::{cascade, expected_error, weighted_loss};
pub use forms::{Forms, forms, warped_diffusion};
pub use mixture::{Component, Mixture};
pub use toy::GaussianToy;
