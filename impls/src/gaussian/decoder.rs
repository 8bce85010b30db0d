//! The decoder and the prior of Gaussian diffusion, and the places of tokens on the line.

use elbow_process::gaussian::Level;

/// The decoder p(x | z_0) over V values that lie evenly on \[-1, 1\] (VDM, for 256 values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder {
    /// V.
    pub values: usize,
}

impl Decoder {
    /// The place of a value: (2 v + 1) / V - 1.
    pub fn point(&self, value: u32) -> f64 {
        f64::from(2 * value + 1) / self.values as f64 - 1.0
    }

    /// The places of tokens.
    pub fn points(&self, ids: &[u32]) -> Vec<f64> {
        ids.iter().map(|&id| self.point(id)).collect()
    }

    /// The value whose place is nearest.
    pub fn nearest(&self, x: f64) -> u32 {
        (((x + 1.0) * self.values as f64 / 2.0).floor().max(0.0) as u32).min(self.values as u32 - 1)
    }

    /// -log p(x | z_0) of one value, nats, for p(x | z_0) proportional to q(z_0 | x).
    pub fn nats(&self, z: f64, level: Level, value: u32) -> f64 {
        let exponent = |v: u32| -0.5 * ((z - level.alpha * self.point(v)) / level.sigma).powi(2);
        let own = exponent(value);
        (0..self.values as u32).map(|v| (exponent(v) - own).exp()).sum::<f64>().ln()
    }
}

/// KL(N(alpha x, sigma^2) || N(0, 1)) of one coordinate, nats.
pub fn prior_kl(x: f64, level: Level) -> f64 {
    let variance = level.sigma * level.sigma;
    0.5 * ((level.alpha * x).powi(2) + variance - 1.0 - variance.ln())
}
