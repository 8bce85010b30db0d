//! The parts of the U-Nets: residual blocks of convolutions, attention among pixels, changes of resolution.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, Linear};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

use super::blocks::{Dropout, dense};
use super::init::Init;
use super::state_dict::StateDict;
use super::unet_shape::UNetShape;
use crate::error::Result;
use elbow_fused::{Visibility, self_attention};

/// Group norm; where `film` is there, its scale and shift come from the condition.
#[derive(Module, Debug)]
pub(super) struct Norm {
    norm: GroupNorm,
    film: Option<Linear>,
}

/// Two convolutions beside a skip.
#[derive(Module, Debug)]
pub(super) struct ResidualBlock {
    norm1: Norm,
    conv1: Conv2d,
    /// Adds the condition between the convolutions (CIFAR-10); the other form modulates the norms.
    shift: Option<Linear>,
    norm2: Norm,
    conv2: Conv2d,
    skip: Option<Conv2d>,
}

/// Self-attention of one head among all pixels, beside a skip.
#[derive(Module, Debug)]
pub(super) struct ImageAttention {
    norm: Norm,
    qkv: Linear,
    out: Linear,
}

impl Norm {
    pub fn new(channels: usize, film: Option<usize>, init: &mut Init) -> Self {
        let affine = film.is_none();
        let norm = GroupNorm {
            gamma: affine.then(|| init.constant([channels], 1.0)),
            beta: affine.then(|| init.constant([channels], 0.0)),
            // 32, as published; small networks take the largest number that leaves four channels per group. A group of
            // one would remove the mean of a channel, and with it all that the condition adds.
            num_groups: (1..=32.min(channels / 4)).rev().find(|n| channels.is_multiple_of(*n)).unwrap_or(1),
            num_channels: channels,
            epsilon: 1e-6,
            affine,
        };
        Self { norm, film: film.map(|width| init.zero_linear([width, 2 * channels], true)) }
    }

    pub fn import(&mut self, name: &str, file: &mut StateDict, device: &Device) -> Result<()> {
        file.group_norm(name, &mut self.norm, device)
    }

    pub fn forward(&self, x: Tensor<4>, condition: Option<&Tensor<2>>) -> Tensor<4> {
        let channels = self.norm.num_channels;
        let x = self.norm.forward(x);
        match (&self.film, condition) {
            (Some(film), Some(condition)) => {
                let film = per_channel(film.forward(condition.clone()));
                x * (film.clone().narrow(1, 0, channels) + 1.0) + film.narrow(1, channels, channels)
            }
            _ => x,
        }
    }
}

/// \[batch, channels\] to \[batch, channels, 1, 1\].
fn per_channel(x: Tensor<2>) -> Tensor<4> {
    let [batch, channels] = x.dims();
    x.reshape([batch, channels, 1, 1])
}

impl ResidualBlock {
    /// From `from` to `to` channels.
    pub fn new(shape: &UNetShape, [from, to]: [usize; 2], init: &mut Init) -> Self {
        let film = shape.film();
        let added = shape.conditioning.is_some() && film.is_none();
        Self {
            norm1: Norm::new(from, film, init),
            conv1: init.conv([from, to], 3, 1.0),
            shift: added.then(|| init.zero_linear([shape.conditioning.width, to], false)),
            norm2: Norm::new(to, film, init),
            conv2: init.conv([to, to], 3, 0.0),
            skip: (from != to).then(|| init.conv([from, to], 1, 1.0)),
        }
    }

    pub fn import(&mut self, name: &str, file: &mut StateDict, device: &Device) -> Result<()> {
        let name = |part: &str| format!("{name}.{part}");
        self.norm1.import(&name("norm1"), file, device)?;
        file.conv(&name("conv1"), &mut self.conv1, device)?;
        if let Some(shift) = &mut self.shift {
            *shift = file.linear(&name("shift"), false, device)?;
        }
        self.norm2.import(&name("norm2"), file, device)?;
        file.conv(&name("conv2"), &mut self.conv2, device)?;
        self.skip.as_mut().map_or(Ok(()), |skip| file.conv(&name("skip"), skip, device))
    }

    pub fn forward(&self, x: Tensor<4>, condition: Option<&Tensor<2>>, dropout: &Dropout) -> Tensor<4> {
        let mut h = self.conv1.forward(silu(self.norm1.forward(x.clone(), condition)));
        if let (Some(shift), Some(condition)) = (&self.shift, condition) {
            h = h + per_channel(shift.forward(condition.clone()));
        }
        let h = self.conv2.forward(dropout.apply(silu(self.norm2.forward(h, condition))));
        match &self.skip {
            Some(skip) => skip.forward(x) + h,
            None => x + h,
        }
    }
}

impl ImageAttention {
    pub fn new(channels: usize, init: &mut Init) -> Self {
        Self {
            norm: Norm::new(channels, None, init),
            qkv: init.linear([channels, 3 * channels], 1.0, true),
            out: init.linear([channels, channels], 1.0, true),
        }
    }

    pub fn import(&mut self, name: &str, file: &mut StateDict, device: &Device) -> Result<()> {
        self.norm.import(&format!("{name}.norm"), file, device)?;
        self.qkv = file.linear(&format!("{name}.qkv"), true, device)?;
        self.out = file.linear(&format!("{name}.out"), true, device)?;
        Ok(())
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let h = self.norm.forward(x.clone(), None).reshape([batch, channels, height * width]).swap_dims(1, 2);
        let h = dense(&self.out, self_attention(dense(&self.qkv, h), 1, None, None, Visibility::All));
        x + h.swap_dims(1, 2).reshape([batch, channels, height, width])
    }
}

/// Half the resolution, by means over 2x2 pixels.
pub(super) fn halve(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let squares = x.reshape([batch, channels, height / 2, 2, width / 2, 2]);
    squares.mean_dim(5).mean_dim(3).reshape([batch, channels, height / 2, width / 2])
}

/// Twice the resolution, by repeating pixels.
pub(super) fn double(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let repeated = x.reshape([batch, channels, height, 1, width, 1]).repeat(&[1, 1, 1, 2, 1, 2]);
    repeated.reshape([batch, channels, 2 * height, 2 * width])
}
