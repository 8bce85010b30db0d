//! The posterior mean of a mixture as a denoiser, for losses with an exact prediction.

use burn::tensor::{Float, Tensor, TensorData};
use elbow_impls::gaussian::{Level, Prediction};
use elbow_impls::network::{GaussianDenoiser, Input, to_f64_vec};
use elbow_impls::schedule::{GaussianSchedule, LogSnr};
use elbow_theory::gaussian::Mixture;

use crate::likelihood::ode::Field;

/// E\[x | z\] under a mixture in one or two dimensions, in the parameterisation of a prediction.
pub struct MixtureDenoiser {
    /// The distribution of x.
    pub law: Mixture,
    /// The quantity that the denoiser outputs: eps, v, x or EDM's F.
    pub prediction: Prediction,
    /// V of the tokens that the atoms stand for; any number where points are not tokens.
    pub values: usize,
}

impl MixtureDenoiser {
    /// F at one point z.
    fn f(&self, z: &[f64], log_snr: f64) -> Vec<f64> {
        let network = self.prediction.at(log_snr);
        let level = network.level;
        let point = [z[0], z.get(1).copied().unwrap_or(0.0)];
        let x = self.law.posterior_mean((level.alpha, level.sigma), point);
        let f = |(z, x): (&f64, f64)| network.target(*z, (z - level.alpha * x) / level.sigma);
        z.iter().zip(x).map(f).collect()
    }
}

/// eps_hat and its trace in double precision.
impl Field for MixtureDenoiser {
    fn eps_and_trace(&self, z: &[f64], length: usize, log_snr: f64) -> (Vec<f64>, Vec<f64>) {
        let level = Level::of_log_snr(log_snr);
        let pair = (level.alpha, level.sigma);
        let row = |z: &[f64]| {
            let point = [z[0], z.get(1).copied().unwrap_or(0.0)];
            let x = self.law.posterior_mean(pair, point);
            let eps: Vec<f64> = z.iter().zip(x).map(|(z, x)| (z - level.alpha * x) / level.sigma).collect();
            // dx_hat/dz = alpha / sigma^2 Cov[x | z].
            let gain = (level.alpha / level.sigma).powi(2);
            (eps, (length as f64 - gain * self.law.posterior_variance(pair, point)) / level.sigma)
        };
        let (eps, trace): (Vec<Vec<f64>>, Vec<f64>) = z.chunks(length).map(row).unzip();
        (eps.concat(), trace)
    }
}

impl GaussianDenoiser for MixtureDenoiser {
    fn values(&self) -> usize {
        self.values
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        let [rows, length] = input.z.dims();
        let z: Vec<f64> = to_f64_vec(input.z.clone());
        let times = to_f64_vec(input.time.clone());
        let row = |(z, &time): (&[f64], &f64)| {
            let log_snr = GaussianSchedule::VDM.log_snr(time);
            let scale = self.prediction.at(log_snr).c_in;
            self.f(&z.iter().map(|z| z / scale).collect::<Vec<_>>(), log_snr)
        };
        let f: Vec<f32> = z.chunks(length).zip(&times).flat_map(row).map(|f| f as f32).collect();
        Tensor::from_data(TensorData::new(f, [rows, length]), &input.z.device())
    }
}
