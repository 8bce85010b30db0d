//! The same operations composed of burn's elementary ones: they run on any device, and the tests compare with them.

use burn::tensor::activation::{gelu_approximate, log_softmax, relu, sigmoid, silu, softmax};
use burn::tensor::module::linear;
use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, TensorData};

use crate::rotary::{Rotary, angles};
use crate::targets::Targets;
use crate::visibility::Visibility;

/// [`crate::squared_relu`].
pub fn squared_relu(x: Tensor<3>) -> Tensor<3> {
    relu(x).square()
}

/// [`crate::gelu_tanh`].
pub fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    gelu_approximate(x)
}

/// [`crate::gated`].
pub fn gated(gate: Tensor<3>, up: Tensor<3>, is_silu: bool) -> Tensor<3> {
    if is_silu { silu(gate) * up } else { sigmoid(gate) * up }
}

/// [`crate::dense`].
pub fn dense(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    linear(x, weight, bias)
}

/// [`crate::rms_norm`].
pub fn rms_norm(x: Tensor<3>, gamma: Tensor<1>, epsilon: f64) -> Tensor<3> {
    let root_mean_square = (x.clone().square().mean_dim(2) + epsilon).sqrt();
    x / root_mean_square * gamma.unsqueeze()
}

/// [`crate::modulated_norm`].
pub fn modulated_norm(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>, epsilon: f64) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let deviation = (centred.clone().square().mean_dim(2) + epsilon).sqrt();
    centred / deviation * (scale + 1.0) + shift
}

/// [`crate::blend`].
pub fn blend<const D: usize>(average: Tensor<D>, current: Tensor<D>, decay: f64) -> Tensor<D> {
    average.mul_scalar(decay) + current.mul_scalar(1.0 - decay)
}

/// [`crate::logits`].
pub fn logits(features: Tensor<3>, weight: Tensor<2>, targets: &Targets) -> Tensor<2> {
    let (rows, order) = by_place(features, weight, targets);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, &token)| back[token as usize] = at as i64);
    let back = indices(back, &rows);
    rows.select(0, back)
}

/// [`crate::masked_cross_entropy`].
pub fn masked_cross_entropy(features: Tensor<3>, weight: Tensor<2>, targets: &Targets, values: usize) -> Tensor<1> {
    let (rows, order) = by_place(features, weight, targets);
    let x = targets.places.iter().flatten().map(|target| target.value as i64).collect();
    let x = indices(x, &rows).unsqueeze_dim::<2>(1);
    let costs = log_softmax(rows.clone().narrow(1, 0, values), 1).gather(1, x).neg().squeeze_dim::<1>(1);
    let order = indices(order, &rows);
    Tensor::zeros([targets.tokens], &rows.device()).select_assign(0, order, costs, IndexingUpdateOp::Add)
}

/// The logits of the targets, place after place, and the rows of the result that they belong to.
fn by_place(features: Tensor<3>, weight: Tensor<2>, targets: &Targets) -> (Tensor<2>, Vec<i64>) {
    let ([batch, positions, width], [_, across]) = (features.dims(), weight.dims());
    let outputs = across / targets.places.len();
    let features = features.reshape([batch * positions, width]);
    let (mut parts, mut order) = (Vec::new(), Vec::new());
    for (place, targets) in targets.places.iter().enumerate().filter(|(_, targets)| !targets.is_empty()) {
        let rows = indices(targets.iter().map(|target| target.row as i64).collect(), &features);
        let columns = weight.clone().narrow(1, place * outputs, outputs);
        parts.push(features.clone().select(0, rows).matmul(columns));
        order.extend(targets.iter().map(|target| target.token as i64));
    }
    let rows = if parts.is_empty() { Tensor::zeros([0, outputs], &features.device()) } else { Tensor::cat(parts, 0) };
    (rows, order)
}

/// Indices on the device of another tensor.
fn indices(ids: Vec<i64>, like: &Tensor<2>) -> Tensor<1, Int> {
    let count = ids.len();
    Tensor::from_data(TensorData::new(ids, [count]), &like.device())
}

/// Rotates \[batch, heads, length, size\] by the position's angles, counted from 0 after each `period`.
fn rotate(rotary: Rotary, x: Tensor<4>, period: usize) -> Tensor<4> {
    let [batch, heads, length, size] = x.dims();
    let half = size / 2;
    let table = |numbers: Vec<f32>| {
        let numbers = numbers.repeat(length / period);
        Tensor::<2>::from_data(TensorData::new(numbers, [length, half]), &x.device())
    };
    let [cos, sin] = angles(period, half).map(table);
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

/// [`crate::self_attention`].
pub fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    rotary: Option<Rotary>,
    relative: Option<Tensor<2>>,
    visible: Visibility,
) -> Tensor<3> {
    let [mut q, mut k, v] = split_heads::<3>(qkv, heads);
    let [_, _, length, size] = q.dims();
    let period = visible.period(length);
    if let Some(rotary) = rotary {
        (q, k) = (rotate(rotary, q, period), rotate(rotary, k, period));
    }
    let mut scores = q.matmul(k.transpose()).mul_scalar(1.0 / (size as f64).sqrt());
    if let Some(relative) = relative {
        let offset = |at: usize| (at / length % period + period - 1 - at % length % period) as i64;
        let offsets: Vec<i64> = (0..length * length).map(offset).collect();
        let offsets = Tensor::<1, Int>::from_data(TensorData::new(offsets, [length * length]), &v.device());
        scores = scores + relative.select(1, offsets).reshape([1, heads, length, length]);
    }
    if visible != Visibility::All {
        let unseen = |at: usize| visible.ranges(at / length, length).iter().all(|seen| !seen.contains(&(at % length)));
        let unseen: Vec<bool> = (0..length * length).map(unseen).collect();
        let unseen = Tensor::<2, Bool>::from_data(TensorData::new(unseen, [length, length]), &scores.device());
        scores = scores.mask_fill(unseen.unsqueeze::<4>(), f32::NEG_INFINITY);
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
