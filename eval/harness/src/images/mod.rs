//! Comparing two sets of images, wherever they come from: files, data sets, samples of a run, statistics.

mod comparison;
mod dataset_images;
mod input;
mod measures;
mod scores;

pub use comparison::Comparison;
pub use dataset_images::{DatasetImages, of_dataset};
pub use input::{Input, Sampling, images, open};
pub use measures::{Measure, Metric, Options, Set, balls};
pub use scores::{ConventionMatrix, Scores, Scoring, convention_matrix};
