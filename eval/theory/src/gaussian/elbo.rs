//! The terms of the bounds L^(i) of Gaussian diffusion, by quadrature over the noise of each component of the data.

use std::f64::consts::{E, PI};

use elbow_process::gaussian::Level;
use elbow_process::schedule::GaussianSchedule;

use super::mixture::{Mixture, Point, combine, log_sum_exp, square};
use super::toy::GaussianToy;
use crate::elbo::ElboTerms;
use crate::quadrature::{ErrorSum, Quadrature, normal_expectation};
use crate::work::Work;

/// Relative change at which an expectation over one or two normal variables has converged.
pub(super) const TOLERANCE: f64 = 1e-13;

/// The noise levels at t(i) = i/T, i = 0..=T.
pub(super) fn level_grid(schedule: &GaussianSchedule, steps: usize) -> Vec<Level> {
    (0..=steps).map(|i| Level::at(schedule, i as f64 / steps as f64)).collect()
}

/// E |x - x_hat(z_t(i))|^2 of each component at each grid point i = 1..=T, index \[k\]\[i - 1\].
pub(super) type SquaredErrors = Vec<Vec<Quadrature>>;

/// The squared errors at the levels t(0), ..., t(T) of the denoiser that is the posterior mean under the law
/// `denoiser`.
pub(super) fn squared_errors(toy: &GaussianToy, denoiser: &Mixture, levels: &[Level], work: &Work) -> SquaredErrors {
    let at_levels = |k| levels[1..].iter().map(|&level| mean_squared_error(toy, denoiser, k, level, work)).collect();
    (0..toy.data.components.len()).map(at_levels).collect()
}

/// D_i, l_i and K averaged over component `k`, nats [Demystifying, L^(i)].
///
/// A step KL is (SNR_s - SNR_t)/2 times the squared error of the denoiser [VDM, finite T]. `of_x` is E log q(x).
pub(super) fn elbo_terms(
    toy: &GaussianToy,
    levels: &[Level],
    k: usize,
    errors: &SquaredErrors,
    of_x: Quadrature,
    sum: &mut ErrorSum,
    work: &Work,
) -> ElboTerms {
    let decoder = levels.iter().map(|&level| sum.scaled(decoder(toy, k, level, of_x, work), 1.0)).collect();
    let step_kl = |i: usize| {
        let error = errors[k][i - 1];
        let factor = 0.5 * (levels[i - 1].snr() - levels[i].snr());
        if error.value == 0.0 { 0.0 } else { sum.scaled(error, factor) }
    };
    let step_kl = (1..levels.len()).map(step_kl).collect();
    let prior = prior(toy, k, levels[levels.len() - 1]);
    ElboTerms { probability: toy.data.components[k].weight, decoder, step_kl, prior }
}

/// E log q(x) over component `k`, nats: the log-probability of an atom, or the log-density of a mixture.
pub(super) fn log_density(data: &Mixture, k: usize, work: &Work) -> Quadrature {
    let c = data.components[k];
    if data.is_atoms() {
        return Quadrature { value: c.weight.ln(), error: 0.0 };
    }
    expectation(data.dimensions, c.mean, c.std, &|x| work.value(data.size(), || data.log_density(x)))
}

/// K = E KL(N(alpha x, sigma^2 I) || N(0, I)) over component `k`, nats [VDM, prior].
fn prior(toy: &GaussianToy, k: usize, level: Level) -> f64 {
    let (c, d) = (toy.data.components[k], toy.data.dimensions as f64);
    let moment = square(c.mean, [0.0; 2]) + d * c.std * c.std;
    let variance = level.sigma * level.sigma;
    0.5 * (level.alpha.powi(2) * moment + d * (variance - 1.0 - variance.ln()))
}

/// D = E log q(x | z) over component `k` at a noise level, nats; `of_x` is E log q(x) [Demystifying, L^(i)].
fn decoder(toy: &GaussianToy, k: usize, level: Level, of_x: Quadrature, work: &Work) -> Quadrature {
    let (data, d) = (&toy.data, toy.data.dimensions);
    if level.sigma == 0.0 {
        // z determines x: probability 1, or an unbounded density.
        return Quadrature { value: if data.is_atoms() { 0.0 } else { f64::INFINITY }, error: 0.0 };
    }
    let noisy = data.noisy(level.alpha, level.sigma);
    let n = noisy.components[k];
    if data.is_atoms() {
        return expectation(d, n.mean, n.std, &|z| {
            work.value(data.size(), || {
                let logs = noisy.log_joint(z);
                logs[k] - log_sum_exp(&logs)
            })
        });
    }
    // log q(x|z) = log q(x) + log q(z|x) - log q(z).
    let of_z = expectation(d, n.mean, n.std, &|z| work.value(data.size(), || noisy.log_density(z)));
    let given = -0.5 * d as f64 * (2.0 * PI * E * level.sigma * level.sigma).ln();
    Quadrature { value: of_x.value + given - of_z.value, error: of_x.error + of_z.error }
}

/// E |x - x_hat(z)|^2 over component `k` of the data, where x_hat is the posterior mean under the law `denoiser`.
pub(super) fn mean_squared_error(
    toy: &GaussianToy,
    denoiser: &Mixture,
    k: usize,
    level: Level,
    work: &Work,
) -> Quadrature {
    let (data, pair) = (&toy.data, (level.alpha, level.sigma));
    let n = data.noisy(level.alpha, level.sigma).components[k];
    let between = expectation(data.dimensions, n.mean, n.std, &|z| {
        work.value(denoiser.size(), || square(data.component_mean(k, pair, z), denoiser.posterior_mean(pair, z)))
    });
    let within = data.dimensions as f64 * data.component_variance(k, pair);
    Quadrature { value: between.value + within, error: between.error }
}

/// The average of a number over the components of the data.
pub(super) fn average(data: &Mixture, f: impl Fn(usize) -> Quadrature) -> Quadrature {
    let parts = data.components.iter().enumerate().map(|(k, c)| (c.weight, f(k)));
    parts.fold(Quadrature::default(), |sum, (weight, q)| Quadrature {
        value: sum.value + weight * q.value,
        error: sum.error + weight * q.error,
    })
}

/// E f(z) for z ~ N(mean, std^2 I) in one dimension or two.
pub(super) fn expectation(dimensions: usize, mean: Point, std: f64, f: &dyn Fn(Point) -> f64) -> Quadrature {
    match dimensions {
        1 => normal_expectation::<1>(TOLERANCE, 2e6, &mut |u| f([mean[0] + std * u[0], 0.0])),
        _ => normal_expectation::<2>(TOLERANCE, 4e6, &mut |u| f(combine(1.0, mean, std, *u))),
    }
}
