//! Frechet distances between sets of images: images, features of an ONNX network, statistics, the distance.
//!
//! "FID" is several numbers: a distance is named after the network and the input convention that made its
//! features, and statistics of different networks or conventions are never compared.

mod features;
mod frechet;
mod images;
mod npz;
mod stats;

pub use features::{Convention, FeatureNetwork, Features, Runtime};
pub use frechet::{Distance, between_features, between_statistics};
pub use images::Images;
pub use npz::is_statistics;
pub use stats::Statistics;
