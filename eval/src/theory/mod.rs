//! The exact theory of masked diffusion on enumerable data, in f64: the cascade of bounds of
//! Shi and Titsias 2025, Theorems 1 and 2, and the continuous-time limits.

mod cascade;
mod continuous;
mod enumeration;
mod toy;

pub use cascade::{Cascade, cascade};
pub use continuous::{any_order_nll, neg_elbo, weighted_loss};
pub use enumeration::Enumeration;
pub use toy::{DenoiserKind, Toy};
