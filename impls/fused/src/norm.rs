//! Norms over the last dimension.

use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use super::simd::{sum_of, vectorised};
use super::{Operation, apply, composed, dims, numbers, numbers_mut, runs_on, tensor};

/// x / sqrt(mean(x^2) + epsilon) * gamma, for \[batch, length, width\] and \[width\].
pub fn rms_norm(x: Tensor<3>, gamma: Tensor<1>, epsilon: f64) -> Tensor<3> {
    if !runs_on(&x.device()) {
        return composed::rms_norm(x, gamma, epsilon);
    }
    assert_eq!(gamma.dims()[0], x.dims()[2], "one scale per channel");
    apply(RmsNorm { epsilon: epsilon as f32 }, [x.into_dispatch(), gamma.into_dispatch()])
}

/// (x - mean) / sqrt(variance + epsilon) * (1 + scale) + shift, with one scale and one shift per sequence: \[batch,
/// length, width\] and twice \[batch, 1, width\].
pub fn modulated_norm(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>, epsilon: f64) -> Tensor<3> {
    if !runs_on(&x.device()) {
        return composed::modulated_norm(x, shift, scale, epsilon);
    }
    let [batch, _, width] = x.dims();
    assert_eq!([shift.dims(), scale.dims()], [[batch, 1, width]; 2], "one shift and one scale per sequence");
    let inputs = [x.into_dispatch(), shift.into_dispatch(), scale.into_dispatch()];
    apply(ModulatedNorm { epsilon: epsilon as f32 }, inputs)
}

#[derive(Clone, Debug)]
struct RmsNorm {
    epsilon: f32,
}

impl Operation<2> for RmsNorm {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, gamma]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let saved = keep.then(|| [x.clone(), gamma.clone()]);
        let mut normed = x;
        scale_rows(numbers_mut(&mut normed), numbers(&gamma), self.epsilon);
        (normed, saved)
    }

    fn backward(&self, [x, gamma]: Self::Saved, mut gradient: FlexTensor) -> [FlexTensor; 2] {
        let [.., width] = dims::<3>(&x);
        let mut of_gamma = vec![0.0; width];
        scale_slopes(numbers_mut(&mut gradient), &mut of_gamma, numbers(&x), numbers(&gamma), self.epsilon);
        [gradient, tensor(of_gamma, [width])]
    }
}

/// 1 / sqrt(mean(x^2) + epsilon).
#[inline(always)]
fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum_of(x, x, |a, b| a * b) / x.len() as f32 + epsilon).sqrt()
}

vectorised! {
    fn scale_rows(rows: &mut [f32], gamma: &[f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(gamma.len()) {
            let factor = inverse_rms(row, epsilon);
            for (x, gamma) in row.iter_mut().zip(gamma) {
                *x *= factor * gamma;
            }
        }
    }

    /// `slopes` are those of the result, and become those of x.
    fn scale_slopes(slopes: &mut [f32], of_gamma: &mut [f32], x: &[f32], gamma: &[f32], epsilon: f32) {
        let width = gamma.len();
        for (row, x) in slopes.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let factor = inverse_rms(x, epsilon);
            for (((slope, sum), x), gamma) in row.iter_mut().zip(&mut *of_gamma).zip(x).zip(gamma) {
                *sum += *slope * x * factor;
                *slope *= gamma;
            }
            let along = factor * factor * factor / width as f32 * sum_of(row, x, |a, b| a * b);
            for (slope, x) in row.iter_mut().zip(x) {
                *slope = factor * *slope - along * x;
            }
        }
    }
}

#[derive(Clone, Debug)]
struct ModulatedNorm {
    epsilon: f32,
}

impl Operation<3> for ModulatedNorm {
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, shift, scale]: [FlexTensor; 3], keep: bool) -> (FlexTensor, Option<Self::Saved>) {
        let [_, length, width] = dims(&x);
        let saved = keep.then(|| [x.clone(), scale.clone()]);
        let mut normed = x;
        let parts = numbers_mut(&mut normed).chunks_exact_mut(length * width).zip(numbers(&shift).chunks_exact(width));
        for ((rows, shift), scale) in parts.zip(numbers(&scale).chunks_exact(width)) {
            modulate_rows(rows, shift, scale, self.epsilon);
        }
        (normed, saved)
    }

    fn backward(&self, [x, scale]: Self::Saved, mut gradient: FlexTensor) -> [FlexTensor; 3] {
        let [batch, length, width] = dims(&x);
        let (mut of_shift, mut of_scale) = (vec![0.0; batch * width], vec![0.0; batch * width]);
        let parts =
            numbers_mut(&mut gradient).chunks_exact_mut(length * width).zip(numbers(&x).chunks_exact(length * width));
        let sums = of_shift.chunks_exact_mut(width).zip(of_scale.chunks_exact_mut(width));
        for (((slopes, x), (of_shift, of_scale)), scale) in parts.zip(sums).zip(numbers(&scale).chunks_exact(width)) {
            modulate_slopes(slopes, of_shift, of_scale, x, scale, self.epsilon);
        }
        [gradient, tensor(of_shift, [batch, 1, width]), tensor(of_scale, [batch, 1, width])]
    }
}

/// Mean, and 1 / sqrt(variance + epsilon).
#[inline(always)]
fn moments(x: &[f32], epsilon: f32) -> [f32; 2] {
    let mean = sum_of(x, x, |a, _| a) / x.len() as f32;
    let variance = sum_of(x, x, |a, _| (a - mean) * (a - mean)) / x.len() as f32;
    [mean, 1.0 / (variance + epsilon).sqrt()]
}

vectorised! {
    fn modulate_rows(rows: &mut [f32], shift: &[f32], scale: &[f32], epsilon: f32) {
        for row in rows.chunks_exact_mut(scale.len()) {
            let [mean, factor] = moments(row, epsilon);
            for ((x, shift), scale) in row.iter_mut().zip(shift).zip(scale) {
                *x = ((*x - mean) * factor).mul_add(1.0 + scale, *shift);
            }
        }
    }

    /// The gradients of one sequence's result become those of x; those of shift and scale are added up.
    fn modulate_slopes(slopes: &mut [f32], of_shift: &mut [f32], of_scale: &mut [f32], x: &[f32], scale: &[f32], epsilon: f32) {
        let width = scale.len();
        for (row, x) in slopes.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let [mean, factor] = moments(x, epsilon);
            let sums = of_shift.iter_mut().zip(&mut *of_scale);
            for (((slope, (of_shift, of_scale)), x), scale) in row.iter_mut().zip(sums).zip(x).zip(scale) {
                *of_shift += *slope;
                *of_scale += *slope * (x - mean) * factor;
                *slope *= 1.0 + scale;
            }
            let level = sum_of(row, row, |a, _| a) / width as f32;
            let along = sum_of(row, x, |a, x| a * (x - mean)) * factor / width as f32;
            for (slope, x) in row.iter_mut().zip(x) {
                *slope = factor * (*slope - level - along * (x - mean) * factor);
            }
        }
    }
}
