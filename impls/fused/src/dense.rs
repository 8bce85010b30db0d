//! Dense layers over sequences.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::simd::{View, add_rows, product_of, sum_rows};
use super::{Operation, apply, composed, dims, numbers, runs_on, tensor};

/// x W + bias: \[batch, length, from\] to \[batch, length, to\].
pub fn dense(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    if !runs_on(&x.device()) {
        return composed::dense(x, weight, bias);
    }
    assert_eq!(x.dims()[2], weight.dims()[0], "one row of weights per channel");
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    match bias {
        Some(bias) => apply(Biased, [x, weight, bias.into_dispatch()]),
        None => apply(Plain, [x, weight]),
    }
}

#[derive(Clone, Debug)]
struct Plain;

#[derive(Clone, Debug)]
struct Biased;

/// x W.
fn forward(x: &FlexTensor, weight: &FlexTensor) -> Vec<f32> {
    let ([batch, length, from], [_, to]) = (dims::<3>(x), dims::<2>(weight));
    product_of(View::new(numbers(x), from), View::new(numbers(weight), to), [batch * length, from, to])
}

/// The gradients of x and W: g W^T and x^T g.
fn backward(x: &FlexTensor, weight: &FlexTensor, gradient: &FlexTensor) -> [FlexTensor; 2] {
    let ([batch, length, from], [_, to]) = (dims::<3>(x), dims::<2>(weight));
    let (x, weight) = (View::new(numbers(x), from), View::new(numbers(weight), to));
    let gradient = View::new(numbers(gradient), to);
    let rows = batch * length;
    let of_x = product_of(gradient, weight.transposed(), [rows, to, from]);
    let of_weight = product_of(x.transposed(), gradient, [from, rows, to]);
    [tensor(of_x, [batch, length, from]), tensor(of_weight, [from, to])]
}

/// The shape of the result.
fn shape(x: &FlexTensor, weight: &FlexTensor) -> [usize; 3] {
    let ([batch, length, _], [_, to]) = (dims::<3>(x), dims::<2>(weight));
    [batch, length, to]
}

impl Operation<2> for Plain {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let y = tensor(forward(&x, &weight), shape(&x, &weight));
        (y, keep.then_some([x, weight]))
    }

    fn backward(&self, [x, weight]: Self::Saved, gradient: FlexTensor) -> [FlexTensor; 2] {
        backward(&x, &weight, &gradient)
    }
}

impl Operation<3> for Biased {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, weight, bias]: [FlexTensor; 3], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let mut y = forward(&x, &weight);
        add_rows(&mut y, numbers(&bias));
        let y = tensor(y, shape(&x, &weight));
        (y, keep.then_some([x, weight]))
    }

    fn backward(&self, [x, weight]: Self::Saved, gradient: FlexTensor) -> [FlexTensor; 3] {
        let [of_x, of_weight] = backward(&x, &weight, &gradient);
        let [_, to] = dims::<2>(&weight);
        let mut of_bias = vec![0.0; to];
        sum_rows(&mut of_bias, numbers(&gradient));
        [of_x, of_weight, tensor(of_bias, [to])]
    }
}
