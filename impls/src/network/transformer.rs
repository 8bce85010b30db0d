//! The transformer of MD4, with variants for smaller problems.
//!
//! Pre-norm blocks without biases. With conditioning: layer norms without weights, modulated by adaLN-zero (Peebles and
//! Xie 2023); without: root-mean-square norms. The output layer starts at zero: an untrained network predicts the
//! uniform distribution, so its NELBO is exactly `length * ln(values)` nats.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::{Embedding, Linear, RmsNorm};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::kind::Basic;
use burn::tensor::{Device, Float, Tensor};

use super::blocks::{Dropout, dense, last_norm, modulation_of};
use super::conditioning::{Conditioning, ConditioningShape};
use super::init::Init;
use super::state_dict::StateDict;
use super::transformer_block::{Block, Perceptron};
use super::{Input, MaskedTargets, Patches, QueryPositions, Signal};
use crate::error::Result;
use crate::key::Key;
use elbow_fused::Visibility;

pub(super) const EPSILON: f64 = 1e-5;

/// The encoding of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Rotated queries and keys (MD4: neighbouring coordinates, base 10,000).
    Rotary,
    /// A learned vector per position, and a learned score per head and relative position (Raffel et al. 2020): better
    /// than rotary on small images, for sequences of one fixed length.
    Learned,
}

crate::names!(Positions, "positions": Rotary = "rotary", Learned = "learned");

/// The size of a [`Transformer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformerShape {
    /// Data values V (the mask is an extra input id).
    pub values: usize,
    /// Tokens, or points.
    pub signal: Signal,
    /// Outputs per token: V logits, V + 1 for an objective with one for the mask; 1 for points.
    pub outputs: usize,
    /// Sequence length; learned positions fix it.
    pub length: usize,
    /// The patches that are the positions, where a position is not one token.
    pub patches: Option<Patches>,
    /// Width of the residual stream; a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Hidden units of the perceptron.
    pub hidden: usize,
    /// Width of the token embedding, where it is not `width` and a dense layer follows (MD4 on text8: 64). Patches need one.
    pub embedding: Option<usize>,
    /// The encoding of positions.
    pub positions: Positions,
    /// The perceptron of the blocks.
    pub perceptron: Perceptron,
    /// The time and the class, where the network sees them.
    pub conditioning: ConditioningShape,
    /// Size of the blocks of positions where a position sees its own block and those before it only; 1 is causal.
    pub block: Option<usize>,
    /// Share of coordinates dropped after attention and perceptron in training.
    pub dropout: f64,
}

/// The network.
#[derive(Module, Debug)]
pub struct Transformer {
    token: Option<Embedding>,
    widen: Option<Linear>,
    position: Option<Param<Tensor<2>>>,
    conditioning: Conditioning,
    blocks: Vec<Block>,
    modulation: Option<Linear>,
    norm: Option<RmsNorm>,
    head: Linear,
    #[module(skip)]
    shape: TransformerShape,
}

impl Transformer {
    /// A freshly initialised network: normal weights of standard deviation 1/sqrt(fan in), scaled down by
    /// sqrt(2 * layers) where a block writes to the residual stream, drawn from `key` alone.
    pub fn new(shape: &TransformerShape, key: &Key, device: &Device) -> Self {
        let mut init = Init::new(key, device);
        let (width, conditioned) = (shape.width, shape.conditioning.is_some());
        let learned = shape.positions == Positions::Learned;
        let embedding = shape.embedding.unwrap_or(width);
        let token = (shape.signal == Signal::Tokens).then(|| init.embedding([shape.values + 1, embedding], 0.02));
        let widen = shape.entering().map(|entering| init.linear([entering, width], 1.0, true));
        let position = learned.then(|| init.normal([shape.positions(), width], 0.02));
        let conditioning = Conditioning::new(&shape.conditioning, &mut init);
        let blocks = (0..shape.layers).map(|_| Block::new(shape, &mut init)).collect();
        let norm = (!conditioned).then(|| init.rms_norm(width, EPSILON));
        let modulation = conditioned.then(|| init.zero_linear([shape.conditioning.width, 2 * width], true));
        let head = init.zero_linear([width, shape.outputs * shape.tokens()], false);
        Self { token, widen, position, conditioning, blocks, modulation, norm, head, shape: *shape }
    }

    /// The same network with a last layer that is not zero.
    #[cfg(test)]
    pub(super) fn with_random_head(mut self, key: &Key) -> Self {
        let [width, across] = self.head.weight.shape().dims();
        self.head = Init::new(key, &self.head.weight.device()).linear([width, across], 1.0, false);
        self
    }

    /// Reads weights under plain names, dense layers as \[out, in\]: `token`, `project`, `time.0`, `time.2`, `class`,
    /// `blocks.0.wq`, `wk`, `wv`, `wo`, `w1`, `w2`, `w3`, `modulation`, `attention_norm`, `ffn_norm`, `final.modulation`,
    /// `final.norm`, `head`. For rotary positions and gated perceptrons, as in MD4. Every tensor must have its place.
    pub fn import(shape: &TransformerShape, path: &Path, device: &Device) -> Result<Self> {
        let mut file = StateDict::load(path)?;
        let plain = shape.signal == Signal::Tokens && shape.patches.is_none();
        if !plain || shape.positions != Positions::Rotary || shape.perceptron == Perceptron::SquaredRelu {
            let what = "only networks over tokens with rotary positions and a gated perceptron can be read";
            return Err(file.wrong(what.into()));
        }
        let mut network = Self::new(shape, &Key::new(0, "replaced"), device);
        network.token = Some(Embedding { weight: file.take("token.weight", device)? });
        if let Some(widen) = &mut network.widen {
            *widen = file.linear("project", true, device)?;
        }
        network.conditioning.import(&mut file, device)?;
        for (number, block) in network.blocks.iter_mut().enumerate() {
            block.import(&mut file, &format!("blocks.{number}"), device)?;
        }
        if let Some(modulation) = &mut network.modulation {
            *modulation = file.linear("final.modulation", true, device)?;
        }
        if let Some(norm) = &mut network.norm {
            norm.gamma = file.take("final.norm.weight", device)?;
        }
        network.head = file.linear("head", false, device)?;
        file.finish()?;
        Ok(network)
    }

    /// The non-linearity before a modulation: the perceptron's own gate, as in the authors' code.
    fn activate(&self, condition: Tensor<2>) -> Tensor<2> {
        match self.shape.perceptron {
            Perceptron::Glu => sigmoid(condition),
            Perceptron::SwiGlu | Perceptron::SquaredRelu => silu(condition),
        }
    }

    fn embedded(&self, input: &Input) -> Tensor<3> {
        let token = self.token.as_ref().expect("Model opens this network as one over tokens only if it embeds them");
        token.forward(input.z.clone())
    }

    /// What a position of a sequence sees.
    fn visible(&self) -> Visibility {
        self.shape.block.map_or(Visibility::All, Visibility::Blocks)
    }

    /// The whole network, from \[batch, length, n\], n numbers per token, to its outputs, \[batch, length, outputs\].
    fn run<K: Basic>(&self, x: Tensor<3>, input: &Input<K>) -> Tensor<3> {
        let x = dense(&self.head, self.features(x, input, self.visible()));
        match &self.shape.patches {
            Some(patches) => patches.join(x),
            None => x,
        }
    }

    /// The network before its last layer, \[batch, positions, width\], from n numbers per token, \[batch, length, n\].
    fn features<K: Basic>(&self, x: Tensor<3>, input: &Input<K>, visible: Visibility) -> Tensor<3> {
        let dropout = Dropout::new(self.shape.dropout, input.dropout.as_ref());
        let condition = self.conditioning.forward(input).map(|condition| self.activate(condition));
        let mut x = match &self.shape.patches {
            Some(patches) => patches.cut(x),
            None => x,
        };
        if let Some(widen) = &self.widen {
            x = dense(widen, x);
        }
        if let Some(position) = &self.position {
            let position = positions(position.val(), x.dims()[1], visible);
            x = x + position.unsqueeze_dim::<3>(0);
        }
        for (number, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &self.shape, visible, condition.as_ref(), &dropout.fold(number));
        }
        let modulation = modulation_of(&self.modulation, condition.as_ref());
        last_norm(x, modulation, &self.norm, EPSILON)
    }
}

/// The learned vectors of the positions of a sequence, twice where it is read with and without noise.
fn positions(learned: Tensor<2>, length: usize, visible: Visibility) -> Tensor<2> {
    match visible {
        Visibility::NoisyAndClean(_) => learned.narrow(0, 0, length / 2).repeat_dim(0, 2),
        Visibility::All | Visibility::Blocks(_) => learned.narrow(0, 0, length),
    }
}

impl TransformerShape {
    /// Tokens per position.
    pub(super) fn tokens(&self) -> usize {
        self.patches.map_or(1, |patches| patches.tokens())
    }

    /// Positions per sequence.
    pub(super) fn positions(&self) -> usize {
        self.length / self.tokens()
    }

    /// Numbers that enter a position through a dense layer; none where the tokens' embeddings are the positions.
    pub(super) fn entering(&self) -> Option<usize> {
        match (self.signal, self.embedding) {
            (Signal::Tokens, None) if self.patches.is_none() => None,
            (Signal::Tokens, embedding) => Some(embedding.unwrap_or(self.width) * self.tokens()),
            (Signal::Points { .. }, _) => Some(self.signal.features() * self.tokens()),
        }
    }
}

/// The passes that [`super::Model`] runs, as the network's signal allows.
impl Transformer {
    pub(super) fn shape(&self) -> &TransformerShape {
        &self.shape
    }

    pub(super) fn logits(&self, input: &Input) -> Tensor<3> {
        self.run(self.embedded(input), input)
    }

    /// The last layer is done for these positions alone.
    pub(super) fn logits_at(&self, input: &Input, positions: &QueryPositions) -> Tensor<2> {
        let features = self.features(self.embedded(input), input, self.visible());
        let targets = positions.targets(input.z.dims()[1], self.shape.patches.as_ref());
        elbow_fused::logits(features, self.head.weight.val(), &targets)
    }

    /// The last layer is done for masked tokens alone, where it is fused with their cost.
    pub(super) fn masked_costs(&self, input: &Input, masked: &MaskedTargets) -> Option<Tensor<2>> {
        Some(self.costs(self.features(self.embedded(input), input, self.visible()), masked))
    }

    /// One pass over the noisy and the clean sequences, where the network's blocks have this size.
    pub(super) fn block_costs(&self, input: &Input, masked: &MaskedTargets, size: usize) -> Option<Tensor<2>> {
        if self.shape.block != Some(size) {
            return None;
        }
        let clean = masked.ids(&input.z.device());
        let both = Input { z: Tensor::cat(vec![input.z.clone(), clean], 1), ..input.clone() };
        let features = self.features(self.embedded(&both), &both, Visibility::NoisyAndClean(size));
        Some(self.costs(features.narrow(1, 0, masked.length), masked))
    }

    /// The cost of each masked token from the features of its position, 0 of the others.
    fn costs(&self, features: Tensor<3>, masked: &MaskedTargets) -> Tensor<2> {
        let targets = masked.targets(self.shape.patches.as_ref());
        let costs = elbow_fused::masked_cross_entropy(features, self.head.weight.val(), targets, self.shape.values);
        costs.reshape([masked.x.len() / masked.length, masked.length])
    }

    pub(super) fn output(&self, input: &Input<Float>) -> Tensor<2> {
        self.run(self.shape.signal.expand(input.z.clone()), input).squeeze_dim::<2>(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().iter::<f64>().collect()
    }

    /// The largest difference relative to the largest number.
    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        let largest = b.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
    }

    #[test]
    fn logits_of_some_positions() {
        let wanted = QueryPositions(vec![vec![0, 5, 6, 63], vec![], vec![17]]);
        for (preset, overrides) in [("md4-digits", vec![]), ("md4-digits", vec!["patch_size=none".to_owned()])] {
            let settings = crate::train::Settings::resolve(preset, &overrides).expect("a valid preset");
            let data = crate::train::DataShape { values: 17, length: 64, classes: 0, image: Some([8, 8, 1]) };
            let shape = settings.network(&data).expect("a network");
            // A fresh network's last layer is zero: it is drawn here.
            let made = |device: &Device| {
                let crate::network::NetworkShape::Transformer(shape) = shape else { panic!("a transformer") };
                Transformer::new(&shape, &Key::new(1, "weights"), device).with_random_head(&Key::new(2, "head"))
            };
            let ids: Vec<u32> = (0..3 * 64).map(|i| i * 7 % 18).collect();
            for device in [Device::flex(), Device::flex().autodiff()] {
                let network = made(&device);
                let input = Input::new(crate::network::ids_tensor(&ids, 64, &device), &[0.5; 3]);
                let all = numbers(network.logits(&input));
                let expected: Vec<f64> =
                    wanted.iter().flat_map(|(row, n)| all[(row * 64 + n) * 17..][..17].to_vec()).collect();
                let found = numbers(network.logits_at(&input, &wanted));
                assert!(largest_difference(&found, &expected) < 3e-6, "{}", largest_difference(&found, &expected));
                let next: Vec<f64> =
                    wanted.iter().flat_map(|(row, n)| all[(row * 64 + n + 1) % 192 * 17..][..17].to_vec()).collect();
                assert!(largest_difference(&found, &next) > 0.1, "witness: its neighbour's logits are others");
            }
        }
    }
}
