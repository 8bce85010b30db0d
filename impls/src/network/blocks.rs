//! Parts that the transformers share: dense layers, norms, modulated residual blocks, keyed dropout.

use burn::nn::{Linear, RmsNorm};
use burn::tensor::{Tensor, TensorData};
use elbow_fused::modulated_norm;

use crate::key::{Key, open_uniform};

/// x (1 + scale) + shift, with one scale and one shift per sequence.
pub(super) fn modulate(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>) -> Tensor<3> {
    x * (scale + 1.0) + shift
}

/// A dense layer for each position: \[batch, length, from\] to \[batch, length, to\].
pub(super) fn dense(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    elbow_fused::dense(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// Root-mean-square norm with a learned scale.
fn rms_norm(norm: &RmsNorm, x: Tensor<3>) -> Tensor<3> {
    elbow_fused::rms_norm(x, norm.gamma.val(), norm.epsilon)
}

/// Cuts \[batch, parts * width\] into `PARTS` tensors of \[batch, 1, width\].
pub(super) fn chunks<const PARTS: usize>(x: Tensor<2>) -> [Tensor<3>; PARTS] {
    let width = x.dims()[1] / PARTS;
    std::array::from_fn(|i| x.clone().narrow(1, i * width, width).unsqueeze_dim(1))
}

/// x plus attention plus perceptron, each on a normed x: modulated and gated by adaLN-zero where `modulation` is there
/// (its six parts, \[batch, 6 width\]), else after the two norms.
pub(super) fn residual_block(
    x: Tensor<3>,
    modulation: Option<Tensor<2>>,
    norms: [&Option<RmsNorm>; 2],
    epsilon: f64,
    attention: impl FnOnce(Tensor<3>) -> Tensor<3>,
    perceptron: impl FnOnce(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    match (modulation, norms) {
        (Some(modulation), _) => {
            let [shift_a, scale_a, gate_a, shift_m, scale_m, gate_m] = chunks::<6>(modulation);
            let x = x.clone() + gate_a * attention(modulated_norm(x, shift_a, scale_a, epsilon));
            x.clone() + gate_m * perceptron(modulated_norm(x, shift_m, scale_m, epsilon))
        }
        (None, [Some(attention_norm), Some(mlp_norm)]) => {
            let x = x.clone() + attention(rms_norm(attention_norm, x));
            x.clone() + perceptron(rms_norm(mlp_norm, x))
        }
        _ => unreachable!("a block has norms, or a modulation and something to be modulated by"),
    }
}

/// The norm before an output layer: modulated by a shift and a scale (\[batch, 2 width\]) where they are there, else learned.
pub(super) fn last_norm(
    x: Tensor<3>,
    modulation: Option<Tensor<2>>,
    norm: &Option<RmsNorm>,
    epsilon: f64,
) -> Tensor<3> {
    match (modulation, norm) {
        (Some(modulation), _) => {
            let [shift, scale] = chunks::<2>(modulation);
            modulated_norm(x, shift, scale, epsilon)
        }
        (None, Some(norm)) => rms_norm(norm, x),
        (None, None) => unreachable!("a network has a last norm, or a modulation and something to be modulated by"),
    }
}

/// The output of a modulation layer, where there are both a layer and a condition.
pub(super) fn modulation_of(layer: &Option<Linear>, condition: Option<&Tensor<2>>) -> Option<Tensor<2>> {
    layer.as_ref().zip(condition).map(|(layer, condition)| layer.forward(condition.clone()))
}

/// sin and cos of x 10000^(-k / period), k = 0..half: \[batch\] to twice \[batch, half\].
pub(super) fn waves(x: Tensor<1>, half: usize, period: f64) -> [Tensor<2>; 2] {
    let rates: Vec<f32> = (0..half).map(|k| 10_000f64.powf(-(k as f64) / period) as f32).collect();
    let rates = Tensor::<1>::from_data(TensorData::new(rates, [half]), &x.device());
    let angles = x.unsqueeze_dim::<2>(1).matmul(rates.unsqueeze_dim::<2>(0));
    [angles.clone().sin(), angles.cos()]
}

/// Dropout with keyed masks: the same key drops the same coordinates, on any machine.
#[derive(Clone, Debug)]
pub(super) struct Dropout {
    rate: f64,
    key: Option<Key>,
}

impl Dropout {
    /// Drops with probability `rate`; does nothing without a key.
    pub fn new(rate: f64, key: Option<&Key>) -> Self {
        Self { rate, key: key.filter(|_| rate > 0.0).cloned() }
    }

    /// The masks of the part with this number: a layer, a block.
    pub fn fold(&self, part: usize) -> Self {
        Self { rate: self.rate, key: self.key.as_ref().map(|key| key.fold(part as u64)) }
    }

    /// x with a share `rate` of its coordinates set to 0, and the rest scaled up.
    pub fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let Some(key) = &self.key else { return x };
        let mut rng = key.rng();
        let kept = (1.0 / (1.0 - self.rate)) as f32;
        let draw = |_| if open_uniform(&mut rng) < self.rate { 0.0 } else { kept };
        let mask: Vec<f32> = (0..x.shape().num_elements()).map(draw).collect();
        let mask = Tensor::from_data(TensorData::new(mask, x.shape()), &x.device());
        x * mask
    }
}
