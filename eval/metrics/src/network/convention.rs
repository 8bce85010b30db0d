//! Input conventions: how 8-bit images become a network's input. "FID" is several numbers, because its tools resize
//! and scale differently; the convention is part of a metric's name.
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
use elbow_base::Error;

/// How 8-bit pixels become the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    Unit,
    Signed,
    Tf,
    Pytorch,
    Clean,
    Lite,
}

elbow_base::names!(Convention, "network convention":
    Unit = "unit",
    Signed = "signed",
    Tf = "tf",
    Pytorch = "pytorch",
    Clean = "clean",
    Lite = "lite",
);

impl Convention {
    /// Those that resize: each can be used with any network of a fixed input size.
    pub const RESIZING: [Self; 4] = [Self::Tf, Self::Pytorch, Self::Clean, Self::Lite];

    /// How images are brought to the network's size.
    pub fn resize(self) -> Option<Resize> {
        match self {
            Self::Unit | Self::Signed => None,
            Self::Tf => Some(Resize::Tf1Bilinear),
            Self::Pytorch => Some(Resize::HalfPixelBilinear),
            Self::Clean | Self::Lite => Some(Resize::PillowBicubic),
        }
    }

    /// The network's input for a level of 0..=255, which need not be whole after resizing.
    pub fn scale(self, level: f32) -> f32 {
        match self {
            Self::Unit => level / 255.0,
            Self::Signed | Self::Pytorch => 2.0 * (level / 255.0) - 1.0,
            Self::Tf | Self::Clean => (level - 128.0) / 128.0,
            Self::Lite => (level - 127.0) / 128.0,
        }
    }

    /// The network's input, planes of \[channels, height, width\], and its height and width. `channels` is what the
    /// network takes: grey images are repeated for a colour network. `size`: height and width that the network takes.
    pub fn prepare(
        self,
        image: &Image,
        channels: usize,
        size: Option<[usize; 2]>,
    ) -> Result<(Vec<f32>, [usize; 2]), Error> {
        if channels != image.channels && image.channels != 1 {
            let what = format!("images of {} channels for a network of {channels}", image.channels);
            return Err(Error::input(what, "use a network for colour images: --network lite0"));
        }
        let from = [image.height, image.width];
        let to = match (self.resize(), size) {
            (Some(_), Some(size)) => size,
            (Some(_), None) => {
                let what = format!("convention {self} resizes, but the network takes any size");
                return Err(Error::input(what, "use --convention unit or signed"));
            }
            (None, Some(size)) if size != from => {
                let what = format!("{}x{} pixels for a network of {}x{}", from[0], from[1], size[0], size[1]);
                return Err(Error::input(what, "use a convention that resizes: tf, pytorch, clean or lite"));
            }
            (None, _) => from,
        };
        let planes = (0..image.channels).map(|c| {
            let plane: Vec<f32> = image.pixels.iter().skip(c).step_by(image.channels).map(|&v| f32::from(v)).collect();
            let plane = match self.resize() {
                Some(resize) => resize.plane(&plane, from, to)?,
                None => plane,
            };
            Ok(plane.into_iter().map(|level| self.scale(level)).collect::<Vec<f32>>())
        });
        let planes = planes.collect::<Result<Vec<_>, Error>>()?.concat();
        Ok((planes.repeat(channels / image.channels), to))
    }
}
