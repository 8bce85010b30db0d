//! Diffusion processes without tensors: plain f64 functions, used by the exact theory and by the trainers alike.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | alpha(t), sigma(t), log-SNR: masked, Gaussian, one schedule per value |
//! | [`weighting`] | w(lambda): every weighting of the papers, for both families |
//! | [`time_sampling`] | how the uniform times of a batch are spread |
//! | [`time_law`] | laws of training times that are not uniform |
//! | [`gaussian`] | noise levels of a sampler, and the reverse posterior between two of them |

#![warn(missing_docs)]

pub mod gaussian;
mod parameter;
pub mod schedule;
mod table;
pub mod time_law;
pub mod time_sampling;
pub mod weighting;

pub use weighting::{Weight, Weighting};
