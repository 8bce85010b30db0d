//! A denoiser of points from outside.

use burn::tensor::{Float, Tensor};
use elbow_impls::gaussian::Prediction;
use elbow_impls::network::{GaussianDenoiser, Input, to_f64_vec};
use elbow_impls::schedule::{GaussianSchedule, LogSnr};

use super::network::Network;
use super::rows::{RowValues, Rows, times};
use super::{OutputMeaning, TimeMeaning};

/// F of a network from outside, from its own output.
pub struct OutsidePoints {
    pub(super) network: Network,
    pub(super) schedule: GaussianSchedule,
}

/// The number that tells a network the noise level.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PointClock {
    /// Its meaning.
    pub time: TimeMeaning,
    /// The schedule of a time t.
    pub schedule: GaussianSchedule,
    /// Whether the time runs from noise to data.
    pub reversed: bool,
    /// Whether it is in a thousand steps.
    pub steps: bool,
}

impl PointClock {
    /// The number at a log-SNR.
    fn number(&self, log_snr: f64) -> f64 {
        let number = match self.time {
            TimeMeaning::LogSnr => log_snr,
            TimeMeaning::Sigma => (-log_snr / 2.0).exp(),
            TimeMeaning::CNoise => -log_snr / 8.0,
            TimeMeaning::Time | TimeMeaning::MaskRate => self.schedule.time_of_log_snr(log_snr),
        };
        let number = match (self.reversed, self.time) {
            (false, _) => number,
            (true, TimeMeaning::Time) => 1.0 - number,
            (true, _) => -number,
        };
        if self.steps { 1000.0 * number } else { number }
    }
}

impl OutsidePoints {
    /// What the file says of the time.
    pub(super) fn clock(&self) -> PointClock {
        let time = self.network.file.inputs.time.as_ref().map(|time| time.means);
        PointClock {
            time: time.unwrap_or(TimeMeaning::Time),
            schedule: self.schedule.clone(),
            reversed: false,
            steps: false,
        }
    }

    /// The network's own output, \[batch, length\], and the points that it was given.
    pub(super) fn own_output(&self, input: &Input<Float>, clock: &PointClock) -> Result<(Vec<f32>, Vec<f32>), String> {
        let length = input.z.dims()[1];
        let log_snr = |time: f64| GaussianSchedule::VDM.log_snr(time);
        let times: Vec<f64> = times(input).into_iter().map(|time| clock.number(log_snr(time))).collect();
        let z: Vec<f32> = to_f64_vec(input.z.clone()).into_iter().map(|z| z as f32).collect();
        let rows = Rows { values: RowValues::Points(z.clone()), length };
        let (output, width) = self.network.call(input, &rows, &times)?;
        match width {
            1 => Ok((output, z)),
            _ => Err(format!("its output has {width} numbers per coordinate, and one was expected")),
        }
    }

    fn call(&self, input: &Input<Float>) -> Result<Vec<f32>, String> {
        let (output, z) = self.own_output(input, &self.clock())?;
        // The objective's F is what is added to z (see [`Prediction::Eps`]); the network says eps itself.
        let residual = self.network.file.output.means == OutputMeaning::Eps;
        Ok(output.iter().zip(z).map(|(f, z)| if residual { f - z } else { *f }).collect())
    }

    /// The meaning of F.
    pub fn prediction(&self) -> Prediction {
        self.network.file.prediction().unwrap_or(Prediction::Eps)
    }
}

impl GaussianDenoiser for OutsidePoints {
    fn values(&self) -> usize {
        self.network.file.model.values
    }

    fn classes(&self) -> Option<usize> {
        self.network.file.inputs.class.as_ref().map(|class| class.classes)
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        let [batch, length] = input.z.dims();
        let called = self.call(input);
        self.network.tensor_or_nan(called, [batch, length, 1], &input.z.device()).reshape([batch, length])
    }
}
