//! Activations between the two dense layers of a perceptron.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::simd::{exp, vectorised};
use super::{Operation, apply, composed, numbers, numbers_mut, runs_on};

/// relu(x)^2, elementwise.
pub fn squared_relu(x: Tensor<3>) -> Tensor<3> {
    if !runs_on(&x.device()) {
        return composed::squared_relu(x);
    }
    apply(Pointwise::SquaredRelu, [x.into_dispatch()])
}

/// GELU in its tanh form: x sigmoid(2 u) with u = sqrt(2/pi) (x + 0.044715 x^3).
pub fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    if !runs_on(&x.device()) {
        return composed::gelu_tanh(x);
    }
    apply(Pointwise::GeluTanh, [x.into_dispatch()])
}

/// sigmoid(gate) * up (GLU), or silu(gate) * up (SwiGLU).
pub fn gated(gate: Tensor<3>, up: Tensor<3>, silu: bool) -> Tensor<3> {
    if !runs_on(&up.device()) {
        return composed::gated(gate, up, silu);
    }
    apply(Gated { silu }, [gate.into_dispatch(), up.into_dispatch()])
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The larger of x and 0; NaN stays NaN, unlike under `f32::max`.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// f(x), number by number.
#[derive(Clone, Debug)]
enum Pointwise {
    SquaredRelu,
    GeluTanh,
}

/// 2 sqrt(2/pi), and the cube's share.
const GELU: [f32; 2] = [1.595_769, 0.044_715];

impl Operation<1> for Pointwise {
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let saved = keep.then(|| x.clone());
        let mut y = x;
        match self {
            Self::SquaredRelu => squared(numbers_mut(&mut y)),
            Self::GeluTanh => gelu(numbers_mut(&mut y)),
        }
        (y, saved)
    }

    fn backward(&self, x: FlexTensor, mut gradient: FlexTensor) -> [FlexTensor; 1] {
        match self {
            Self::SquaredRelu => squared_slopes(numbers_mut(&mut gradient), numbers(&x)),
            Self::GeluTanh => gelu_slopes(numbers_mut(&mut gradient), numbers(&x)),
        }
        [gradient]
    }
}

vectorised! {
    fn squared(x: &mut [f32]) {
        for x in x {
            let relu = relu(*x);
            *x = relu * relu;
        }
    }

    fn squared_slopes(slopes: &mut [f32], x: &[f32]) {
        for (slope, x) in slopes.iter_mut().zip(x) {
            *slope *= 2.0 * relu(*x);
        }
    }

    fn gelu(x: &mut [f32]) {
        for x in x {
            *x *= sigmoid(GELU[0] * *x * (GELU[1] * *x * *x + 1.0));
        }
    }

    fn gelu_slopes(slopes: &mut [f32], x: &[f32]) {
        for (slope, &x) in slopes.iter_mut().zip(x) {
            // Beyond these the slope is 0 or 1, and the cube would overflow.
            let x = x.clamp(-30.0, 30.0);
            let s = sigmoid(GELU[0] * x * (GELU[1] * x * x + 1.0));
            *slope *= s + x * s * (1.0 - s) * GELU[0] * (3.0 * GELU[1] * x * x + 1.0);
        }
    }
}

#[derive(Clone, Debug)]
struct Gated {
    silu: bool,
}

impl Operation<2> for Gated {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [gate, up]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let saved = keep.then(|| [gate.clone(), up.clone()]);
        let mut y = up;
        open(numbers_mut(&mut y), numbers(&gate), self.silu);
        (y, saved)
    }

    fn backward(&self, [gate, up]: Self::Saved, gradient: FlexTensor) -> [FlexTensor; 2] {
        let (mut of_gate, mut of_up) = (gradient.clone(), gradient);
        let slopes = (numbers_mut(&mut of_gate), numbers_mut(&mut of_up));
        open_slopes(slopes.0, slopes.1, numbers(&gate), numbers(&up), self.silu);
        [of_gate, of_up]
    }
}

vectorised! {
    fn open(y: &mut [f32], gate: &[f32], silu: bool) {
        for (y, &x) in y.iter_mut().zip(gate) {
            *y *= sigmoid(x) * if silu { x } else { 1.0 };
        }
    }

    fn open_slopes(of_gate: &mut [f32], of_up: &mut [f32], gate: &[f32], up: &[f32], silu: bool) {
        for (((of_gate, of_up), &x), up) in of_gate.iter_mut().zip(of_up).zip(gate).zip(up) {
            let s = sigmoid(x);
            // sigmoid' = s (1 - s); silu' = s + x s (1 - s).
            let (value, slope) = if silu { (x * s, s * (1.0 + x * (1.0 - s))) } else { (s, s * (1.0 - s)) };
            *of_gate *= up * slope;
            *of_up *= value;
        }
    }
}
