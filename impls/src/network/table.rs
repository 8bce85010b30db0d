//! A denoiser tabulated over every partially masked sequence: exact, for enumerable data.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Input, TokenDenoiser};

/// mu_theta as a table: one row of probabilities per partially masked sequence and position.
#[derive(Clone)]
pub struct TableDenoiser {
    values: usize,
    length: usize,
    /// Log-probabilities, \[(values + 1)^length, length * values\].
    log_probabilities: Tensor<2>,
    theta: Option<Tensor<1>>,
}

impl TableDenoiser {
    /// `probabilities[pattern][position * values + value]`, with the pattern's number written in base
    /// `values + 1`, first position most significant, mask = `values`.
    pub fn new(values: usize, length: usize, probabilities: &[Vec<f64>], device: &Device) -> Self {
        let rows = probabilities.len();
        let flat: Vec<f32> = probabilities.iter().flatten().map(|p| p.ln() as f32).collect();
        let data = TensorData::new(flat, [rows, length * values]);
        Self { values, length, log_probabilities: Tensor::from_data(data, device), theta: None }
    }

    /// The same table with a masking schedule per value (see [`TokenDenoiser::value_schedule`]).
    pub fn with_schedule(self, theta: Tensor<1>) -> Self {
        Self { theta: Some(theta), ..self }
    }
}

impl TokenDenoiser for TableDenoiser {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let z = &input.z;
        let [batch, length] = z.dims();
        let base = self.values as i64 + 1;
        let mut index = z.clone().slice([0..batch, 0..1]);
        for position in 1..length {
            index = index * base + z.clone().slice([0..batch, position..position + 1]);
        }
        let rows = self.log_probabilities.clone().select(0, index.reshape([batch]));
        rows.reshape([batch, self.length, self.values])
    }

    fn value_schedule(&self) -> Option<Tensor<1>> {
        self.theta.clone()
    }
}
