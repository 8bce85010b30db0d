//! Points under Gaussian noise: the optimal denoiser is the posterior mean over the training points.

use burn::tensor::Device;
use elbow_impls::batch::Batch;
use elbow_impls::data::Tokens;
use elbow_impls::gaussian::{Decoder, GaussianCorruption, squared_errors};
use elbow_impls::network::{Denoiser, to_f64_vec};
use elbow_impls::train::Settings;
use elbow_theory::optimal_loss::PointFloor;
use rand_distr::{Distribution, StandardNormal};

use super::super::prelude::Error;
use super::{Draw, NoisedData};

/// Tokens at their places on the line. A level is a log-SNR.
pub(super) struct Points {
    data: Tokens,
    values: usize,
    /// Every sequence's number.
    all: Vec<usize>,
    floor: PointFloor,
    device: Device,
}

impl Points {
    pub fn new(data: Tokens, values: usize, device: &Device) -> Self {
        let all = (0..data.len()).collect();
        let floor = PointFloor::new(Decoder { values }.points(data.ids()), data.length());
        Self { data, values, all, floor, device: device.clone() }
    }

    fn eps(&self, (_, key): &Draw) -> Vec<f64> {
        let mut rng = key.rng();
        (0..self.data.length()).map(|_| StandardNormal.sample(&mut rng)).collect()
    }
}

impl NoisedData for Points {
    fn axes(&self) -> [&'static str; 2] {
        ["log-SNR", "|ε − ε̂|²"]
    }

    /// |eps - eps_hat|^2 is the SNR times |x - x_hat|^2.
    fn optimum(&self, level: f64, draw: &Draw) -> f64 {
        level.exp() * self.floor.squared_error(draw.0, &self.all, &self.eps(draw), level)
    }

    fn costs(&self, model: Denoiser, settings: &Settings, level: f64, draws: &[Draw]) -> Result<Vec<f64>, Error> {
        let length = self.data.length();
        let gaussian =
            settings.gaussian().ok_or_else(|| Error::internal("a Gaussian model has a Gaussian objective"))?;
        let rows = draws.iter().flat_map(|(sequence, _)| &self.data.ids()[sequence * length..(sequence + 1) * length]);
        // The place along the noise is not read: the level is given.
        let batch = Batch::new(Tokens::new(rows.copied().collect(), length), vec![0.5; draws.len()]);
        let eps = draws.iter().flat_map(|draw| self.eps(draw)).collect();
        let corruption = GaussianCorruption::new(&batch, self.values, eps, None, &self.device);
        let log_snrs = vec![level; draws.len()];
        Ok(to_f64_vec(squared_errors(&gaussian.prediction, model.gaussian()?, &corruption, &log_snrs)))
    }
}
