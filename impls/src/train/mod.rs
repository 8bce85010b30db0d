//! Training: settings, what they will take, the loop, the optimiser, the moving average of the weights, checkpoints, logs.

pub mod build;
pub mod checkpoint;
pub mod ema;
mod events;
pub mod log;
pub mod optimizer;
pub mod plan;
mod presets;
pub mod run;
pub mod settings;
mod shape;

/// The version of the code that trains. Raise it by hand when the same settings, data and device give other weights: runs that
/// were kept under the earlier version are then not found again.
pub const TRAINING: u32 = 1;

pub use build::DataShape;
pub use checkpoint::Checkpoint;
pub use log::Progress;
pub use plan::Plan;
pub use presets::PRESETS;
pub use run::{Trainer, Watch, train};
pub use settings::Settings;
