//! Masked diffusion: exact sums over visible sets, for any schedule and any number of steps.

mod answers;
mod axes;
mod cascade;
pub mod chain;
mod continuous;
mod divergence;
mod enumeration;
pub mod estimators;
pub mod normaliser;
pub mod order;
pub mod published;
mod reveals;
mod sets;

pub use cascade::cascade;
pub use continuous::{any_order_nll, neg_elbo, weighted_loss};
pub use enumeration::Enumeration;
