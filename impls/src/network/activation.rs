//! What stands between the dense layers of a perceptron: in one step on the CPU, else by burn's elementary operations.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu_approximate, relu, sigmoid, silu};

/// relu(x)^2.
pub(super) fn squared_relu(x: Tensor<3>) -> Tensor<3> {
    match elbow_fused::runs_on(&x.device()) {
        true => elbow_fused::activation::squared_relu(x),
        false => composed_squared_relu(x),
    }
}

pub(super) fn composed_squared_relu(x: Tensor<3>) -> Tensor<3> {
    relu(x).square()
}

/// sigmoid(gate) * up, or silu(gate) * up.
pub(super) fn gated(gate: Tensor<3>, up: Tensor<3>, is_silu: bool) -> Tensor<3> {
    match elbow_fused::runs_on(&up.device()) {
        true => elbow_fused::activation::gated(gate, up, is_silu),
        false => composed_gated(gate, up, is_silu),
    }
}

pub(super) fn composed_gated(gate: Tensor<3>, up: Tensor<3>, is_silu: bool) -> Tensor<3> {
    if is_silu { silu(gate) * up } else { sigmoid(gate) * up }
}

/// GELU in its tanh form.
pub(super) fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    match elbow_fused::runs_on(&x.device()) {
        true => elbow_fused::activation::gelu_tanh(x),
        false => gelu_approximate(x),
    }
}
