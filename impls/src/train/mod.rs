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

pub use build::DataShape;
pub use checkpoint::Checkpoint;
pub use log::Progress;
pub use plan::Plan;
pub use presets::PRESETS;
pub use run::{Trainer, Watch, train};
pub use settings::Settings;
