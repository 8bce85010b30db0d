//! FID and its family: distances between sets of images, with standard errors.
//!
//! | module | what |
//! |---|---|
//! | `images` | sets of 8-bit images: [`Folder`], [`Images`] in memory, and [`ImageScan`], which checks a set |
//! | `network` | [`FeatureNetwork`]: any ONNX file under an input [`Convention`]; [`FeatureCache`] keeps its outputs |
//! | `contents` | [`Contents`]: whether a file holds images, features or statistics |
//! | `features`, `stats` | [`Features`] \[n, d\] with their [`FeatureProvenance`]; mean and covariance, mergeable |
//! | `frechet`, `root_trace`, `jackknife` | the Frechet distance (FID), its standard error, and its limit of infinitely many images |
//! | `kid`, `mind`, `prdc`, `inception_score`, `entropy` | the other metrics, one per file |
//!
//! "FID" is several numbers: a distance is named after the network and the input convention of its features, and
//! statistics of different networks or conventions are never compared.
//!
//! The Frechet distance of two feature arrays \[n, d\], the second shifted by 3 along the first of d = 2 dimensions:
//!
//! ```
//! use elbow_metrics::{FeatureProvenance, Features, between_features};
//!
//! # fn main() -> Result<(), elbow_metrics::Error> {
//! let a = Features { dimension: 2, values: vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0] };
//! let shifted = a.values.iter().enumerate().map(|(i, v)| if i % 2 == 0 { v + 3.0 } else { *v }).collect();
//! let b = Features { dimension: 2, values: shifted };
//! let distance = between_features(&a, &b, &FeatureProvenance::named("example"))?;
//! assert!((distance.value - 9.0).abs() < 1e-12, "equal covariances: only the means differ");
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod contents;
mod entropy;
mod error;
mod feature_cache;
mod features;
mod frechet;
mod images;
mod inception_score;
mod jackknife;
mod kid;
mod mind;
mod network;
mod pairwise_distances;
mod prdc;
mod root_trace;
mod stats;

pub use contents::Contents;
pub use elbow_arrays::NpzWriter;
pub use entropy::{Entropy, entropy};
pub use error::Error;
pub use feature_cache::FeatureCache;
pub use features::{FeatureProvenance, Features, NetworkOutputs};
pub use frechet::{Distance, GaussianFit, between_features};
pub use images::{
    ArrayImages, ArrayOptions, BadImagePolicy, Folder, Image, ImageError, ImageScan, ImageSet, Images, Layout, Range,
    Reading, ScanSummary, UnreadableImage,
};
pub use inception_score::inception_score;
pub use jackknife::{
    Extrapolated, check_extrapolation, distances_left_out, extrapolated, shuffled, spread_of_left_out, standard_error,
};
pub use kid::{KidLeftOut, kid, kid_left_out};
pub use mind::{Mind, directions, mind};
pub use network::{
    CANONICAL_WEIGHTS, Convention, FEATURES, FeatureNetwork, Inception, InputArray, Layer, NumberType, OnnxSession,
    Pool, Port, Resize, Runtime,
};
pub use prdc::{Balls, Boundary, Prdc, prdc};
pub use root_trace::TraceAlgorithm;
pub use stats::Statistics;

/// The result of an image set, a network or a metric.
pub type Result<T> = std::result::Result<T, Error>;
