//! A bidirectional pre-norm transformer without time conditioning, with learned absolute and relative positions.
//!
//! The output layer starts at zero: an untrained network predicts the uniform distribution, so its NELBO is
//! exactly `length * ln(values)` nats.

use burn::module::{Module, Param};
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use super::MaskedDenoiser;
use crate::key::Key;

/// The size of a [`Transformer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformerShape {
    /// Data values V (the mask is an extra input id).
    pub values: usize,
    /// Sequence length.
    pub length: usize,
    /// Width of the residual stream; a multiple of `heads`.
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
}

/// The network.
#[derive(Module, Debug)]
pub struct Transformer {
    token: Embedding,
    position: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    values: usize,
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: LayerNorm,
    qkv: Linear,
    projection: Linear,
    /// Added to the scores, by head and relative position i - j + length - 1 (Raffel et al. 2020).
    relative: Param<Tensor<2>>,
    mlp_norm: LayerNorm,
    up: Linear,
    down: Linear,
    heads: usize,
}

impl Transformer {
    /// A freshly initialised network: normal weights of standard deviation 1/sqrt(fan in), scaled down by
    /// sqrt(2 * layers) where a block writes to the residual stream, drawn from `key` alone.
    pub fn new(shape: &TransformerShape, key: &Key, device: &Device) -> Self {
        let mut weights = Weights { key, drawn: 0, device };
        let width = shape.width;
        let (inner, outer) = (1.0, 1.0 / (2.0 * shape.layers.max(1) as f64).sqrt());
        let token = Embedding { weight: weights.normal([shape.values + 1, width], 0.02 * (width as f64).sqrt()) };
        let position = weights.normal([shape.length, width], 0.02 * (width as f64).sqrt());
        let blocks = (0..shape.layers)
            .map(|_| Block {
                attention_norm: LayerNormConfig::new(width).init(device),
                qkv: weights.linear(width, 3 * width, inner),
                projection: weights.linear(width, width, outer),
                relative: Param::from_data(
                    TensorData::new(
                        vec![0f32; shape.heads * (2 * shape.length - 1)],
                        [shape.heads, 2 * shape.length - 1],
                    ),
                    device,
                ),
                mlp_norm: LayerNormConfig::new(width).init(device),
                up: weights.linear(width, 4 * width, inner),
                down: weights.linear(4 * width, width, outer),
                heads: shape.heads,
            })
            .collect();
        Self {
            token,
            position,
            blocks,
            norm: LayerNormConfig::new(width).init(device),
            head: weights.linear(width, shape.values, 0.0),
            values: shape.values,
        }
    }
}

/// Draws initial weights, one keyed stream a tensor.
struct Weights<'a> {
    key: &'a Key,
    drawn: u64,
    device: &'a Device,
}

impl Weights<'_> {
    fn normal(&mut self, shape: [usize; 2], scale: f64) -> Param<Tensor<2>> {
        let mut rng = self.key.fold(self.drawn).rng();
        self.drawn += 1;
        let deviation = scale / (shape[1] as f64).sqrt();
        let draw = |_| {
            let x: f64 = StandardNormal.sample(&mut rng);
            (x * deviation) as f32
        };
        let data: Vec<f32> = (0..shape[0] * shape[1]).map(draw).collect();
        Param::from_data(TensorData::new(data, shape), self.device)
    }

    fn linear(&mut self, from: usize, to: usize, scale: f64) -> Linear {
        // `normal` divides by sqrt(columns); a linear layer wants sqrt(fan in) = sqrt(rows).
        let weight = self.normal([from, to], scale * (to as f64 / from as f64).sqrt());
        let bias = Param::from_data(TensorData::new(vec![0f32; to], [to]), self.device);
        Linear { weight, bias: Some(bias) }
    }
}

impl Block {
    /// \[batch, length, width\] to the same.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.attention(self.attention_norm.forward(x));
        // Squared ReLU (So et al. 2021): as good as GELU here, whose tanh took a third of a training step.
        let hidden = relu(self.up.forward(self.mlp_norm.forward(x.clone())));
        x + self.down.forward(hidden.clone() * hidden)
    }

    fn attention(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = x.dims();
        let size = width / self.heads;
        let split = self.qkv.forward(x).reshape([batch, length, 3, self.heads, size]).permute([2, 0, 3, 1, 4]);
        let part = |i: usize| -> Tensor<4> { split.clone().narrow(0, i, 1).squeeze_dim(0) };
        let (q, k, v) = (part(0), part(1), part(2));
        let scores = q.matmul(k.transpose()).mul_scalar(1.0 / (size as f64).sqrt());
        let offsets: Vec<i64> =
            (0..length * length).map(|at| (at / length + length - 1 - at % length) as i64).collect();
        let offsets = Tensor::<1, Int>::from_data(TensorData::new(offsets, [length * length]), &scores.device());
        let bias = self.relative.val().select(1, offsets).reshape([1, self.heads, length, length]);
        let mixed = softmax(scores + bias, 3).matmul(v);
        self.projection.forward(mixed.swap_dims(1, 2).reshape([batch, length, width]))
    }
}

impl MaskedDenoiser for Transformer {
    fn values(&self) -> usize {
        self.values
    }

    fn logits(&self, z: Tensor<2, Int>) -> Tensor<3> {
        let mut x = self.token.forward(z) + self.position.val().unsqueeze_dim::<3>(0);
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(self.norm.forward(x))
    }
}
