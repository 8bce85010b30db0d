//! Training runs: training a preset to the end, opening a trained model, importing published weights.

mod imported;
mod trained;
mod training;

pub use imported::{Imported, import};
pub use trained::Trained;
pub use training::{run_training, run_training_from};
