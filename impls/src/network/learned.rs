//! The parameters of a schedule that is trained with the network.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

/// What a model learns beside its network, with the initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnedSchedule {
    /// GenMD4: theta, \[V\]; softplus(theta) starts at 1, the linear schedule.
    PerValue,
    /// VDM: (gamma_min, ln(gamma_max - gamma_min)), \[2\]. What is stored is the difference from the initial values, so that
    /// weight decay draws to them and not to 0.
    Ends { gamma_min: f64, gamma_max: f64 },
}

impl LearnedSchedule {
    /// The trained numbers, for data of V = `values`.
    pub(super) fn parameters(&self, values: usize, device: &Device) -> Param<Tensor<1>> {
        let theta: Vec<f32> = match self {
            // softplus(ln(e - 1)) = 1.
            Self::PerValue => vec![(std::f64::consts::E - 1.0).ln() as f32; values],
            Self::Ends { .. } => vec![0.0; 2],
        };
        let count = theta.len();
        Param::from_data(TensorData::new(theta, [count]), device)
    }

    /// theta, from the trained numbers.
    pub(super) fn theta(&self, parameters: Tensor<1>) -> Tensor<1> {
        match self {
            Self::PerValue => parameters,
            Self::Ends { gamma_min, gamma_max } => {
                let initial = [*gamma_min as f32, (gamma_max - gamma_min).ln() as f32];
                Tensor::from_data(TensorData::from(initial), &parameters.device()) + parameters
            }
        }
    }
}
