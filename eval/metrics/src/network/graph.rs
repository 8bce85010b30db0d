//! Input and outputs of a network.

use super::convention::Convention;
use crate::Result;
use crate::images::Image;

/// Input and outputs of a network, from its ONNX file.
#[derive(Clone)]
pub(super) struct Graph {
    pub input: Input,
    /// Index and name of the output of the features.
    pub features: (usize, String),
    /// Index of the output `logits`, if there is one.
    pub logits: Option<usize>,
    /// Whether it is the canonical Inception of the FID.
    pub canonical: bool,
}

/// The image input of a network.
#[derive(Clone, Copy)]
pub(super) struct Input {
    pub channels: usize,
    /// Height and width, where they are fixed.
    pub size: Option<[usize; 2]>,
    /// Whether it is given bytes, 0 to 255, which no convention scales.
    pub levels: bool,
}

impl Input {
    /// The input \[channels, height, width\] for an image, with its height and width.
    pub fn of(self, image: &Image, convention: Convention) -> Result<(Vec<f32>, [usize; 2])> {
        match self.levels {
            false => convention.prepare(image, self.channels, self.size),
            true => {
                let (levels, size) = convention.levels(image, self.channels, self.size)?;
                Ok((levels.into_iter().map(f32::round).collect(), size))
            }
        }
    }
}
