//! Training runs: a preset trained to the end, and what was trained opened again.

mod imported;
mod trained;
mod training;

pub use imported::{Imported, import};
pub use trained::Trained;
pub use training::run_training;
