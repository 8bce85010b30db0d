//! What the attention layers of all networks share: rotary positions, masked softmax, norms, dropout.

use burn::nn::{Linear, RmsNorm};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};

use crate::key::{Key, open_uniform};
use elbow_fused::rotary::{Rotary, angles};

/// Rotates \[batch, heads, length, size\] by the position's angles.
fn rotate(rotary: Rotary, x: Tensor<4>) -> Tensor<4> {
    let [batch, heads, length, size] = x.dims();
    let half = size / 2;
    let table = |numbers| Tensor::<2>::from_data(TensorData::new(numbers, [length, half]), &x.device());
    let [cos, sin] = angles(length, half).map(table);
    match rotary {
        Rotary::Halves => {
            let (a, b) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
            let (cos, sin) = (cos.unsqueeze::<4>(), sin.unsqueeze::<4>());
            let first = a.clone() * cos.clone() - b.clone() * sin.clone();
            Tensor::cat(vec![first, a * sin + b * cos], 3)
        }
        Rotary::Interleaved => {
            let pairs = x.reshape([batch, heads, length, half, 2]);
            let (a, b) = (pairs.clone().narrow(4, 0, 1), pairs.narrow(4, 1, 1));
            let shape = [1, 1, length, half, 1];
            let (cos, sin) = (cos.reshape(shape), sin.reshape(shape));
            let first = a.clone() * cos.clone() - b.clone() * sin.clone();
            Tensor::cat(vec![first, a * sin + b * cos], 4).reshape([batch, heads, length, size])
        }
    }
}

/// softmax(q k^T / sqrt(size) + relative) v of joined queries, keys and values: \[batch, length, 3 width\] to
/// \[batch, length, width\].
///
/// `relative` is \[heads, 2 length - 1\], added by relative position i - j + length - 1; queries and keys are first turned by
/// `rotary`; with `causal`, position i sees 0..=i only.
pub(super) fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    rotary: Option<Rotary>,
    relative: Option<Tensor<2>>,
    causal: bool,
) -> Tensor<3> {
    if elbow_fused::runs_on(&qkv.device()) {
        return elbow_fused::attention::attend(qkv, relative, heads, rotary, causal);
    }
    composed_attention(qkv, heads, rotary, relative, causal)
}

/// The same by burn's elementary operations.
pub(super) fn composed_attention(
    qkv: Tensor<3>,
    heads: usize,
    rotary: Option<Rotary>,
    relative: Option<Tensor<2>>,
    causal: bool,
) -> Tensor<3> {
    let [mut q, mut k, v] = split_heads::<3>(qkv, heads);
    if let Some(rotary) = rotary {
        (q, k) = (rotate(rotary, q), rotate(rotary, k));
    }
    let [_, _, length, size] = q.dims();
    let mut scores = q.matmul(k.transpose()).mul_scalar(1.0 / (size as f64).sqrt());
    if let Some(relative) = relative {
        let offsets: Vec<i64> =
            (0..length * length).map(|at| (at / length + length - 1 - at % length) as i64).collect();
        let offsets = Tensor::<1, Int>::from_data(TensorData::new(offsets, [length * length]), &v.device());
        scores = scores + relative.select(1, offsets).reshape([1, heads, length, length]);
    }
    if causal {
        let future = Tensor::<2, Bool>::tril_mask([length, length], 0, &scores.device());
        scores = scores.mask_fill(future.unsqueeze::<4>(), f32::NEG_INFINITY);
    }
    join_heads(softmax(scores, 3).matmul(v))
}

/// Cuts \[batch, length, parts * width\] into `parts` tensors of \[batch, heads, length, width / heads\].
fn split_heads<const PARTS: usize>(x: Tensor<3>, heads: usize) -> [Tensor<4>; PARTS] {
    let [batch, length, total] = x.dims();
    let split = x.reshape([batch, length, PARTS, heads, total / PARTS / heads]).permute([2, 0, 3, 1, 4]);
    std::array::from_fn(|i| split.clone().narrow(0, i, 1).squeeze_dim(0))
}

/// The inverse for one part: \[batch, heads, length, size\] to \[batch, length, heads * size\].
fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, length, size] = x.dims();
    x.swap_dims(1, 2).reshape([batch, length, heads * size])
}

/// Mean 0 and variance 1 over the last dimension: layer norm without weights.
fn standardise<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let deviation = (centred.clone().square().mean_dim(D - 1) + epsilon).sqrt();
    centred / deviation
}

/// x (1 + scale) + shift, with one scale and shift a sequence.
pub(super) fn modulate(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>) -> Tensor<3> {
    x * (scale + 1.0) + shift
}

/// Layer norm without weights, modulated: \[batch, length, width\] to the same.
fn modulated_norm(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>, epsilon: f64) -> Tensor<3> {
    match elbow_fused::runs_on(&x.device()) {
        true => elbow_fused::norm::modulated_norm(x, shift, scale, epsilon),
        false => composed_norm(x, shift, scale, epsilon),
    }
}

/// The same by burn's elementary operations.
pub(super) fn composed_norm(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>, epsilon: f64) -> Tensor<3> {
    modulate(standardise(x, epsilon), shift, scale)
}

/// Root-mean-square norm with a learned scale.
fn rms_norm(norm: &RmsNorm, x: Tensor<3>) -> Tensor<3> {
    match elbow_fused::runs_on(&x.device()) {
        true => elbow_fused::norm::rms_norm(x, norm.gamma.val(), norm.epsilon),
        false => norm.forward(x),
    }
}

/// Cuts \[batch, parts * width\] into `PARTS` tensors of \[batch, 1, width\].
pub(super) fn chunks<const PARTS: usize>(x: Tensor<2>) -> [Tensor<3>; PARTS] {
    let width = x.dims()[1] / PARTS;
    std::array::from_fn(|i| x.clone().narrow(1, i * width, width).unsqueeze_dim(1))
}

/// x plus attention plus perceptron, each on a normed x: modulated and gated by adaLN-zero where `modulation` is there (its six
/// parts, \[batch, 6 width\]), else after the two norms.
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
