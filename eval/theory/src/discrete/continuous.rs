//! The continuous-time bound of a discrete diffusion.
//!
//! A reverse process with rates Rhat costs, at each moment, the sum over jumps of R log(R / Rhat) - R + Rhat against
//! the true reverse rates R given x (Campbell et al. 2022; for masking it is MD4's weighted cross-entropy). The
//! integral runs over the noise level (the log-SNR), where the integrand is smooth and decays at both ends.

use elbow_process::Weighting;
use faer::Mat;

use super::kernel::{Model, Parameterization};
use crate::quadrature::{Quadrature, integrate_line};

/// The integral over t of w~(t) times the expected cost of all tokens, nats.
pub fn weighted_loss(model: &Model, weighting: &Weighting) -> Quadrature {
    let (low, high) = model.forward.levels();
    let start = model.forward.kink(weighting).unwrap_or(0.0);
    integrate_line(low, high, start, &mut |level| model.forward.weight(weighting, level) * expected_cost(model, level))
}

/// E over x and z at a noise level of the sum over the tokens of the cost, per unit of the level.
fn expected_cost(model: &Model, level: f64) -> f64 {
    let (patterns, values) = (model.patterns, model.forward.values);
    let (cumulative, rates) = model.forward.at_level(level);
    let beliefs = model.beliefs(&cumulative);
    let mut total = 0.0;
    for (index, mu) in beliefs.mu.chunks(values).enumerate() {
        let joint = &beliefs.joint[index * values..(index + 1) * values];
        if joint.iter().any(|p| *p > 0.0) {
            let z = patterns.digit(index / patterns.length, index % patterns.length);
            let cost = TokenCost::new(model.parameterization, mu, z, &cumulative, &rates);
            let expected = joint.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(x, p)| p * cost.of(x));
            total += expected.sum::<f64>();
        }
    }
    total
}

/// The cost of one token in state `z` for the data value `x` under the row `mu`, at a noise level, per unit of level.
pub fn token_integrand(
    forward: &super::Forward,
    parameterization: Parameterization,
    mu: &[f64],
    (x, z): (usize, usize),
    level: f64,
) -> f64 {
    let (cumulative, rates) = forward.at_level(level);
    TokenCost::new(parameterization, mu, z, &cumulative, &rates).of(x)
}

struct TokenCost<'a> {
    z: usize,
    /// Rhat of each jump z -> j.
    learned: Vec<f64>,
    cumulative: &'a Mat<f64>,
    rates: &'a Mat<f64>,
}

impl<'a> TokenCost<'a> {
    fn new(
        parameterization: Parameterization,
        mu: &[f64],
        z: usize,
        cumulative: &'a Mat<f64>,
        rates: &'a Mat<f64>,
    ) -> Self {
        let mixed = |j: usize| mu.iter().enumerate().map(|(v, p)| p * cumulative[(v, j)]).sum::<f64>();
        let rate = |j: usize| {
            let forward = rates[(j, z)];
            if forward == 0.0 {
                return 0.0;
            }
            forward
                * match parameterization {
                    Parameterization::D3pm => mixed(j) / mixed(z),
                    Parameterization::Mixture => {
                        let term = |(v, p): (usize, &f64)| p * cumulative[(v, j)] / cumulative[(v, z)];
                        mu.iter().enumerate().filter(|(_, p)| **p > 0.0).map(term).sum::<f64>()
                    }
                }
        };
        Self { z, learned: (0..cumulative.ncols()).map(rate).collect(), cumulative, rates }
    }

    fn of(&self, x: usize) -> f64 {
        let cost = |(j, &learned): (usize, &f64)| {
            let rate = self.rates[(j, self.z)] * self.cumulative[(x, j)] / self.cumulative[(x, self.z)];
            if rate == 0.0 {
                return learned;
            }
            // R (rho - 1 - log rho), rho = Rhat / R: no cancellation where both agree, no rounding to rho = 0.
            let excess = (learned - rate) / rate;
            let log = if excess.abs() < 0.5 { excess.ln_1p() } else { (learned / rate).ln() };
            rate * (excess - log)
        };
        self.learned.iter().enumerate().filter(|(j, _)| *j != self.z).map(cost).sum()
    }
}
