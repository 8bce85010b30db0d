//! Dense layers over sequences: in one step on the CPU, else burn's.

use burn::nn::Linear;
use burn::tensor::Tensor;

/// A dense layer for each position: \[batch, length, from\] to \[batch, length, to\].
pub(super) fn dense(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    match elbow_fused::runs_on(&x.device()) {
        true => elbow_fused::dense::dense(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val())),
        false => layer.forward(x),
    }
}
