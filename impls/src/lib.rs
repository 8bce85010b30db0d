//! Reference implementations of diffusion objectives, written to be read beside the papers.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | alpha(t), sigma(t), log-SNR: plain f64 functions |
//! | [`weighting`] | w(lambda): every weighting of the papers, for both families |
//! | [`md4`] | masked diffusion: training loss, NELBO, ancestral sampler |
//! | [`network`] | denoisers: a bidirectional transformer, and an exact table for tests |
//! | [`data`] | data sets behind one trait |
//! | [`train`] | the training loop: settings, optimiser, EMA, checkpoints, keyed randomness |

pub mod data;
pub mod error;
pub mod hash;
pub mod key;
pub mod md4;
pub mod network;
pub mod schedule;
pub mod times;
pub mod train;
pub mod weighting;
pub mod workers;

pub use error::{Error, Result, UnknownName};
pub use key::Key;
pub use weighting::Weighting;
pub use workers::Workers;
