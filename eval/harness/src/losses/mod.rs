//! Losses of other programs: corrupted inputs in a file, and the bound of what a program answers to them.
//!
//! [`Noise`] draws what `likelihood` would ask a network about and writes it to an npz file; the program writes its
//! log-probabilities, or its predictions of points, to another; [`judge`] draws the same noise again, and gives the bound with its
//! error by the code that gives it for every other model.

mod answers;
mod given;
mod judge;
mod noise;
mod noise_file;

pub use answers::Answers;
pub use judge::{judge, judge_in};
pub use noise::Noise;
pub use noise_file::{DataRecord, NoiseFile, NoiseSettings, is_noise};
