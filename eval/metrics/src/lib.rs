//! Distances between sets of images: images, features of an ONNX network, statistics, and one file for each metric.
//!
//! "FID" is several numbers: a distance is named after the network and the input convention that made its
//! features, and statistics of different networks or conventions are never compared.

mod entropy;
mod features;
mod frechet;
mod images;
mod inception_score;
mod jackknife;
mod kid;
mod network;
mod npz;
mod pairs;
mod prdc;
mod stats;

pub use entropy::{Entropy, entropy};
pub use features::{Cache, Extracted, Features};
pub use frechet::{Distance, Side, between_features};
pub use images::{Folder, Image, ImageSet, Images, OnBad, Survey};
pub use inception_score::inception_score;
pub use jackknife::{Extrapolated, extrapolated, shuffled, standard_error};
pub use kid::kid;
pub use network::{CANONICAL_WEIGHTS, Convention, FEATURES, FeatureNetwork, Inception, Resize, Runtime};
pub use npz::{NpzWriter, is_statistics};
pub use prdc::{Balls, Boundary, Prdc, prdc};
pub use stats::{Origin, Statistics};
