//! What checks of samples share: distances of disjoint blocks, and a look at the first images.

use reports::record::Panel;

use crate::failure::Failure;
use crate::fid::{FeatureNetwork, Features, Images, between_features};

/// What measures distances: a network, and the features of the images that samples are compared with.
pub(super) struct Ruler {
    pub network: FeatureNetwork,
    pub reference: Features,
}

/// The Frechet distance to `reference` of each of `blocks` disjoint blocks of `size` images.
pub(super) fn of_blocks(
    network: &FeatureNetwork,
    features: &Features,
    reference: &Features,
    [blocks, size]: [usize; 2],
) -> Result<Vec<f64>, Failure> {
    let block = |b: usize| features.select(&(b * size..(b + 1) * size).collect::<Vec<_>>());
    (0..blocks).map(|b| Ok(between_features(&block(b), reference, &network.origin())?.value)).collect()
}

/// The first `count` images, eight a line.
pub(super) fn first_images(title: &str, images: &Images, count: usize) -> Panel {
    Panel::Images {
        title: title.to_owned(),
        width: images.width,
        height: images.height,
        channels: images.channels,
        columns: 8,
        images: (0..count.min(images.len())).map(|i| images.pixels(i).to_vec()).collect(),
    }
}
