//! Exact bounds of small diffusion models, in f64 and nats: "Demystifying Diffusion Objectives" (Shi and Titsias 2025)
//! by enumeration and quadrature, without tensors.
//!
//! The files are in the paper's order, and each process has the same ones:
//!
//! | paper | shared by all processes | [`masked`] | [`discrete`] | [`gaussian`] |
//! |---|---|---|---|---|
//! | L^(i) | `elbo.rs` | `masked/elbo.rs` | `discrete/elbo.rs` | `gaussian/elbo.rs` |
//! | Theorem 1, the gap g_i | [`gap`] | [`masked::gaps`] | [`discrete::gaps`] | [`gaussian::gaps`] |
//! | Theorem 2, weights and both sides | [`reweighting`] | | | |
//! | T to infinity | | [`masked::weighted_loss`] | [`discrete::weighted_loss`] | [`gaussian::weighted_loss`] |
//! | KL(q \|\| p~(i)) | | [`masked::sampler_law`] | `discrete/sampler_law.rs` | `gaussian/sampler_law.rs` |
//! | all of it | [`Cascade`] | [`masked::cascade`] | [`discrete::cascade`] | [`gaussian::cascade`] |
//!
//! `docs/equations.md` lists the function of every equation.
//!
//! # Example
//!
//! The exact bounds of a toy of two tokens whose denoiser knows the posterior of each token:
//!
//! ```
//! use elbow_process::{Weighting, schedule::MaskedSchedule};
//! use elbow_theory::{Alphabet, Toy, masked};
//!
//! let toy = r#"{"states": 2, "length": 2, "data": {"00": 0.5, "11": 0.5}, "denoiser": {"kind": "exact"}}"#;
//! let enumeration = masked::Enumeration::new(&Toy::parse(toy, Alphabet::Masked)?)?;
//! let cascade = masked::cascade(&enumeration, &MaskedSchedule::Linear, 4, &Weighting::Elbo)?;
//!
//! // One step of four reveals both tokens together with probability 1/16, which costs their mutual information, ln 2.
//! assert!(cascade.gap.iter().all(|g| (g - 2f64.ln() / 16.0).abs() < 1e-15));
//! assert!(cascade.theorem1_residual < 1e-15);
//! # Ok::<(), elbow_theory::Error>(())
//! ```

#![warn(missing_docs)]

mod cascade;
pub mod discrete;
mod elbo;
mod error;
pub mod gap;
pub mod gaussian;
pub mod gumbel_precision;
pub mod masked;
pub mod optimal_loss;
mod pattern_index;
pub mod quadrature;
pub mod reweighting;
mod toy;
mod work;

pub use cascade::Cascade;
pub use elbo::ElboTerms;
pub use error::Error;
pub use pattern_index::PatternIndex;
pub use toy::{Alphabet, DenoiserKind, TableEntry, Toy};
