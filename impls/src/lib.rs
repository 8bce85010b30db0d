//! Reference implementations of diffusion objectives, written to be read beside the papers.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | alpha(t), sigma(t), log-SNR: plain f64 functions |
//! | [`weighting`] | w(lambda): every weighting of the papers, for both families |
//! | [`gaussian`] | VDM, flow matching and EDM: loss, bound, samplers |
//! | [`md4`] [`genmd4`] [`mdlm`] [`maskgit`] [`d3pm`] [`any_order`] [`autoregressive`] | one implementation each: loss, bound, samplers |
//! | [`objective`], [`corruption`], [`canvas`], [`sampler`] | what they share: the trait, hiding tokens, drawing tokens, the samplers by name |
//! | [`network`] | denoisers: transformers, a U-Net, and an exact table for tests |
//! | [`data`] | data sets behind one trait |
//! | [`train`] | the training loop: settings, optimiser, EMA, checkpoints, keyed randomness |

pub mod any_order;
pub mod autoregressive;
pub mod canvas;
pub mod corruption;
pub mod d3pm;
pub mod data;
pub mod error;
pub mod gaussian;
pub mod genmd4;
pub mod maskgit;
pub mod md4;
pub mod mdlm;
pub mod network;
pub mod objective;
pub mod sampler;
pub mod train;

pub use elbow_base::{Key, UnknownName, Workers, hash, key, names};
pub use elbow_process::{Weighting, schedule, time_sampling, weighting};
pub use error::{Error, Result};
