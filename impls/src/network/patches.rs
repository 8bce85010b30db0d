//! The transformer over 2x2 patches in the middle of MD4's U-Net for ImageNet 64x64 (after DiT, Peebles and Xie 2023).

use burn::module::{Module, Param};
use burn::nn::{Linear, RmsNorm};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

use super::blocks::{Dropout, dense, last_norm, modulation_of, residual_block};
use super::init::Init;
use elbow_fused::{Visibility, gelu_tanh, self_attention};

const EPSILON: f64 = 1e-6;
/// Pixels on a side of a patch.
pub(super) const PATCH: usize = 2;

/// The size of the transformer over patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchTransformerShape {
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
}

/// \[batch, channels, size, size\] to the same, through attention among patches.
#[derive(Module, Debug)]
pub(super) struct PatchTransformer {
    embed: Linear,
    position: Param<Tensor<2>>,
    blocks: Vec<PatchBlock>,
    modulation: Option<Linear>,
    norm: Option<RmsNorm>,
    last: Linear,
    heads: usize,
}

#[derive(Module, Debug)]
struct PatchBlock {
    modulation: Option<Linear>,
    norm1: Option<RmsNorm>,
    qkv: Linear,
    out: Linear,
    norm2: Option<RmsNorm>,
    up: Linear,
    down: Linear,
}

impl PatchTransformer {
    pub fn new(
        shape: &PatchTransformerShape,
        size: usize,
        channels: usize,
        condition: Option<usize>,
        init: &mut Init,
    ) -> Self {
        let (width, patch) = (shape.width, PATCH * PATCH * channels);
        let norm = |init: &Init| condition.is_none().then(|| init.rms_norm(width, EPSILON));
        let modulation = |init: &mut Init, parts: usize| condition.map(|c| init.zero_linear([c, parts * width], true));
        let embed = init.linear([patch, width], 1.0, true);
        let position = init.normal([(size / PATCH).pow(2), width], 0.02);
        let blocks = (0..shape.layers)
            .map(|_| PatchBlock {
                modulation: modulation(init, 6),
                norm1: norm(init),
                qkv: init.linear([width, 3 * width], 1.0, true),
                out: init.linear([width, width], 1.0, false),
                norm2: norm(init),
                up: init.linear([width, 4 * width], 1.0, true),
                down: init.linear([4 * width, width], 1.0, true),
            })
            .collect();
        let (modulation, norm) = (modulation(init, 2), norm(init));
        let last = init.zero_linear([width, patch], true);
        Self { embed, position, blocks, modulation, norm, last, heads: shape.heads }
    }

    pub fn forward(&self, x: Tensor<4>, condition: Option<&Tensor<2>>, dropout: &Dropout) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let (rows, columns) = (height / PATCH, width / PATCH);
        let condition = condition.map(|condition| silu(condition.clone()));
        let cut = x.reshape([batch, channels, rows, PATCH, columns, PATCH]).permute([0, 2, 4, 3, 5, 1]);
        let cut = cut.reshape([batch, rows * columns, PATCH * PATCH * channels]);
        let mut h = dense(&self.embed, cut) + self.position.val().unsqueeze_dim::<3>(0);
        for (number, block) in self.blocks.iter().enumerate() {
            h = block.forward(h, condition.as_ref(), self.heads, &dropout.fold(number));
        }
        h = last_norm(h, modulation_of(&self.modulation, condition.as_ref()), &self.norm, EPSILON);
        let h = dense(&self.last, h).reshape([batch, rows, columns, PATCH, PATCH, channels]);
        h.permute([0, 5, 1, 3, 2, 4]).reshape([batch, channels, height, width])
    }
}

impl PatchBlock {
    fn forward(&self, x: Tensor<3>, condition: Option<&Tensor<2>>, heads: usize, dropout: &Dropout) -> Tensor<3> {
        let attention = |h| {
            dropout
                .fold(0)
                .apply(dense(&self.out, self_attention(dense(&self.qkv, h), heads, None, None, Visibility::All)))
        };
        let perceptron = |h| dropout.fold(1).apply(dense(&self.down, gelu_tanh(dense(&self.up, h))));
        let modulation = modulation_of(&self.modulation, condition);
        residual_block(x, modulation, [&self.norm1, &self.norm2], EPSILON, attention, perceptron)
    }
}
