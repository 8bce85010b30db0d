//! Frechet distances of samples to a fixed set of reference images.

use elbow_base::{Error, Progress};
use elbow_metrics::{FeatureNetwork, Features, Images, between_features};

/// A feature network with the features of the reference images.
pub(super) struct ReferenceDistance {
    pub network: FeatureNetwork,
    pub reference: Features,
}

impl ReferenceDistance {
    pub fn new(network: FeatureNetwork, images: &Images, bar: &dyn Progress) -> Result<Self, Error> {
        Ok(Self { reference: network.features(images, bar)?, network })
    }

    /// The Frechet distance of some features to the reference.
    pub fn to(&self, features: &Features) -> Result<f64, Error> {
        Ok(between_features(features, &self.reference, &self.network.provenance())?.value)
    }

    /// The distance of each of `blocks` disjoint blocks of `size` images.
    pub fn of_blocks(&self, features: &Features, [blocks, size]: [usize; 2]) -> Result<Vec<f64>, Error> {
        let block = |b: usize| features.select(&(b * size..(b + 1) * size).collect::<Vec<_>>());
        (0..blocks).map(|b| self.to(&block(b))).collect()
    }
}
