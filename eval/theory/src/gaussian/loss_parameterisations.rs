//! The Gaussian diffusion loss in its equivalent parameterisations (eps, x, v, score, velocity), each computed from its
//! own targets and predictions, so that their equality is a result and not an assumption.
//!
//! Sources: Kingma et al. 2021 (VDM); Kingma and Gao 2023.

use elbow_process::gaussian::{Kernel, Level};
use elbow_process::schedule::gaussian::Curve;
use elbow_process::schedule::{GaussianSchedule, sigmoid};

use super::toy::GaussianToy;
use crate::quadrature::{Quadrature, integrate, normal_expectation};

/// The continuous-time loss 1/2 gamma'(t) E |eps - eps_hat|^2 and the KL of one step, in several parameterisations,
/// nats.
#[derive(Clone, Copy, Debug)]
pub struct LossParameterisations {
    /// From eps, x, v = alpha eps - sigma x, the score, and the velocity alpha' x + sigma' eps, in this order; nats per
    /// unit of time.
    pub continuous: [f64; 5],
    /// From eps: 1/2 expm1(gamma_t - gamma_s) |.|^2; from x: 1/2 (SNR_s - SNR_t) |.|^2; from the kernels' means.
    pub finite: [f64; 3],
}

/// The loss at time `t`, and the KL of the step from `t` to `s`, of a toy of one dimension
/// [Kingma and Gao, parameterisations] [VDM, finite T].
pub fn loss_parameterisations(toy: &GaussianToy, schedule: &GaussianSchedule, s: f64, t: f64) -> LossParameterisations {
    let (early, late) = (Level::at(schedule, s), Level::at(schedule, t));
    let kernel = Kernel::new(early, late);
    let (alpha, sigma) = (late.alpha, late.sigma);
    let gamma_prime = schedule.gamma_prime(t);
    // alpha'/alpha = -gamma'/2 sigma^2 and sigma'/sigma = gamma'/2 alpha^2 where alpha^2 + sigma^2 = 1; along a
    // straight line -alpha' = sigma'.
    let (alpha_prime, sigma_prime) = match schedule {
        GaussianSchedule::Whole(Curve::OptimalTransport) => (-1.0, 1.0),
        _ => (-0.5 * gamma_prime * alpha * sigma * sigma, 0.5 * gamma_prime * sigma * alpha * alpha),
    };
    let mut squares = [0.0; 6];
    for component in &toy.data.components {
        for (index, square) in squares.iter_mut().enumerate() {
            let error = |u: &[f64; 2]| {
                let (x, eps) = (component.mean[0] + component.std * u[0], u[1]);
                let z = alpha * x + sigma * eps;
                let x_hat = toy.denoiser.posterior_mean((alpha, sigma), [z, 0.0])[0];
                let eps_hat = (z - alpha * x_hat) / sigma;
                let (target, prediction) = match index {
                    0 => (eps, eps_hat),
                    1 => (x, x_hat),
                    2 => (alpha * eps - sigma * x, alpha * eps_hat - sigma * x_hat),
                    3 => (-(z - alpha * x) / (sigma * sigma), -eps_hat / sigma),
                    4 => (alpha_prime * x + sigma_prime * eps, alpha_prime * x_hat + sigma_prime * eps_hat),
                    _ => (kernel.keep * z + kernel.gain * x, kernel.keep * z + kernel.gain * x_hat),
                };
                (target - prediction).powi(2)
            };
            *square += component.weight * normal_expectation::<2>(1e-13, 4e6, &mut |u| error(u)).value;
        }
    }
    let [eps, x, v, score, velocity, mean] = squares;
    let total = alpha * alpha + sigma * sigma;
    let half = 0.5 * gamma_prime;
    LossParameterisations {
        continuous: [
            half * eps,
            half * late.snr() * x,
            half * (alpha / total).powi(2) * v,
            half * sigma * sigma * score,
            2.0 / (sigma * sigma * gamma_prime) * velocity,
        ],
        finite: [
            0.5 * (early.log_snr - late.log_snr).exp_m1() * eps,
            0.5 * (early.snr() - late.snr()) * x,
            mean / (2.0 * kernel.variance),
        ],
    }
}

/// The diffusion term 1/2 int gamma'(t) E |eps - eps_hat|^2 dt by quadrature in t, nats, for
/// gamma(t) = gamma_0 + (gamma_1 - gamma_0) g(t) [VDM, diffusion loss].
///
/// `warp` gives g(t), from 0 to 1 and increasing, and its derivative. The value must not depend on it.
pub fn warped_diffusion(
    toy: &GaussianToy,
    (gamma_0, gamma_1): (f64, f64),
    warp: impl Fn(f64) -> (f64, f64),
) -> Quadrature {
    integrate(0.0, 1.0, &mut |t| {
        let (g, slope) = warp(t);
        let gamma = gamma_0 + (gamma_1 - gamma_0) * g;
        let eps_error = sigmoid(-gamma) / sigmoid(gamma) * super::expected_error(toy, -gamma);
        0.5 * (gamma_1 - gamma_0) * slope * eps_error
    })
}
