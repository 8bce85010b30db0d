//! Updates of weights after a backward pass, each in one pass over the numbers.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::simd::{sum_of, vectorised};
use super::{composed, contiguous, numbers, numbers_mut, runs_on};

/// The numbers of AdamW (Loshchilov and Hutter 2019) at one step.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub learning_rate: f32,
    /// Learning rate times weight decay.
    pub decay: f32,
    /// beta_1 and beta_2.
    pub betas: [f32; 2],
    /// 1 - beta^t for both.
    pub corrections: [f32; 2],
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// One step for one tensor: weights, gradient and moments to weights and moments. All are plain tensors of the CPU.
pub fn adamw<const D: usize>(
    step: AdamStep,
    weights: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let (mut weights, gradient) = (opened(weights), opened(gradient));
    let [mut first, mut second] = moments.map(opened);
    let changed = (numbers_mut(&mut weights), numbers_mut(&mut first), numbers_mut(&mut second));
    adam_rows(changed.0, changed.1, changed.2, numbers(&gradient), step);
    (closed(weights), [closed(first), closed(second)])
}

/// decay * average + (1 - decay) * current, of tensors without autodiff.
pub fn blend<const D: usize>(average: Tensor<D>, current: Tensor<D>, decay: f64) -> Tensor<D> {
    if !runs_on(&average.device()) {
        return composed::blend(average, current, decay);
    }
    let (mut average, current) = (opened(average), opened(current));
    blend_rows(numbers_mut(&mut average), numbers(&current), decay as f32);
    closed(average)
}

/// The sum of squares of a plain tensor of the CPU ([`runs_on`](crate::runs_on)).
pub fn squared_norm<const D: usize>(x: Tensor<D>) -> f32 {
    let mut sum = 0.0;
    square_sum(&mut sum, numbers(&opened(x)));
    sum
}

fn opened<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    contiguous(tensor.try_into_primitive::<Flex>().expect("a plain tensor of the CPU"))
}

fn closed<const D: usize>(tensor: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(tensor)
}

vectorised! {
    fn adam_rows(weights: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], step: AdamStep) {
        let [beta_1, beta_2] = step.betas;
        let [inverse_1, inverse_2] = step.corrections.map(|correction| 1.0 / correction);
        for (((w, m), v), g) in weights.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = beta_1 * *m + (1.0 - beta_1) * g;
            *v = beta_2 * *v + (1.0 - beta_2) * g * g;
            let delta = *m * inverse_1 / ((*v * inverse_2).sqrt() + step.epsilon);
            *w = *w * (1.0 - step.decay) - step.learning_rate * delta;
        }
    }

    fn blend_rows(average: &mut [f32], current: &[f32], decay: f32) {
        for (average, x) in average.iter_mut().zip(current) {
            *average = decay * *average + (1.0 - decay) * x;
        }
    }

    fn square_sum(sum: &mut f32, x: &[f32]) {
        *sum = sum_of(x, x, |a, b| a * b);
    }
}
