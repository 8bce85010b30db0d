//! The parameters of a schedule that is trained with the network.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

/// What a model learns beside its network, with the initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnedSchedule {
    /// GenMD4: theta, \[V\]; softplus(theta) starts at 1, the linear schedule.
    PerValue,
    /// VDM: (gamma_min, ln(gamma_max - gamma_min)), \[2\].
    Ends { gamma_min: f64, gamma_max: f64 },
}

impl LearnedSchedule {
    /// theta for data of V = `values`.
    pub(super) fn parameters(&self, values: usize, device: &Device) -> Param<Tensor<1>> {
        let theta: Vec<f32> = match self {
            // softplus(ln(e - 1)) = 1.
            Self::PerValue => vec![(std::f64::consts::E - 1.0).ln() as f32; values],
            Self::Ends { gamma_min, gamma_max } => vec![*gamma_min as f32, (gamma_max - gamma_min).ln() as f32],
        };
        let count = theta.len();
        Param::from_data(TensorData::new(theta, [count]), device)
    }
}
