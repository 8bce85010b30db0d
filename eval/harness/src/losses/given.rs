//! Denoisers whose outputs are given, and the one that has none.

use burn::tensor::{Float, Tensor, TensorData};
use elbow_impls::network::{GaussianDenoiser, Input, MaskedTargets, TokenDenoiser, points_tensor};

/// A denoiser that is somewhere else: it says how many values there are, and its outputs are NaN.
pub(super) struct Elsewhere {
    pub values: usize,
}

impl TokenDenoiser for Elsewhere {
    fn values(&self) -> usize {
        self.values
    }

    // The objective that was chosen decides the draws.
    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        Tensor::full([batch, length, self.values], f32::NAN, &input.z.device())
    }
}

impl GaussianDenoiser for Elsewhere {
    fn values(&self) -> usize {
        self.values
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        Tensor::full(input.z.dims(), f32::NAN, &input.z.device())
    }
}

/// -log mu_theta(z)\[n, x_n\] of the hidden tokens of one batch, and 0 of the others: \[batch, length\].
pub(super) struct GivenCosts {
    pub values: usize,
    pub costs: Vec<f32>,
}

impl TokenDenoiser for GivenCosts {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        Elsewhere { values: self.values }.logits(input)
    }

    fn masked_costs(&self, input: &Input, _: &MaskedTargets) -> Option<Tensor<2>> {
        Some(points_tensor(&self.costs, input.z.dims()[1], &input.z.device()))
    }
}

/// The logits of one batch, \[batch, length, columns\].
pub(super) struct GivenLogits {
    pub values: usize,
    pub columns: usize,
    pub logits: Vec<f32>,
}

impl TokenDenoiser for GivenLogits {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        Tensor::from_data(TensorData::new(self.logits.clone(), [batch, length, self.columns]), &input.z.device())
    }
}

/// F of one batch of points, \[batch, length\].
pub(super) struct GivenOutput {
    pub values: usize,
    pub output: Vec<f32>,
}

impl GaussianDenoiser for GivenOutput {
    fn values(&self) -> usize {
        self.values
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        points_tensor(&self.output, input.z.dims()[1], &input.z.device())
    }
}
