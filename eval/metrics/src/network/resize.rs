//! Image resizing of the tools, on the scale of 0 to 255.

use fast_image_resize::images::Image as Plane;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::{Error, Result};

/// The resizing of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// TensorFlow 1's `resize_bilinear`: output x reads at x in/out, two taps, no antialias.
    Tf1Bilinear,
    /// PyTorch's `interpolate(mode="bilinear", align_corners=False)`: output x reads at (x + 1/2) in/out - 1/2, two
    /// taps.
    HalfPixelBilinear,
    /// Pillow's bicubic on a floating-point image, with antialias when it shrinks; clipped to \[0, 255\] as by
    /// clean-fid.
    PillowBicubic,
    /// Pillow's bicubic on an 8-bit image, as torchvision resizes one: rounded to whole levels after either axis.
    PillowBicubic8Bit,
}

impl Resize {
    /// Resizes one channel \[height, width\] from one height and width to another.
    pub fn plane(self, plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Result<Vec<f32>> {
        match self {
            Self::PillowBicubic => floating_bicubic(plane, from, to),
            Self::PillowBicubic8Bit => {
                let levels: Vec<u8> = plane.iter().map(|&level| level as u8).collect();
                Ok(elbow_images::pillow_bicubic(&levels, from, to).into_iter().map(f32::from).collect())
            }
            _ => Ok(self.two_taps(plane, from, to)),
        }
    }

    /// Lower neighbour, upper neighbour and the upper one's weight, for each output position of one axis. Positions are
    /// computed in single precision, as in the tools.
    fn taps(self, from: usize, to: usize) -> Vec<(usize, usize, f32)> {
        let scale = from as f32 / to as f32;
        let tap = |place: usize| {
            let at = match self {
                Self::Tf1Bilinear => place as f32 * scale,
                // PyTorch's loop for colour images is a fused multiply-add.
                _ => (place as f32 + 0.5).mul_add(scale, -0.5).max(0.0),
            };
            let low = (at as usize).min(from - 1);
            (low, (low + 1).min(from - 1), at - low as f32)
        };
        (0..to).map(tap).collect()
    }

    fn two_taps(self, plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
        let (rows, columns) = (self.taps(from[0], to[0]), self.taps(from[1], to[1]));
        let mut out = Vec::with_capacity(to[0] * to[1]);
        for &(top, bottom, down) in &rows {
            let (above, below) = (&plane[top * from[1]..][..from[1]], &plane[bottom * from[1]..][..from[1]]);
            out.extend(columns.iter().map(|&(left, right, across)| {
                let along = |row: &[f32]| row[left] + (row[right] - row[left]) * across;
                let (above, below) = (along(above), along(below));
                above + (below - above) * down
            }));
        }
        out
    }
}

fn floating_bicubic(plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Result<Vec<f32>> {
    let failed = |e: &dyn std::fmt::Display| Error::Numerical(format!("resizing {from:?} to {to:?}: {e}"));
    let bytes: Vec<u8> = plane.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let source = Plane::from_vec_u8(from[1] as u32, from[0] as u32, bytes, PixelType::F32).map_err(|e| failed(&e))?;
    let mut target = Plane::new(to[1] as u32, to[0] as u32, PixelType::F32);
    // Pillow's bicubic has a = -1/2: the spline of Catmull and Rom.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    Resizer::new().resize(&source, &mut target, &options).map_err(|e| failed(&e))?;
    let level = |bytes: &[u8]| f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).clamp(0.0, 255.0);
    Ok(target.buffer().chunks_exact(4).map(level).collect())
}
