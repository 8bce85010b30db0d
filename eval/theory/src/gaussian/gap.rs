//! The gaps g_i of Theorem 1 for Gaussian diffusion, and the part of them that no Gaussian reverse kernel can remove.

use std::f64::consts::{E, PI};

use elbow_process::gaussian::{Kernel, Level};
use elbow_process::schedule::GaussianSchedule;

use super::elbo::{SquaredErrors, TOLERANCE, average, expectation, level_grid, squared_errors};
use super::mixture::{Mixture, Point, combine, log_normal, log_sum_exp};
use super::toy::GaussianToy;
use crate::quadrature::{ErrorSum, Quadrature, normal_expectation};
use crate::work::Work;

/// Relative change at which an expectation over four normal variables has converged; each refinement costs four times
/// as much as the last.
const TOLERANCE_4: f64 = 1e-10;
/// Largest error of an expectation over four variables that is accepted.
const ENOUGH_4: f64 = 1e-9;

/// The gaps g_i = E L^(i+1) - E L^(i), i = 1..=T, nats [Demystifying, Theorem 1].
///
/// Each is the expected KL of the reverse kernels, `E_{q(z_t)} KL(q(z_s | z_t) || p_theta(z_s | z_t))`, as an integral
/// over (z_s, z_t), and never a difference of bounds. It is infinite where the learned kernel has no variance.
pub fn gaps(toy: &GaussianToy, schedule: &GaussianSchedule, steps: usize) -> Vec<f64> {
    let (levels, work) = (level_grid(schedule, steps), &Work::free());
    let errors = squared_errors(toy, &toy.denoiser, &levels, work);
    let gap = |i| step_gap(toy, [levels[i - 1], levels[i]], i, [&errors, &errors], &mut ErrorSum::default(), work)[0];
    (1..=steps).map(gap).collect()
}

/// g_i of step `i` between two levels, and what is left of it for the exact posterior mean, nats. The squared errors
/// are those of the denoiser and of the exact posterior mean.
pub(super) fn step_gap(
    toy: &GaussianToy,
    [early, late]: [Level; 2],
    i: usize,
    errors: [&SquaredErrors; 2],
    sum: &mut ErrorSum,
    work: &Work,
) -> [f64; 2] {
    let kernel = Kernel::new(early, late);
    if kernel.variance == 0.0 {
        // The kernel is a point: against an exact reverse law that is not, the KL is infinite.
        return [f64::INFINITY; 2];
    }
    let dimensions = toy.data.dimensions as f64;
    let negentropy = sum.scaled(average(&toy.data, |k| reverse_log_density(&toy.data, k, &kernel, work)), 1.0);
    // E -log N(z_s; keep z_t + gain x_hat, variance I), where z_s has that variance around keep z_t + gain x.
    errors.map(|errors| {
        let error = average(&toy.data, |k| errors[k][i - 1]);
        let spread = error.value * kernel.gain.powi(2) / kernel.variance;
        negentropy + 0.5 * (spread + dimensions * (1.0 + (2.0 * PI * kernel.variance).ln()))
    })
}

/// E log q(z_s | z_t) over component `k`, nats, by a joint integral over both.
fn reverse_log_density(data: &Mixture, k: usize, kernel: &Kernel, work: &Work) -> Quadrature {
    let late = data.noisy(kernel.late.alpha, kernel.late.sigma);
    let pair = (kernel.late.alpha, kernel.late.sigma);
    let spread = |j: usize| kernel.variance + kernel.gain.powi(2) * data.component_variance(j, pair);
    let centre = |j: usize, z: Point| combine(kernel.keep, z, kernel.gain, data.component_mean(j, pair, z));
    let log_density = |u: Point, v: Point| {
        let z_t = combine(1.0, late.components[k].mean, late.components[k].std, u);
        let z_s = combine(1.0, centre(k, z_t), spread(k).sqrt(), v);
        let logs = late.log_joint(z_t);
        let each = |(j, log): (usize, &f64)| log + log_normal(data.dimensions, z_s, centre(j, z_t), spread(j));
        log_sum_exp(&logs.iter().enumerate().map(each).collect::<Vec<_>>()) - log_sum_exp(&logs)
    };
    let counted = |u: Point, v: Point| work.value(2 * data.size(), || log_density(u, v));
    if data.dimensions == 1 {
        return normal_expectation::<2>(TOLERANCE, 4e6, &mut |u| counted([u[0], 0.0], [u[1], 0.0]));
    }
    let joint = normal_expectation::<4>(TOLERANCE_4, 4e6, &mut |u| counted([u[0], u[1]], [u[2], u[3]]));
    if joint.error <= ENOUGH_4 { joint } else { by_bayes(data, k, kernel, work) }
}

/// The same by Bayes' rule, q(z_s | z_t) = q(z_t | z_s) q(z_s) / q(z_t), with separate integrals over z_s and z_t.
fn by_bayes(data: &Mixture, k: usize, kernel: &Kernel, work: &Work) -> Quadrature {
    let marginal = |level: Level| {
        let noisy = data.noisy(level.alpha, level.sigma);
        let n = noisy.components[k];
        expectation(data.dimensions, n.mean, n.std, &|z| work.value(data.size(), || noisy.log_density(z)))
    };
    let (early, late) = (marginal(kernel.early), marginal(kernel.late));
    let forward_variance = kernel.variance * (kernel.late.sigma / kernel.early.sigma).powi(2);
    let forward = -0.5 * data.dimensions as f64 * (2.0 * PI * E * forward_variance).ln();
    Quadrature { value: forward + early.value - late.value, error: early.error + late.error }
}
