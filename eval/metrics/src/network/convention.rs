//! Input conventions: how 8-bit images become the input of a feature network.
//!
//! The tools of FID resize and scale differently, which changes the number; so the convention is part of a metric's
//! name.
//!
//! | convention | resizing | scaling | as in |
//! |---|---|---|---|
//! | `unit` | none | v / 255 | |
//! | `signed` | none | 2 v / 255 - 1 | |
//! | `tf` | bilinear, corners of the grid, no antialias | (v - 128) / 128 | TTUR, torch-fidelity, ADM, EDM |
//! | `pytorch` | bilinear, centres of pixels, no antialias | 2 v / 255 - 1 | pytorch-fid |
//! | `clean` | Pillow's bicubic with antialias, in floating point | (v - 128) / 128 | clean-fid |
//! | `lite` | the same | (v - 127) / 128 | EfficientNet-Lite |

use super::resize::Resize;
use crate::images::Image;
use crate::{Error, Result};

/// Resizing and scaling of 8-bit pixels to the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// No resizing, v / 255.
    Unit,
    /// No resizing, 2 v / 255 - 1.
    Signed,
    /// TensorFlow 1's bilinear resizing, (v - 128) / 128.
    Tf,
    /// PyTorch's bilinear resizing, 2 v / 255 - 1.
    Pytorch,
    /// Pillow's bicubic resizing, (v - 128) / 128.
    Clean,
    /// Pillow's bicubic resizing, (v - 127) / 128.
    Lite,
}

elbow_base::names!(Convention, "network convention":
    Unit = "unit", Signed = "signed", Tf = "tf", Pytorch = "pytorch", Clean = "clean", Lite = "lite",
);

impl Convention {
    /// The conventions that resize: each fits any network of a fixed input size.
    pub const RESIZING: [Self; 4] = [Self::Tf, Self::Pytorch, Self::Clean, Self::Lite];

    /// The resizing to the network's input size, if any.
    pub fn resize(self) -> Option<Resize> {
        match self {
            Self::Unit | Self::Signed => None,
            Self::Tf => Some(Resize::Tf1Bilinear),
            Self::Pytorch => Some(Resize::HalfPixelBilinear),
            Self::Clean | Self::Lite => Some(Resize::PillowBicubic),
        }
    }

    /// The network's input for a level in \[0, 255\], which is not an integer after resizing.
    pub fn scale(self, level: f32) -> f32 {
        match self {
            Self::Unit => level / 255.0,
            Self::Signed | Self::Pytorch => 2.0 * (level / 255.0) - 1.0,
            Self::Tf | Self::Clean => (level - 128.0) / 128.0,
            Self::Lite => (level - 127.0) / 128.0,
        }
    }

    /// The network's input \[channels, height, width\] for an image, with its height and width.
    ///
    /// `channels`, and `size` where it is fixed, belong to the network's input. A grey image is repeated over the
    /// channels.
    pub fn prepare(self, image: &Image, channels: usize, size: Option<[usize; 2]>) -> Result<(Vec<f32>, [usize; 2])> {
        let (levels, to) = self.levels(image, channels, size)?;
        Ok((levels.into_iter().map(|level| self.scale(level)).collect(), to))
    }

    /// The same before scaling: levels in \[0, 255\].
    pub(super) fn levels(
        self,
        image: &Image,
        channels: usize,
        size: Option<[usize; 2]>,
    ) -> Result<(Vec<f32>, [usize; 2])> {
        if channels != image.channels && image.channels != 1 {
            return Err(Error::ChannelMismatch(image.channels, channels));
        }
        let from = [image.height, image.width];
        let to = match (self.resize(), size) {
            (Some(_), Some(size)) => size,
            (Some(_), None) => return Err(Error::FreeInputSize(self)),
            (None, Some([height, width])) if [height, width] != from => {
                let what = format!("{}x{} pixels for a network of {height}x{width}", from[0], from[1]);
                return Err(Error::input(what, "use a convention that resizes: tf, pytorch, clean or lite"));
            }
            (None, _) => from,
        };
        let planes = (0..image.channels).map(|c| {
            let plane: Vec<f32> = image.pixels.iter().skip(c).step_by(image.channels).map(|&v| f32::from(v)).collect();
            match self.resize() {
                Some(resize) => resize.plane(&plane, from, to),
                None => Ok(plane),
            }
        });
        let planes = planes.collect::<Result<Vec<_>>>()?.concat();
        Ok((planes.repeat(channels / image.channels), to))
    }
}
