//! Time and noise of a batch of points.

use burn::tensor::{Device, Tensor, TensorData};

use super::decoder::Decoder;
use crate::batch::Batch;
use crate::error::{Error, Result};

/// Time and noise of a batch, drawn: the randomness of a loss of points.
pub struct GaussianCorruption {
    /// The sequences: their u, the place along the noise, with classes and dropout.
    pub batch: Batch,
    /// x, the clean points, row after row.
    pub x: Vec<f64>,
    /// eps of z_t = alpha x + sigma eps, row after row.
    pub eps: Vec<f64>,
    /// eps of z_0, for a loss or a bound with a reconstruction.
    pub eps_0: Option<Vec<f64>>,
    /// Device of the tensors.
    pub device: Device,
}

impl GaussianCorruption {
    /// Tokens of V = `values` at their places, with given noise.
    pub fn new(batch: &Batch, values: usize, eps: Vec<f64>, eps_0: Option<Vec<f64>>, device: &Device) -> Self {
        let x = Decoder { values }.points(batch.x.ids());
        Self { batch: batch.clone(), x, eps, eps_0, device: device.clone() }
    }

    /// Coordinates of a row.
    pub(super) fn length(&self) -> usize {
        self.x.len() / self.batch.len().max(1)
    }

    /// eps of z_0, where it was drawn.
    pub(super) fn eps_0(&self) -> Result<&[f64]> {
        let missing = || Error::Setting("a corruption without noise of z_0 has no reconstruction".into());
        self.eps_0.as_deref().ok_or_else(missing)
    }

    /// Numbers of the points, as a tensor \[batch, length\].
    pub(super) fn tensor(&self, numbers: impl IntoIterator<Item = f64>) -> Tensor<2> {
        let numbers: Vec<f32> = numbers.into_iter().map(|x| x as f32).collect();
        Tensor::from_data(TensorData::new(numbers, [self.batch.len(), self.length()]), &self.device)
    }
}
