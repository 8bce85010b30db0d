//! Reweighted losses of Gaussian diffusion in continuous time, T to infinity.

use elbow_process::Weighting;
use elbow_process::gaussian::Level;
use elbow_process::schedule::{GaussianSchedule, LogSnr};

use super::elbo::{average, mean_squared_error};
use super::toy::GaussianToy;
use crate::quadrature::{Quadrature, integrate_line};
use crate::work::Work;

/// The reweighted loss, 1/2 the integral over lambda of w(lambda) E |eps - eps_hat|^2, nats, with its quadrature error
/// [Demystifying, L_w~] [Kingma and Gao, weighted loss].
///
/// The integrand is computed as w(lambda) SNR E |x - x_hat|^2.
pub fn weighted_loss(toy: &GaussianToy, schedule: &GaussianSchedule, weighting: &Weighting) -> Quadrature {
    loss(toy, schedule, weighting, &Work::free())
}

pub(super) fn loss(toy: &GaussianToy, schedule: &GaussianSchedule, weighting: &Weighting, work: &Work) -> Quadrature {
    let (low, high) = (schedule.log_snr(1.0), schedule.log_snr(0.0));
    integrate_line(low, high, weighting.kink().unwrap_or(0.0), &mut |lambda| {
        0.5 * weighting.of_log_snr(schedule, lambda) * lambda.exp() * error(toy, lambda, work)
    })
}

/// E |x - x_hat(z_t)|^2 over the data and the noise at a log-SNR; it does not depend on the scale of z_t.
pub fn expected_error(toy: &GaussianToy, log_snr: f64) -> f64 {
    error(toy, log_snr, &Work::free())
}

fn error(toy: &GaussianToy, log_snr: f64, work: &Work) -> f64 {
    let level = Level::of_log_snr(log_snr);
    average(&toy.data, |k| mean_squared_error(toy, &toy.denoiser, k, level, work)).value
}
