//! The bounds and reweighted losses of discrete diffusion in continuous time, T to infinity.
//!
//! The KL rate between reverse processes with rates Rhat and R, the exact ones given x, is the sum over jumps of R
//! log(R / Rhat) - R + Rhat (Campbell et al. 2022); for masking it is MD4's weighted cross-entropy. The integral runs
//! over the noise level (the log-SNR), where the integrand is smooth and decays at both ends.

use elbow_process::Weighting;
use ndarray::Array2;

use super::forward::Forward;
use super::model::DiscreteModel;
use super::reverse_parameterization::ReverseParameterization;
use crate::quadrature::{Quadrature, integrate_line};

/// The reweighted loss, the integral over t of w~(t) times the expected KL rate of all tokens, nats, with its
/// quadrature error [Demystifying, L_w~].
///
/// NaN for a transition given as one-step matrices, which has no continuous time.
pub fn weighted_loss(model: &DiscreteModel, weighting: &Weighting) -> Quadrature {
    if !model.forward.is_continuous() {
        return Quadrature { value: f64::NAN, error: f64::NAN };
    }
    let (low, high) = model.forward.levels();
    let start = model.forward.kink(weighting).unwrap_or(0.0);
    integrate_line(low, high, start, &mut |level| model.forward.weight(weighting, level) * expected_rate(model, level))
}

/// E over x and z at a noise level of the sum over the tokens of the KL rate, nats per unit of the level.
fn expected_rate(model: &DiscreteModel, level: f64) -> f64 {
    let (index, values) = (&model.index, model.forward.values);
    let (cumulative, rates) = model.forward.at_level(level);
    let posteriors = model.posteriors(&cumulative);
    let mut total = 0.0;
    for (row, (mu, joint)) in posteriors.mu.chunks(values).zip(posteriors.joint.chunks(values)).enumerate() {
        if joint.iter().any(|p| *p > 0.0) {
            let z = index.digit(row / index.length, row % index.length);
            let rate = TokenRate::new(model.parameterization, mu, z, &cumulative, &rates);
            let expected = joint.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(x, p)| p * rate.kl(x));
            total += expected.sum::<f64>();
        }
    }
    total
}

/// The KL rate of one token in state `z` for the data value `x` under the row `mu`, nats per unit of the noise level
/// [D3PM, continuous time].
///
/// The level is the log-SNR for a scalar schedule, logit(1 - t) for a vector one. NaN for a transition given as
/// one-step matrices.
pub fn token_integrand(
    forward: &Forward,
    parameterization: ReverseParameterization,
    mu: &[f64],
    (x, z): (usize, usize),
    level: f64,
) -> f64 {
    if !forward.is_continuous() {
        return f64::NAN;
    }
    let (cumulative, rates) = forward.at_level(level);
    TokenRate::new(parameterization, mu, z, &cumulative, &rates).kl(x)
}

/// The reverse jump rates of one token in state `z`.
struct TokenRate<'a> {
    z: usize,
    /// Rhat of each jump z -> j, per unit of the noise level.
    learned: Vec<f64>,
    cumulative: &'a Array2<f64>,
    rates: &'a Array2<f64>,
}

impl<'a> TokenRate<'a> {
    fn new(
        parameterization: ReverseParameterization,
        mu: &[f64],
        z: usize,
        cumulative: &'a Array2<f64>,
        rates: &'a Array2<f64>,
    ) -> Self {
        let mixed = |j: usize| mu.iter().enumerate().map(|(v, p)| p * cumulative[(v, j)]).sum::<f64>();
        let rate = |j: usize| {
            let forward = rates[(j, z)];
            if forward == 0.0 {
                return 0.0;
            }
            forward
                * match parameterization {
                    ReverseParameterization::D3pm => mixed(j) / mixed(z),
                    ReverseParameterization::Mixture => {
                        let term = |(v, p): (usize, &f64)| p * cumulative[(v, j)] / cumulative[(v, z)];
                        mu.iter().enumerate().filter(|(_, p)| **p > 0.0).map(term).sum::<f64>()
                    }
                }
        };
        Self { z, learned: (0..cumulative.ncols()).map(rate).collect(), cumulative, rates }
    }

    /// sum over jumps of R log(R / Rhat) - R + Rhat with the exact rates R given `x`, nats per unit of the level.
    fn kl(&self, x: usize) -> f64 {
        let term = |(j, &learned): (usize, &f64)| {
            let rate = self.rates[(j, self.z)] * self.cumulative[(x, j)] / self.cumulative[(x, self.z)];
            if rate == 0.0 {
                return learned;
            }
            // R (rho - 1 - log rho), rho = Rhat / R: no cancellation where both agree, no rounding to rho = 0.
            let excess = (learned - rate) / rate;
            let log = if excess.abs() < 0.5 { excess.ln_1p() } else { (learned / rate).ln() };
            rate * (excess - log)
        };
        self.learned.iter().enumerate().filter(|(j, _)| *j != self.z).map(term).sum()
    }
}
