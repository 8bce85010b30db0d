//! Noise levels of Gaussian diffusion, and the reverse posterior between two of them.

mod noise_levels;
mod reverse_posterior;

pub use noise_levels::LevelGrid;
pub use reverse_posterior::{Kernel, Level};
