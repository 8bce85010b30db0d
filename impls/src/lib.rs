//! Reference implementations of diffusion objectives, written to be read beside the papers.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | alpha(t), sigma(t), log-SNR: plain f64 functions |
//! | [`weighting`] | w(lambda): every weighting of the papers, for both families |
//! | [`gaussian`] | VDM, flow matching and EDM: loss, bound, samplers |
//! | [`md4`] [`genmd4`] [`mdlm`] [`maskgit`] [`d3pm`] [`any_order`] [`autoregressive`] | one implementation each: loss, bound, samplers |
//! | [`objective`], [`corruption`], [`canvas`] | what they share: the trait, hiding tokens, drawing tokens |
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
mod fused;
pub mod gaussian;
pub mod genmd4;
pub mod hash;
pub mod key;
pub mod maskgit;
pub mod md4;
pub mod mdlm;
mod names;
pub mod network;
pub mod objective;
pub mod schedule;
pub mod times;
pub mod train;
pub mod weighting;
pub mod workers;

pub use error::{Error, Result, UnknownName};
pub use key::Key;
pub use weighting::Weighting;
pub use workers::Workers;
