//! Training: settings, the plan of a run, the loop, the optimiser, the moving average of the weights, checkpoints,
//! logs.

mod bound_objective;
pub mod checkpoint;
mod continuing;
mod data_config;
pub mod ema;
mod flat;
pub mod log;
mod network_config;
mod network_shape;
mod objective_config;
pub mod optimizer;
pub mod plan;
mod presets;
mod setting_values;
mod settings;
mod tensorboard;
mod trainer;

/// The version of the code that trains. Raise it by hand when the same settings, data and device give other weights:
/// runs that were kept under the earlier version are then not found again.
pub const TRAINING: u32 = 1;

pub use crate::data::DataShape;
pub use checkpoint::Checkpoint;
pub use data_config::DataConfig;
pub use log::Progress;
pub use network_config::NetworkConfig;
pub use objective_config::ObjectiveConfig;
pub use plan::Plan;
pub use presets::PRESETS;
pub use setting_values::{Decay, SettingValues};
pub use settings::Settings;
pub use trainer::{Trainer, TrainingCallback, train};
