//! Training: settings, the loop, the optimiser, the moving average of the weights, checkpoints.

pub mod checkpoint;
pub mod ema;
pub mod optimizer;
pub mod run;
pub mod settings;

pub use checkpoint::Checkpoint;
pub use run::{Progress, Trainer, train};
pub use settings::{PRESETS, Settings};
