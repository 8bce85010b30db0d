//! The modality of a network, tokens to logits or points to points, and the patches of an image.

use std::f64::consts::TAU;

use burn::tensor::Tensor;

/// The two kinds of diffusion, as a network sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ids in, logits out.
    Tokens,
    /// Real numbers in, one real number each out.
    Points {
        /// First and last k of the Fourier features sin and cos of 2 pi 2^k z beside z (VDM: 6 and 7 for 256 values).
        fourier: Option<[u32; 2]>,
    },
}

impl Signal {
    /// Numbers that enter the network for each point.
    pub fn features(&self) -> usize {
        match self {
            Self::Points { fourier: Some([first, last]) } => 1 + 2 * (last - first + 1) as usize,
            _ => 1,
        }
    }

    /// z and its Fourier features: \[batch, length\] to \[batch, length, features\], as z, sin, cos, sin, cos, ...
    pub(super) fn expand(&self, z: Tensor<2>) -> Tensor<3> {
        let z = z.unsqueeze_dim::<3>(2);
        let Self::Points { fourier: Some([first, last]) } = self else { return z };
        let waves = (*first..=*last).flat_map(|k| {
            let angle = z.clone().mul_scalar(TAU * f64::from(1 << k));
            [angle.clone().sin(), angle.cos()]
        });
        Tensor::cat(std::iter::once(z.clone()).chain(waves).collect(), 2)
    }
}

/// Square patches of images as the positions of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Height, width and channels; height and width are multiples of `size`.
    pub image: [usize; 3],
    /// Pixels on a side.
    pub size: usize,
}

impl Patches {
    /// Tokens of one patch.
    pub fn tokens(&self) -> usize {
        self.size * self.size * self.image[2]
    }

    /// The patch of a token, and its place within.
    pub(super) fn place(&self, token: usize) -> [usize; 2] {
        let ([_, width, channels], size) = (self.image, self.size);
        let (row, column, channel) = (token / channels / width, token / channels % width, token % channels);
        let patch = row / size * (width / size) + column / size;
        [patch, (row % size * size + column % size) * channels + channel]
    }

    /// \[batch, height * width * channels, n\] to \[batch, patches, tokens of a patch * n\].
    pub(super) fn cut(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, n] = x.dims();
        let ([height, width, channels], size) = (self.image, self.size);
        let x = x.reshape([batch, height / size, size, width / size, size, channels * n]).permute([0, 1, 3, 2, 4, 5]);
        x.reshape([batch, length / self.tokens(), self.tokens() * n])
    }

    /// The inverse.
    pub(super) fn join(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, patches, features] = x.dims();
        let ([height, width, channels], size) = (self.image, self.size);
        let n = features / self.tokens();
        let x = x.reshape([batch, height / size, width / size, size, size, channels * n]).permute([0, 1, 3, 2, 4, 5]);
        x.reshape([batch, patches * self.tokens(), n])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn patches_are_squares_of_pixels_and_join_again() {
        let patches = Patches { image: [4, 4, 2], size: 2 };
        let numbers: Vec<f32> = (0..32).map(|i| i as f32).collect();
        let x = Tensor::<3>::from_data(TensorData::new(numbers, [1, 32, 1]), &Device::flex());
        let cut = patches.cut(x.clone());
        assert_eq!(cut.dims(), [1, 4, 8]);
        // Second patch: columns 2 and 3 of rows 0 and 1, two channels each.
        let second: Vec<f32> = cut.clone().narrow(1, 1, 1).into_data().iter::<f32>().collect();
        assert_eq!(second, [4.0, 5.0, 6.0, 7.0, 12.0, 13.0, 14.0, 15.0]);
        assert_eq!([12, 13, 31].map(|token| patches.place(token)), [[1, 4], [1, 5], [3, 7]]);
        assert_eq!(patches.join(cut).into_data(), x.into_data());
    }
}
