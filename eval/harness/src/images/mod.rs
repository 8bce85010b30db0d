//! Comparisons of two sets of images from files, data sets, samples of a model or statistics.

mod comparison;
mod dataset_images;
mod frechet;
mod image_source;
mod metrics;
mod paired;
mod scores;
mod statistics;

pub use comparison::Comparison;
pub use dataset_images::{DatasetImages, of_dataset};
pub use image_source::{Drawing, ImageSource, SampleRequest, images, is_model, open};
pub use metrics::{FeatureSet, Metric, MetricOptions, MetricValue, balls};
pub use paired::{PairedMetric, paired};
pub use scores::{ConventionMatrix, Scores, Scoring, convention_matrix, notes};
pub use statistics::SetStatistics;
