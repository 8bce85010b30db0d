//! Reference implementations of diffusion objectives, written to be read beside the papers.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | alpha(t), sigma(t), log-SNR: plain f64 functions |
//! | [`weighting`] | w(lambda): every weighting of the papers, for both families |
//! | [`gaussian`] | VDM, flow matching and EDM: loss, bound, samplers |
//! | [`md4`] [`genmd4`] [`mdlm`] [`maskgit`] [`d3pm`] [`any_order`] [`autoregressive`] [`block`] | one implementation each |
//! | [`objective`], [`corruption`] | shared by those over tokens: the trait, the forward processes |
//! | [`sampler_state`], [`tempering`], [`sampler`] | shared by their samplers: sequences being drawn, the guided denoiser, temperature, names |
//! | [`diffusion_model`] | an objective of either family with a denoiser of its family |
//! | [`network`] | the two traits of denoisers; transformers, a U-Net, and an exact table |
//! | [`data`] | data sets behind one trait |
//! | [`train`] | the training loop: settings, optimiser, EMA, checkpoints, keyed randomness |

#![warn(missing_docs)]

pub mod any_order;
mod any_order_bound;
pub mod autoregressive;
pub mod batch;
pub mod block;
mod bound_terms;
pub mod corruption;
pub mod d3pm;
pub mod data;
pub mod diffusion_model;
pub mod error;
pub mod gaussian;
pub mod genmd4;
pub mod maskgit;
pub mod md4;
pub mod mdlm;
pub mod network;
pub mod objective;
mod predictor;
pub mod sampler;
pub mod sampler_state;
pub mod tempering;
pub mod train;
mod windows;

pub use any_order_bound::AnyOrderBound;
pub use diffusion_model::{BoundCorruption, DiffusionModel, Objective};
pub use elbow_base::{Key, UnknownName, Workers, hash, key, names};
pub use elbow_process::{Weighting, schedule, time_law, time_sampling, weighting};
pub use error::{Error, Result};
