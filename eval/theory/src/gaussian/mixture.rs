//! Isotropic Gaussian mixtures in one or two dimensions, atoms included: laws of x and z_t, and posteriors of x.

use std::f64::consts::PI;

use elbow_base::Key;
use elbow_base::key::categorical;
use rand_distr::{Distribution, StandardNormal};

/// A point of the plane; in one dimension the second coordinate is zero.
pub type Point = [f64; 2];

/// One component of a mixture; an atom where `std` is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Probability of the component.
    pub weight: f64,
    /// Mean; in one dimension the second coordinate is zero.
    pub mean: Point,
    /// Standard deviation per dimension.
    pub std: f64,
}

/// A mixture, either of atoms only or of densities only.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// One or two.
    pub dimensions: usize,
    /// Components; their weights sum to 1.
    pub components: Vec<Component>,
}

/// Squared distance.
pub fn square(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// a p + b q.
pub fn combine(a: f64, p: Point, b: f64, q: Point) -> Point {
    [a * p[0] + b * q[0], a * p[1] + b * q[1]]
}

/// log of the density of N(mean, variance I) at `z`.
pub fn log_normal(dimensions: usize, z: Point, mean: Point, variance: f64) -> f64 {
    -0.5 * (square(z, mean) / variance + dimensions as f64 * (2.0 * PI * variance).ln())
}

/// log of the sum of exponentials.
pub fn log_sum_exp(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + logs.iter().map(|l| (l - top).exp()).sum::<f64>().ln()
}

impl Mixture {
    /// `count` independent draws, shape \[count, dimensions\] row by row; the key fixes them.
    pub fn draw(&self, count: usize, key: &Key) -> Vec<f64> {
        let mut rng = key.rng();
        let weights: Vec<f64> = self.components.iter().map(|c| c.weight).collect();
        let mut points = Vec::with_capacity(count * self.dimensions);
        for _ in 0..count {
            let component = self.components[categorical(&mut rng, &weights)];
            for mean in &component.mean[..self.dimensions] {
                let noise: f64 = StandardNormal.sample(&mut rng);
                points.push(mean + component.std * noise);
            }
        }
        points
    }

    /// Number of components: the cost of a density.
    pub(super) fn size(&self) -> u64 {
        self.components.len() as u64
    }

    /// Whether all components are atoms.
    pub fn is_atoms(&self) -> bool {
        self.components.iter().all(|c| c.std == 0.0)
    }

    /// The law of z = alpha x + sigma eps.
    pub fn noisy(&self, alpha: f64, sigma: f64) -> Self {
        let noisy = |c: &Component| Component {
            weight: c.weight,
            mean: combine(alpha, c.mean, 0.0, c.mean),
            std: (alpha * c.std).hypot(sigma),
        };
        Self { dimensions: self.dimensions, components: self.components.iter().map(noisy).collect() }
    }

    /// log (weight times density at `z`) of each component; every `std` must be positive.
    pub fn log_joint(&self, z: Point) -> Vec<f64> {
        let joint = |c: &Component| c.weight.ln() + log_normal(self.dimensions, z, c.mean, c.std * c.std);
        self.components.iter().map(joint).collect()
    }

    /// log of the density at `z`.
    pub fn log_density(&self, z: Point) -> f64 {
        log_sum_exp(&self.log_joint(z))
    }

    /// E\[x | z, component k\] at the level (alpha, sigma), by Gaussian conditioning.
    pub fn component_mean(&self, k: usize, (alpha, sigma): (f64, f64), z: Point) -> Point {
        let c = self.components[k];
        let gain = alpha * c.std * c.std / ((alpha * c.std).powi(2) + sigma * sigma);
        combine(1.0 - gain * alpha, c.mean, gain, z)
    }

    /// Variance of x per dimension given z and component k.
    pub fn component_variance(&self, k: usize, (alpha, sigma): (f64, f64)) -> f64 {
        let c = self.components[k];
        (c.std * sigma).powi(2) / ((alpha * c.std).powi(2) + sigma * sigma)
    }

    /// The trace of Cov\[x | z_t = z\] at the level (alpha, sigma).
    pub fn posterior_variance(&self, level: (f64, f64), z: Point) -> f64 {
        let logs = self.noisy(level.0, level.1).log_joint(z);
        let total = log_sum_exp(&logs);
        let mean = self.posterior_mean(level, z);
        let spread = |k: usize| {
            let within = self.dimensions as f64 * self.component_variance(k, level);
            within + square(self.component_mean(k, level, z), mean)
        };
        logs.iter().enumerate().map(|(k, log)| (log - total).exp() * spread(k)).sum()
    }

    /// E\[x | z_t = z\] at the level (alpha, sigma): the best denoiser of data with this law.
    pub fn posterior_mean(&self, level: (f64, f64), z: Point) -> Point {
        let logs = self.noisy(level.0, level.1).log_joint(z);
        let total = log_sum_exp(&logs);
        let mut mean = [0.0; 2];
        for (k, log) in logs.iter().enumerate() {
            let own = self.component_mean(k, level, z);
            mean = combine(1.0, mean, (log - total).exp(), own);
        }
        mean
    }
}
