//! The ELBO of noise-augmented data, Kingma and Gao's interpretation of a weighted loss.
//!
//! The noisy data y = z_s(i) have an ELBO of their own under the learned chain above s(i), with the forward process
//! started from y. In expectation K + sum over j >= i of l_j = NELBO(y) - h(z_s(i) | x). So a weighted loss with
//! non-decreasing w~ is a mixture of these bounds (Kingma and Gao 2023) as well as of the bounds with optimal decoders
//! (Shi and Titsias 2025, Theorem 2).

use elbow_process::gaussian::{Kernel, Level};
use elbow_process::schedule::GaussianSchedule;

use super::elbo::level_grid;
use super::mixture::{Component, log_normal};
use super::toy::GaussianToy;
use crate::error::Error;
use crate::quadrature::normal_expectation;

/// E of the negative ELBO of y = z_s(i) for i = 1..=T, nats, for a toy of one dimension
/// [Kingma and Gao, noise-augmented ELBO].
///
/// Every KL is between the reverse law given y, which differs from that given x, and the learned kernel.
pub fn noise_augmented_nelbo(toy: &GaussianToy, schedule: &GaussianSchedule, steps: usize) -> Result<Vec<f64>, Error> {
    if toy.data.dimensions != 1 {
        return Err(Error::Unsupported("the noise-augmented ELBO is computed in one dimension only"));
    }
    let levels = level_grid(schedule, steps);
    let expected = |i: usize| {
        let data = toy.data.noisy(levels[i - 1].alpha, levels[i - 1].sigma);
        data.components.iter().map(|y| y.weight * component_nelbo(toy, &levels, i, y)).sum()
    };
    Ok((1..=steps).map(expected).collect())
}

/// The expected NELBO of y ~ `component`, a component of the law of z_s(i), nats.
fn component_nelbo(toy: &GaussianToy, levels: &[Level], i: usize, component: &Component) -> f64 {
    let start = levels[i - 1];
    let steps = levels.len() - 1;
    let first = Kernel::new(start, levels[i]);
    let mut total = -average(component, relative(start, levels[i]), |y, z| {
        log_normal(1, [y, 0.0], [learned_mean(toy, &first, z), 0.0], first.variance)
    });
    for j in i + 1..=steps {
        let kernel = Kernel::new(levels[j - 1], levels[j]);
        let late = relative(start, levels[j]);
        let given_y = Kernel::new(relative(start, levels[j - 1]), late);
        let ratio = given_y.variance / kernel.variance;
        let mean_gap = average(component, late, |y, z| {
            (given_y.keep * z + given_y.gain * y - learned_mean(toy, &kernel, z)).powi(2)
        });
        total += 0.5 * (ratio - 1.0 - ratio.ln() + mean_gap / kernel.variance);
    }
    let last = relative(start, levels[steps]);
    let moment = component.mean[0].powi(2) + component.std.powi(2);
    let variance = last.sigma * last.sigma;
    total + 0.5 * (last.alpha.powi(2) * moment + variance - 1.0 - variance.ln())
}

/// The noise level of z_t relative to z_s: z_t = alpha z_s + sigma eps.
fn relative(early: Level, late: Level) -> Level {
    let alpha = late.alpha / early.alpha;
    let sigma = late.sigma * (-(late.log_snr - early.log_snr).exp_m1()).sqrt();
    Level { alpha, sigma, log_snr: 2.0 * (alpha.ln() - sigma.ln()) }
}

/// The mean of p_theta(z_s | z_t = z).
fn learned_mean(toy: &GaussianToy, kernel: &Kernel, z: f64) -> f64 {
    let denoised = toy.denoiser.posterior_mean((kernel.late.alpha, kernel.late.sigma), [z, 0.0]);
    kernel.keep * z + kernel.gain * denoised[0]
}

/// E f(y, z) for y ~ `component`, z = alpha y + sigma eps.
fn average(component: &Component, level: Level, f: impl Fn(f64, f64) -> f64) -> f64 {
    let sample = |u: &[f64; 2]| {
        let y = component.mean[0] + component.std * u[0];
        f(y, level.alpha * y + level.sigma * u[1])
    };
    normal_expectation::<2>(1e-13, 4e6, &mut |u| sample(u)).value
}
