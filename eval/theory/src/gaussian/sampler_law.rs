//! The law of the learned reverse chain of Gaussian diffusion, propagated as a density on grids of z.

use std::f64::consts::PI;

use elbow_process::gaussian::{Kernel, Level};

use super::mixture::{Component, log_normal, log_sum_exp};
use super::toy::GaussianToy;
use crate::quadrature::normal_expectation;
use crate::work::Work;

/// Number of points of the finest grid.
const FINEST: usize = 8192;
/// Change of the KLs, relative above 1, at which the grid is fine enough.
const TOLERANCE: f64 = 1e-10;
/// Number of standard deviations around every mean that the grid, and each kernel, covers.
const REACH: f64 = 16.0;

/// KL(q || p~(i)), i = 1..=T+1, nats, or the reason why it is not computed [Demystifying, data-model KL].
pub(super) fn data_model_kl(toy: &GaussianToy, levels: &[Level], work: &Work) -> Result<Vec<f64>, String> {
    if toy.data.dimensions > 1 {
        return Err("the grid is for one dimension".into());
    }
    let mut last: Option<Vec<f64>> = None;
    let mut points = 512;
    while points <= FINEST {
        let now = on_grid(toy, levels, points, work);
        if work.check().is_err() {
            return Err("it needs too many evaluations".into());
        }
        let change = |last: &Vec<f64>| {
            let pairs = last.iter().zip(&now).filter(|(_, b)| b.is_finite());
            pairs
                .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
                .fold(0.0, |m: f64, d| if d > m || d.is_nan() { d } else { m })
        };
        if last.as_ref().map(change).is_some_and(|change| change <= TOLERANCE) {
            return Ok(now);
        }
        if now.iter().any(|kl| kl.is_nan()) {
            return Err("the learned chain's tails are too thin for the grid".into());
        }
        (last, points) = (Some(now), points * 2);
    }
    Err(format!("a grid of {FINEST} points is too coarse for the smallest noise"))
}

/// log of the smallest p~(x) / q(x) that kernels cut at [`REACH`] represent, exp(-REACH^2 / 2) with a margin.
const THIN: f64 = -80.0;

/// A density on equally spaced points.
struct Grid {
    z: Vec<f64>,
    spacing: f64,
    density: Vec<f64>,
}

/// KL(q || p~(i)), i = 1..=T+1, nats, on grids of `points` points; NaN where the tails are too thin.
fn on_grid(toy: &GaussianToy, levels: &[Level], points: usize, work: &Work) -> Vec<f64> {
    let steps = levels.len() - 1;
    let (low, high) = range(toy, levels[steps]);
    let mut grid = Grid::new(low, high, points);
    grid.density = grid.z.iter().map(|z| (-0.5 * z * z).exp() / (2.0 * PI).sqrt()).collect();
    let mut kl = vec![0.0; steps + 1];
    kl[steps] = divergence(toy, levels[steps], &grid, work);
    for i in (1..=steps).rev() {
        let kernel = Kernel::new(levels[i - 1], levels[i]);
        if kernel.variance == 0.0 {
            // The last step is a point and z_0 = x then has a density: no mass on atoms.
            kl[i - 1] = f64::INFINITY;
            continue;
        }
        grid = grid.moved(toy, levels[i - 1], &kernel);
        kl[i - 1] = divergence(toy, levels[i - 1], &grid, work);
    }
    kl
}

/// The interval of z at a level, under the data, the denoiser's law and the prior scaled to the level.
fn range(toy: &GaussianToy, level: Level) -> (f64, f64) {
    let mixtures = toy.data.components.iter().chain(&toy.denoiser.components);
    let bound = |sign: f64| {
        let reach = |c: &Component| level.alpha * (sign * c.mean[0] + REACH * c.std) + REACH * level.sigma.max(1e-12);
        mixtures.clone().map(reach).fold(REACH * level.sigma, f64::max)
    };
    (-bound(-1.0), bound(1.0))
}

impl Grid {
    fn new(low: f64, high: f64, points: usize) -> Self {
        let spacing = (high - low) / (points - 1) as f64;
        Self { z: (0..points).map(|i| low + i as f64 * spacing).collect(), spacing, density: Vec::new() }
    }

    /// The density after one learned step; the trapezoidal rule, exponentially accurate once it resolves the kernel.
    fn moved(&self, toy: &GaussianToy, early: Level, kernel: &Kernel) -> Self {
        let (low, high) = range(toy, early);
        let mut next = Self::new(low, high, self.z.len());
        next.density = vec![0.0; self.z.len()];
        let level = (kernel.late.alpha, kernel.late.sigma);
        let std = kernel.variance.sqrt();
        for (&z, &density) in self.z.iter().zip(&self.density) {
            let centre = kernel.keep * z + kernel.gain * toy.denoiser.posterior_mean(level, [z, 0.0])[0];
            let mass = density * self.spacing / (std * (2.0 * PI).sqrt());
            add_bell(&mut next.density, (centre - low) / next.spacing, std / next.spacing, mass);
        }
        next
    }
}

/// Adds `mass` times exp(-((i - centre) / std)^2 / 2) at every index i within [`REACH`] standard deviations.
///
/// Outwards from the centre each value is the last one times a ratio that itself shrinks by a constant, so that there
/// is no exponential per point.
fn add_bell(values: &mut [f64], centre: f64, std: f64, mass: f64) {
    let middle = centre.clamp(0.0, (values.len() - 1) as f64).round() as usize;
    let reach = (REACH * std).ceil() as usize;
    let offset = (middle as f64 - centre) / std;
    let step = 1.0 / std;
    let shrink = (-step * step).exp();
    let peak = mass * (-0.5 * offset * offset).exp();
    values[middle] += peak;
    for direction in [1.0, -1.0] {
        let mut value = peak;
        let mut ratio = (-direction * offset * step - 0.5 * step * step).exp();
        for distance in 1..=reach {
            value *= ratio;
            ratio *= shrink;
            let Some(at) =
                middle.checked_add_signed(if direction > 0.0 { distance as isize } else { -(distance as isize) })
            else {
                break;
            };
            let Some(target) = values.get_mut(at) else { break };
            *target += value;
        }
    }
}

/// -E log (p~(x) / q(x)), nats, where p~(x) / q(x) is the integral of p(z) q(z|x) / q(z).
fn divergence(toy: &GaussianToy, level: Level, grid: &Grid, work: &Work) -> f64 {
    if level.sigma == 0.0 {
        return f64::INFINITY;
    }
    let data = &toy.data;
    let noisy = data.noisy(level.alpha, level.sigma);
    // p(z) / q(z) is needed where q(z | x) is not negligible, and q(z) >= weight * q(z | x) keeps it in range there.
    let marginal: Vec<f64> = grid.z.iter().map(|&z| log_sum_exp(&noisy.log_joint([z, 0.0]))).collect();
    let log_ratio = |x: f64| {
        if !work.spend(grid.z.len() as u64) {
            return f64::NAN;
        }
        let term = |((&z, &p), log_q): ((&f64, &f64), &f64)| {
            let given = log_normal(1, [z, 0.0], [level.alpha * x, 0.0], level.sigma * level.sigma);
            if p > 0.0 { p * (given - log_q).exp() } else { 0.0 }
        };
        let sum: f64 = grid.z.iter().zip(&grid.density).zip(&marginal).map(term).sum();
        (sum * grid.spacing).ln()
    };
    // Below THIN the kernels, cut at REACH deviations, make the ratio too small: it is undefined where that could
    // matter and clamped where the data have less than 1e-13 of their mass.
    let trusted = |log: f64, far: f64| {
        if log >= THIN {
            log
        } else if far > 7.5 {
            log.max(-1e3)
        } else {
            f64::NAN
        }
    };
    let of = |c: &Component| match c.std {
        0.0 => trusted(log_ratio(c.mean[0]), 0.0),
        std => {
            let at = |u: f64| trusted(log_ratio(c.mean[0] + std * u), u.abs());
            normal_expectation::<1>(1e-12, 1e4, &mut |u| at(u[0])).value
        }
    };
    -data.components.iter().map(|c| c.weight * of(c)).sum::<f64>()
}
