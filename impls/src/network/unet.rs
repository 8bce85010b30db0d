//! The U-Nets of VDM and MD4 for pixels: residual blocks, skips from the way down to the way up, and in the middle
//! either self-attention (CIFAR-10) or a transformer over 2x2 patches (ImageNet 64x64). Both stay at one resolution;
//! with more levels each halves the last one's.

use std::path::Path;

use burn::module::Module;
use burn::nn::Embedding;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::silu;
use burn::tensor::kind::Basic;
use burn::tensor::{Device, Float, Tensor};

use super::blocks::Dropout;
use super::conditioning::Conditioning;
use super::init::Init;
use super::patches::PatchTransformer;
use super::residual::{ImageAttention, Norm, ResidualBlock, double, halve};
use super::state_dict::StateDict;
use super::unet_shape::UNetShape;
use super::{Input, Signal};
use crate::error::Result;
use crate::key::Key;

/// The network.
#[derive(Module, Debug)]
pub struct UNet {
    token: Option<Embedding>,
    conditioning: Conditioning,
    first: Conv2d,
    down: Vec<ResidualBlock>,
    middle: Middle,
    up: Vec<ResidualBlock>,
    norm: Norm,
    last: Conv2d,
    #[module(skip)]
    shape: UNetShape,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one per network
enum Middle {
    Attention(AttentionMiddle),
    Patches(PatchTransformer),
}

#[derive(Module, Debug)]
struct AttentionMiddle {
    before: ResidualBlock,
    attention: ImageAttention,
    after: ResidualBlock,
}

impl UNet {
    /// A freshly initialised network: the last convolution of every block and the output are zero, so that it
    /// predicts the uniform distribution.
    pub fn new(shape: &UNetShape, key: &Key, device: &Device) -> Self {
        let mut init = Init::new(key, device);
        let [height, _, channels] = shape.image;
        let width = shape.width;
        let is_tokens = shape.signal == Signal::Tokens;
        let token = is_tokens.then(|| init.embedding([shape.values + 1, width], 1.0 / (width as f64).sqrt()));
        let conditioning = Conditioning::new(&shape.conditioning, &mut init);
        let entering = if is_tokens { width } else { shape.signal.features() };
        let first = init.conv([channels * entering, width], 3, 1.0);
        let [down, up] = shape.blocks();
        let down = down.iter().map(|(_, channels)| ResidualBlock::new(shape, *channels, &mut init)).collect();
        let deepest = shape.channels(shape.levels - 1);
        let middle = match &shape.patches {
            None => Middle::Attention(AttentionMiddle {
                before: ResidualBlock::new(shape, [deepest; 2], &mut init),
                attention: ImageAttention::new(deepest, &mut init),
                after: ResidualBlock::new(shape, [deepest; 2], &mut init),
            }),
            Some(patches) => {
                let condition = shape.conditioning.is_some().then_some(shape.conditioning.width);
                let size = height >> (shape.levels - 1);
                Middle::Patches(PatchTransformer::new(patches, size, deepest, condition, &mut init))
            }
        };
        let up = up.iter().map(|(_, channels)| ResidualBlock::new(shape, *channels, &mut init)).collect();
        let norm = Norm::new(width, shape.film(), &mut init);
        let leaving = if is_tokens { shape.values } else { 1 };
        let last = init.conv([width, channels * leaving], 3, 0.0);
        Self { token, conditioning, first, down, middle, up, norm, last, shape: *shape }
    }

    /// Reads weights under plain names, as PyTorch lays them out: `time.0`, `time.2`, `class`, `first`, `down.0.norm1`,
    /// `conv1`, `shift`, `norm2`, `conv2`, `skip`, `middle.before`, `middle.attention.norm`, `qkv`, `out`, `middle.after`,
    /// `up.0`, `norm`, `last`. For points and attention in the middle. Every tensor must have its place.
    pub fn import(shape: &UNetShape, path: &Path, device: &Device) -> Result<Self> {
        let mut file = StateDict::load(path)?;
        let mut network = Self::new(shape, &Key::new(0, "replaced"), device);
        let (None, Middle::Attention(middle)) = (&network.token, &mut network.middle) else {
            return Err(file.wrong("only networks over points with attention in the middle can be read".into()));
        };
        network.conditioning.import(&mut file, device)?;
        file.conv("first", &mut network.first, device)?;
        middle.before.import("middle.before", &mut file, device)?;
        middle.attention.import("middle.attention", &mut file, device)?;
        middle.after.import("middle.after", &mut file, device)?;
        for (way, blocks) in [("down", &mut network.down), ("up", &mut network.up)] {
            for (number, block) in blocks.iter_mut().enumerate() {
                block.import(&format!("{way}.{number}"), &mut file, device)?;
            }
        }
        network.norm.import("norm", &mut file, device)?;
        file.conv("last", &mut network.last, device)?;
        file.finish()?;
        Ok(network)
    }
}

impl UNet {
    /// The whole network, from \[batch, length, n\], n numbers per token, to its outputs, \[batch, length, outputs\].
    fn run<K: Basic>(&self, x: Tensor<3>, input: &Input<K>) -> Tensor<3> {
        let dropout = Dropout::new(self.shape.dropout, input.dropout.as_ref());
        let [batch, length, entering] = x.dims();
        let [height, width, channels] = self.shape.image;
        let condition = self.conditioning.forward(input).map(|condition| match self.shape.signal {
            Signal::Tokens => condition,
            // VDM's condition passes a last activation.
            Signal::Points { .. } => silu(condition),
        });
        let condition = condition.as_ref();
        // Tokens: each channel with its embedding. Points: all channels of z, then of each wave (VDM's own code has
        // all sines before all cosines).
        let pixels = x.reshape([batch, height, width, channels, entering]);
        let pixels = match self.shape.signal {
            Signal::Tokens => pixels,
            Signal::Points { .. } => pixels.swap_dims(3, 4),
        };
        let pixels = pixels.reshape([batch, height, width, channels * entering]);
        let mut h = self.first.forward(pixels.permute([0, 3, 1, 2]));
        let mut skips = vec![h.clone()];
        for (number, block) in self.down.iter().enumerate() {
            if number > 0 && number.is_multiple_of(self.shape.layers) {
                h = halve(h);
                skips.push(h.clone());
            }
            h = block.forward(h, condition, &dropout.fold(number));
            skips.push(h.clone());
        }
        let number = self.down.len();
        h = match &self.middle {
            Middle::Attention(AttentionMiddle { before, attention, after }) => {
                let h = before.forward(h, condition, &dropout.fold(number));
                after.forward(attention.forward(h), condition, &dropout.fold(number + 1))
            }
            Middle::Patches(patches) => patches.forward(h, condition, &dropout.fold(number)),
        };
        for (number, (block, skip)) in self.up.iter().zip(skips.into_iter().rev()).enumerate() {
            if number > 0 && number.is_multiple_of(self.shape.layers + 1) {
                h = double(h);
            }
            let joined = Tensor::cat(vec![h, skip], 1);
            h = block.forward(joined, condition, &dropout.fold(self.down.len() + 2 + number));
        }
        let out = self.last.forward(silu(self.norm.forward(h, condition)));
        // [batch, channels * outputs, height, width] to one row of outputs per token, in the order of the tokens.
        let outputs = out.dims()[1] / channels;
        let out = out.reshape([batch, channels, outputs, height * width]);
        out.permute([0, 3, 1, 2]).reshape([batch, length, outputs])
    }

    // The passes that `Model` runs, as the network's signal allows.

    pub(super) fn shape(&self) -> &UNetShape {
        &self.shape
    }

    pub(super) fn logits(&self, input: &Input) -> Tensor<3> {
        let token = self.token.as_ref().expect("Model opens this network as one over tokens only if it embeds them");
        self.run(token.forward(input.z.clone()), input)
    }

    pub(super) fn output(&self, input: &Input<Float>) -> Tensor<2> {
        self.run(self.shape.signal.expand(input.z.clone()), input).squeeze_dim::<2>(2)
    }
}
