//! The cascade of bounds of a Gaussian diffusion on a toy, by quadrature over the noise of each component.

use std::f64::consts::{E, PI};

use elbow_process::Weighting;
use elbow_process::gaussian::{Kernel, Level};
use elbow_process::schedule::{GaussianSchedule, LogSnr};

use super::chain;
use super::mixture::{Mixture, Point, combine, log_normal, log_sum_exp, square};
use super::toy::GaussianToy;
use crate::cascade::{Cascade, Terms};
use crate::quadrature::{Quadrature, integrate_line, normal_expectation};
use elbow_base::Error;

/// Most steps that are computed.
const MAX_STEPS: usize = 4096;
/// Relative change at which an expectation over one or two normal variables counts as converged.
const TOLERANCE: f64 = 1e-13;
/// The same over four: each refinement costs four times as much as the last.
const TOLERANCE_4: f64 = 1e-10;
/// The error of an expectation over four that is still taken.
const ENOUGH_4: f64 = 1e-9;

/// Computes the cascade on the grid t(i) = i / `steps`. The prior p(z_1) is N(0, I).
pub fn cascade(
    toy: &GaussianToy,
    schedule: &GaussianSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Error> {
    if steps == 0 || steps > MAX_STEPS {
        return Err(Error::input(format!("{steps} steps"), format!("--steps must be 1 to {MAX_STEPS}")));
    }
    let levels: Vec<Level> = (0..=steps).map(|i| Level::at(schedule, i as f64 / steps as f64)).collect();
    let mut error = 0.0;
    let mut count = |q: Quadrature, factor: f64| {
        if factor.is_finite() && q.error.is_finite() {
            error += q.error * factor.abs();
        }
        q.value * factor
    };
    // What each component's errors are at each t(i): the step KLs and the gaps both need them.
    let squared_errors = |belief: &Mixture| -> Vec<Vec<Quadrature>> {
        let of = |k: usize| levels[1..].iter().map(|&level| mean_squared_error(toy, belief, k, level)).collect();
        (0..toy.data.components.len()).map(of).collect()
    };
    let errors = squared_errors(&toy.belief);
    let best = if toy.belief == toy.data { errors.clone() } else { squared_errors(&toy.data) };
    let log_densities: Vec<Quadrature> = (0..toy.data.components.len()).map(|k| log_density(&toy.data, k)).collect();
    let mut terms = Vec::new();
    for (k, component) in toy.data.components.iter().enumerate() {
        let decoder = levels.iter().map(|&level| count(decoder(toy, k, level, log_densities[k]), 1.0)).collect();
        let step = |i: usize| {
            let error = errors[k][i - 1];
            let factor = 0.5 * (levels[i - 1].snr() - levels[i].snr());
            if error.value == 0.0 { 0.0 } else { count(error, factor) }
        };
        let step = (1..=steps).map(step).collect();
        terms.push(Terms { probability: component.weight, decoder, step, prior: prior(toy, k, levels[steps]) });
    }
    let (mut gap, mut mismatch) = (Vec::new(), Vec::new());
    for i in 1..=steps {
        let kernel = Kernel::new(levels[i - 1], levels[i]);
        if kernel.variance == 0.0 {
            // The kernel is a point: against a true reverse law that is not, the KL is infinite.
            gap.push(f64::INFINITY);
            mismatch.push(f64::INFINITY);
            continue;
        }
        let dimensions = toy.data.dimensions as f64;
        let negentropy = count(average(&toy.data, |k| reverse_log_density(&toy.data, k, &kernel)), 1.0);
        // E -log N(z_s; a z_t + b xhat, v I), with z_s spread by v I around a z_t + b x.
        let cross = |errors: &[Vec<Quadrature>]| {
            let error = average(&toy.data, |k| errors[k][i - 1]);
            let spread = error.value * kernel.gain.powi(2) / kernel.variance;
            0.5 * (spread + dimensions * (1.0 + (2.0 * PI * kernel.variance).ln()))
        };
        gap.push(negentropy + cross(&errors));
        mismatch.push(negentropy + cross(&best));
    }
    let entropy = -count(average(&toy.data, |k| log_densities[k]), 1.0);
    let diffusion = weighted_loss(toy, schedule, &Weighting::Elbo);
    let weighted = if *weighting == Weighting::Elbo { diffusion } else { weighted_loss(toy, schedule, weighting) };

    let mut result = Cascade::new(schedule, steps, weighting, entropy, terms, gap);
    result.dimensions = Some(toy.data.dimensions);
    result.kernel_mismatch = mismatch;
    result.neg_elbo_continuous = result.prior - result.decoder[0] + diffusion.value;
    result.weighted_continuous = weighted.value;
    let continuous = diffusion.error.max(weighted.error);
    result.quadrature_error = Some(if continuous.is_nan() { error } else { error.max(continuous) });
    match chain::data_model_kl(toy, &levels) {
        Ok(kl) => result.data_model_kl = kl,
        Err(why) => result.notes.push(format!("data_model_kl is left out: {why}")),
    }
    if levels[0].sigma == 0.0 {
        result.notes.push(format!(
            "the {schedule} schedule has infinite SNR at t = 0: the last step's KL, and L^(1) with it, is infinite for any Gaussian kernel"
        ));
    }
    Ok(result)
}

/// 1/2 times the integral over log-SNR of w(lambda) E |eps - eps_hat|^2 = w(lambda) SNR E |x - x_hat|^2: nats.
pub fn weighted_loss(toy: &GaussianToy, schedule: &GaussianSchedule, weighting: &Weighting) -> Quadrature {
    let (low, high) = (schedule.log_snr(1.0), schedule.log_snr(0.0));
    integrate_line(low, high, weighting.kink().unwrap_or(0.0), &mut |lambda| {
        0.5 * weighting.of_log_snr(schedule, lambda) * lambda.exp() * expected_error(toy, lambda)
    })
}

/// E |x - x_hat(z_t)|^2 over the data and the noise at a log-SNR. It does not depend on how z_t is scaled.
pub fn expected_error(toy: &GaussianToy, log_snr: f64) -> f64 {
    let level = Level::of_log_snr(log_snr);
    average(&toy.data, |k| mean_squared_error(toy, &toy.belief, k, level)).value
}

/// The average over the components of the data.
fn average(data: &Mixture, f: impl Fn(usize) -> Quadrature) -> Quadrature {
    let parts = data.components.iter().enumerate().map(|(k, c)| (c.weight, f(k)));
    parts.fold(Quadrature::default(), |sum, (weight, q)| Quadrature {
        value: sum.value + weight * q.value,
        error: sum.error + weight * q.error,
    })
}

/// E log q(x) over component `k`: of the probability of an atom, of the density of a mixture.
fn log_density(data: &Mixture, k: usize) -> Quadrature {
    let c = data.components[k];
    if data.is_atoms() {
        return Quadrature { value: c.weight.ln(), error: 0.0 };
    }
    expectation(data.dimensions, c.mean, c.std, &|x| data.log_density(x))
}

/// K = E KL(N(alpha x, sigma^2 I) || N(0, I)) over component `k`.
fn prior(toy: &GaussianToy, k: usize, level: Level) -> f64 {
    let (c, d) = (toy.data.components[k], toy.data.dimensions as f64);
    let moment = square(c.mean, [0.0; 2]) + d * c.std * c.std;
    let variance = level.sigma * level.sigma;
    0.5 * (level.alpha.powi(2) * moment + d * (variance - 1.0 - variance.ln()))
}

/// D = E log q(x | z) over component `k` at a noise level; `of_x` is E log q(x) there.
fn decoder(toy: &GaussianToy, k: usize, level: Level, of_x: Quadrature) -> Quadrature {
    let (data, d) = (&toy.data, toy.data.dimensions);
    if level.sigma == 0.0 {
        // x is known: probability 1, or a density without bound.
        return Quadrature { value: if data.is_atoms() { 0.0 } else { f64::INFINITY }, error: 0.0 };
    }
    let noisy = data.noisy(level.alpha, level.sigma);
    let n = noisy.components[k];
    if data.is_atoms() {
        return expectation(d, n.mean, n.std, &|z| {
            let logs = noisy.log_joint(z);
            logs[k] - log_sum_exp(&logs)
        });
    }
    // log q(x|z) = log q(x) + log q(z|x) - log q(z).
    let of_z = expectation(d, n.mean, n.std, &|z| noisy.log_density(z));
    let given = -0.5 * d as f64 * (2.0 * PI * E * level.sigma * level.sigma).ln();
    Quadrature { value: of_x.value + given - of_z.value, error: of_x.error + of_z.error }
}

/// E |x - x_hat(z)|^2 over component `k` of the data, where x_hat is the posterior mean under `belief`.
fn mean_squared_error(toy: &GaussianToy, belief: &Mixture, k: usize, level: Level) -> Quadrature {
    let (data, pair) = (&toy.data, (level.alpha, level.sigma));
    let n = data.noisy(level.alpha, level.sigma).components[k];
    let between = expectation(data.dimensions, n.mean, n.std, &|z| {
        square(data.component_mean(k, pair, z), belief.posterior_mean(pair, z))
    });
    let within = data.dimensions as f64 * data.component_variance(k, pair);
    Quadrature { value: between.value + within, error: between.error }
}

/// E log q(z_s | z_t) over component `k`: a joint integral over both.
fn reverse_log_density(data: &Mixture, k: usize, kernel: &Kernel) -> Quadrature {
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
    if data.dimensions == 1 {
        return normal_expectation::<2>(TOLERANCE, 4e6, &mut |u| log_density([u[0], 0.0], [u[1], 0.0]));
    }
    let joint = normal_expectation::<4>(TOLERANCE_4, 4e6, &mut |u| log_density([u[0], u[1]], [u[2], u[3]]));
    if joint.error <= ENOUGH_4 { joint } else { by_bayes(data, k, kernel) }
}

/// The same by Bayes' rule, q(z_s | z_t) = q(z_t | z_s) q(z_s) / q(z_t): integrals over z_s and z_t apart.
fn by_bayes(data: &Mixture, k: usize, kernel: &Kernel) -> Quadrature {
    let marginal = |level: Level| {
        let noisy = data.noisy(level.alpha, level.sigma);
        let n = noisy.components[k];
        expectation(data.dimensions, n.mean, n.std, &|z| noisy.log_density(z))
    };
    let (early, late) = (marginal(kernel.early), marginal(kernel.late));
    let forward_variance = kernel.variance * (kernel.late.sigma / kernel.early.sigma).powi(2);
    let forward = -0.5 * data.dimensions as f64 * (2.0 * PI * E * forward_variance).ln();
    Quadrature { value: forward + early.value - late.value, error: early.error + late.error }
}

/// E f(z) for z ~ N(mean, std^2 I).
fn expectation(dimensions: usize, mean: Point, std: f64, f: &dyn Fn(Point) -> f64) -> Quadrature {
    match dimensions {
        1 => normal_expectation::<1>(TOLERANCE, 2e6, &mut |u| f([mean[0] + std * u[0], 0.0])),
        _ => normal_expectation::<2>(TOLERANCE, 4e6, &mut |u| f(combine(1.0, mean, std, *u))),
    }
}
