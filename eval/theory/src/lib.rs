//! The exact theory of diffusion on toys, in f64: the cascade of bounds of Shi and Titsias 2025, Theorems 1 and 2,
//! continuous-time limits, and what follows from them.

mod cascade;
pub mod discrete;
pub mod gaussian;
pub mod masked;
pub mod quadrature;
pub mod race;
mod toy;

pub use cascade::{Cascade, Terms};
pub use toy::{Alphabet, DenoiserKind, Toy};
