//! A block of the [`Transformer`](super::Transformer): attention, then a perceptron, each added to the residual stream.

use burn::module::{Module, Param};
use burn::nn::{Linear, RmsNorm};
use burn::tensor::{Device, Tensor};

use super::blocks::{Dropout, dense, modulation_of, residual_block};
use super::init::Init;
use super::state_dict::StateDict;
use super::transformer::{EPSILON, Positions, TransformerShape};
use crate::error::Result;
use elbow_fused::{Rotary, Visibility, self_attention};

/// The perceptron of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perceptron {
    /// sigmoid(W1 x) * W3 x, then W2: MD4's published configurations.
    Glu,
    /// silu(W1 x) * W3 x, then W2.
    SwiGlu,
    /// relu(W1 x)^2, then W2 (So et al. 2021): the fastest here on a CPU.
    SquaredRelu,
}

crate::names!(Perceptron, "perceptron": Glu = "glu", SwiGlu = "swiglu", SquaredRelu = "relu2");

#[derive(Module, Debug)]
pub(super) struct Block {
    attention_norm: Option<RmsNorm>,
    qkv: Linear,
    projection: Linear,
    /// Added to the scores, by head and relative position i - j + length - 1.
    relative: Option<Param<Tensor<2>>>,
    mlp_norm: Option<RmsNorm>,
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
    modulation: Option<Linear>,
}

impl Block {
    /// A freshly initialised block; what writes to the residual stream is scaled down by sqrt(2 * layers).
    pub(super) fn new(shape: &TransformerShape, init: &mut Init) -> Self {
        let (width, conditioned) = (shape.width, shape.conditioning.is_some());
        let outer = 1.0 / (2.0 * shape.layers.max(1) as f64).sqrt();
        let norm = |init: &Init| (!conditioned).then(|| init.rms_norm(width, EPSILON));
        Self {
            attention_norm: norm(init),
            qkv: init.linear([width, 3 * width], 1.0, false),
            projection: init.linear([width, width], outer, false),
            relative: (shape.positions == Positions::Learned)
                .then(|| init.constant([shape.heads, 2 * shape.positions() - 1], 0.0)),
            mlp_norm: norm(init),
            gate: (shape.perceptron != Perceptron::SquaredRelu).then(|| init.linear([width, shape.hidden], 1.0, false)),
            up: init.linear([width, shape.hidden], 1.0, false),
            down: init.linear([shape.hidden, width], outer, false),
            modulation: conditioned.then(|| init.zero_linear([shape.conditioning.width, 6 * width], true)),
        }
    }

    /// Reads the weights below a name: `wq`, `wk`, `wv`, `wo`, `w1`, `w2`, `w3`, `modulation`, `attention_norm`, `ffn_norm`.
    pub(super) fn import(&mut self, file: &mut StateDict, place: &str, device: &Device) -> Result<()> {
        let name = |rest: &str| format!("{place}.{rest}");
        self.qkv = file.joined(&["wq", "wk", "wv"].map(name), device)?;
        self.projection = file.linear(&name("wo"), false, device)?;
        self.gate = Some(file.linear(&name("w1"), false, device)?);
        self.up = file.linear(&name("w3"), false, device)?;
        self.down = file.linear(&name("w2"), false, device)?;
        for (norm, part) in [(&mut self.attention_norm, "attention_norm"), (&mut self.mlp_norm, "ffn_norm")] {
            if let Some(norm) = norm {
                norm.gamma = file.take(&name(&format!("{part}.weight")), device)?;
            }
        }
        if let Some(modulation) = &mut self.modulation {
            *modulation = file.linear(&name("modulation"), true, device)?;
        }
        Ok(())
    }

    /// \[batch, length, width\] to the same.
    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        shape: &TransformerShape,
        visible: Visibility,
        condition: Option<&Tensor<2>>,
        dropout: &Dropout,
    ) -> Tensor<3> {
        let attention = |x| dropout.fold(0).apply(self.attention(x, shape, visible));
        let perceptron = |x| dropout.fold(1).apply(self.perceptron(x, shape.perceptron));
        let modulation = modulation_of(&self.modulation, condition);
        residual_block(x, modulation, [&self.attention_norm, &self.mlp_norm], EPSILON, attention, perceptron)
    }

    fn attention(&self, x: Tensor<3>, shape: &TransformerShape, visible: Visibility) -> Tensor<3> {
        let rotary = (shape.positions == Positions::Rotary).then_some(Rotary::Interleaved);
        let relative = self.relative.as_ref().map(|scores| relative_of(scores.val(), x.dims()[1], visible));
        let mixed = self_attention(dense(&self.qkv, x), shape.heads, rotary, relative, visible);
        dense(&self.projection, mixed)
    }

    fn perceptron(&self, x: Tensor<3>, kind: Perceptron) -> Tensor<3> {
        let up = dense(&self.up, x.clone());
        let hidden = match &self.gate {
            Some(gate) => elbow_fused::gated(dense(gate, x), up, kind == Perceptron::SwiGlu),
            None => elbow_fused::squared_relu(up),
        };
        dense(&self.down, hidden)
    }
}

/// The learned scores of the relative positions that a sequence has: the middle ones, where it is shorter than the longest.
fn relative_of(learned: Tensor<2>, length: usize, visible: Visibility) -> Tensor<2> {
    let length = if matches!(visible, Visibility::NoisyAndClean(_)) { length / 2 } else { length };
    let longest = learned.dims()[1].div_ceil(2);
    if length == longest { learned } else { learned.narrow(1, longest - length, 2 * length - 1) }
}
