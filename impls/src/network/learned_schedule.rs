//! Schedules that are trained with the network.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

/// The schedule that a model learns, with its initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnedSchedule {
    /// GenMD4's masking schedule per value: theta, \[V\]; softplus(theta) starts at 1, the linear schedule.
    PerValue,
    /// VDM's ends of the noise levels: (gamma_min, ln(gamma_max - gamma_min)), \[2\].
    #[allow(missing_docs)]
    Ends { gamma_min: f64, gamma_max: f64 },
}

/// theta of GenMD4 for V = `values`, at its initial value.
pub(super) fn per_value(values: usize, device: &Device) -> Param<Tensor<1>> {
    // softplus(ln(e - 1)) = 1.
    let theta = vec![(std::f64::consts::E - 1.0).ln() as f32; values];
    Param::from_data(TensorData::new(theta, [values]), device)
}

/// The trained numbers of learned ends: the difference from the initial values, so that weight decay draws to them and
/// not to 0.
pub(super) fn ends(device: &Device) -> Param<Tensor<1>> {
    Param::from_data(TensorData::new(vec![0.0f32; 2], [2]), device)
}

/// (gamma_min, ln(gamma_max - gamma_min)) from the initial ends and the trained difference.
pub(super) fn shifted_ends([gamma_min, gamma_max]: [f64; 2], difference: Tensor<1>) -> Tensor<1> {
    let initial = [gamma_min as f32, (gamma_max - gamma_min).ln() as f32];
    Tensor::from_data(TensorData::from(initial), &difference.device()) + difference
}
