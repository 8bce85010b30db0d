//! Labelled images that are held in memory, one byte per token.

use super::{DataShape, Dataset, Split, Tokens};
use crate::error::Result;

/// Images with labels, as the readers of [`super::digits`], [`super::idx`] and [`super::cifar`] give them.
pub struct Images {
    set: String,
    split: Split,
    /// Number of levels V.
    levels: usize,
    /// Height, width, channels.
    shape: [usize; 3],
    /// Whole images, one after another, channels innermost.
    pixels: Vec<u8>,
    /// One class per image; empty where `classes` is 0.
    labels: Vec<u32>,
    classes: usize,
    hash: String,
}

impl Images {
    /// Images without labels: pixels below `levels`, whole images one after another, channels innermost.
    pub(super) fn new(
        set: String,
        split: Split,
        shape: [usize; 3],
        levels: usize,
        pixels: Vec<u8>,
        hash: String,
    ) -> Self {
        Self { set, split, levels, shape, pixels, labels: Vec::new(), classes: 0, hash }
    }

    /// With a class below `classes` for each image.
    pub(super) fn with_labels<L: Into<u32>>(self, labels: Vec<L>, classes: impl Into<usize>) -> Self {
        Self { labels: labels.into_iter().map(Into::into).collect(), classes: classes.into(), ..self }
    }
}

/// Planes of red, green and blue, one after another, as pixels of red, green and blue.
pub(super) fn interleave(planes: &[u8]) -> impl Iterator<Item = u8> {
    let area = planes.len() / 3;
    (0..area * 3).map(move |i| planes[i % 3 * area + i / 3])
}

impl Dataset for Images {
    fn name(&self) -> String {
        format!("{}:{}", self.set, self.split)
    }

    fn shape(&self) -> DataShape {
        let length = self.shape.iter().product();
        DataShape { values: self.levels, length, classes: self.classes, image: Some(self.shape) }
    }

    fn len(&self) -> usize {
        self.pixels.len() / self.length()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let length = self.length();
        let rows = indices.iter().flat_map(|&i| &self.pixels[i * length..(i + 1) * length]);
        Ok(Tokens::new(rows.map(|&level| level.into()).collect(), length))
    }

    fn labels(&self, indices: &[usize]) -> Vec<u32> {
        match self.classes {
            0 => Vec::new(),
            _ => indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
