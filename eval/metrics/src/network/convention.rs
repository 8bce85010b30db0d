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
//! | `dinov2` | Pillow's bicubic with antialias, in 8 bits | v / 255, ImageNet's mean and deviation | dgm-eval (FD-DINOv2) |
//! | `clip` | the same of the shorter side, then the square in the centre | v / 255, CLIP's mean and deviation | CLIP |

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
    /// Pillow's bicubic resizing in 8 bits, and ImageNet's mean and deviation per channel.
    Dinov2,
    /// The same resizing of the shorter side, the square in the centre, and CLIP's mean and deviation per channel.
    Clip,
}

/// Means and deviations of red, green and blue in \[0, 1\] that DINOv2 was trained with: those of ImageNet.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// The same of CLIP.
const CLIP: [[f32; 3]; 2] = [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]];

elbow_base::names!(Convention, "network convention":
    Unit = "unit", Signed = "signed", Tf = "tf", Pytorch = "pytorch", Clean = "clean", Lite = "lite",
    Dinov2 = "dinov2", Clip = "clip",
);

impl Convention {
    /// The conventions of the FID tools and of the bundled network: each fits any network of a fixed input size.
    pub const RESIZING: [Self; 4] = [Self::Tf, Self::Pytorch, Self::Clean, Self::Lite];

    /// The resizing to the network's input size, if any.
    pub fn resize(self) -> Option<Resize> {
        match self {
            Self::Unit | Self::Signed => None,
            Self::Tf => Some(Resize::Tf1Bilinear),
            Self::Pytorch => Some(Resize::HalfPixelBilinear),
            Self::Clean | Self::Lite => Some(Resize::PillowBicubic),
            Self::Dinov2 | Self::Clip => Some(Resize::PillowBicubic8Bit),
        }
    }

    /// The network's input of one channel (0, 1, 2 for red, green, blue) for a level in \[0, 255\], which need not be an
    /// integer after resizing.
    pub fn scale(self, level: f32, channel: usize) -> f32 {
        let standardised =
            |[mean, deviation]: [[f32; 3]; 2]| (level / 255.0 - mean[channel % 3]) / deviation[channel % 3];
        match self {
            Self::Unit => level / 255.0,
            Self::Signed | Self::Pytorch => 2.0 * (level / 255.0) - 1.0,
            Self::Tf | Self::Clean => (level - 128.0) / 128.0,
            Self::Lite => (level - 127.0) / 128.0,
            Self::Dinov2 => standardised(IMAGENET),
            Self::Clip => standardised(CLIP),
        }
    }

    /// The network's input \[channels, height, width\] for an image, with its height and width.
    ///
    /// `channels`, and `size` where it is fixed, belong to the network's input. A grey image is repeated over the
    /// channels.
    pub fn prepare(self, image: &Image, channels: usize, size: Option<[usize; 2]>) -> Result<(Vec<f32>, [usize; 2])> {
        let (levels, to) = self.levels(image, channels, size)?;
        let plane = to[0] * to[1];
        Ok((levels.into_iter().enumerate().map(|(i, level)| self.scale(level, i / plane)).collect(), to))
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
                return Err(Error::input(
                    what,
                    "use a convention that resizes: tf, pytorch, clean, lite, dinov2 or clip",
                ));
            }
            (None, _) => from,
        };
        let whole = if self == Self::Clip { covering(from, to)? } else { to };
        let planes = (0..image.channels).map(|c| {
            let plane: Vec<f32> = image.pixels.iter().skip(c).step_by(image.channels).map(|&v| f32::from(v)).collect();
            match self.resize() {
                Some(resize) => resize.plane(&plane, from, whole).map(|plane| centre(&plane, whole, to)),
                None => Ok(plane),
            }
        });
        let planes = planes.collect::<Result<Vec<_>>>()?.concat();
        Ok((planes.repeat(channels / image.channels), to))
    }
}

/// The size of an image whose shorter side is that of the square `to`, the longer one rounded down.
fn covering(from: [usize; 2], to: [usize; 2]) -> Result<[usize; 2]> {
    let side = to[0];
    if to[1] != side {
        let what = format!("a network of {}x{} pixels under the convention clip", to[0], to[1]);
        return Err(Error::input(what, "it cuts a square out of the image: use another convention"));
    }
    let shorter = from[0].min(from[1]);
    Ok(from.map(|length| if length == shorter { side } else { side * length / shorter }))
}

/// The part `to` in the centre of a plane, as torchvision cuts it: halves are rounded to even.
fn centre(plane: &[f32], whole: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let start = |axis: usize| ((whole[axis] - to[axis]) as f64 / 2.0).round_ties_even() as usize;
    let (top, left) = (start(0), start(1));
    (top..top + to[0]).flat_map(|row| &plane[row * whole[1] + left..][..to[1]]).copied().collect()
}
