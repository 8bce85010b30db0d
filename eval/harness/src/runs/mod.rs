//! Training runs: a preset trained to the end, and what was trained opened again.

mod trained;
mod training;

pub use trained::Trained;
pub use training::run_training;
