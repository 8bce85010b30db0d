//! How a denoiser's distribution over x becomes the reverse kernel of one token.

use ndarray::Array2;

/// How a denoiser's distribution mu over x becomes a reverse kernel. For masking with one schedule both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReverseParameterization {
    /// p(z_s | z_t) ∝ q(z_t | z_s) sum over x of mu(x) q(z_s | x): mu replaces x in the posterior (Austin et al. 2021).
    ///
    /// Its best mu for a token is not the posterior q(x | z_t) but that without the token's own evidence, q(x | the
    /// other tokens of z_t).
    D3pm,
    /// p(z_s | z_t) = sum over x of mu(x) q(z_s | z_t, x), the posterior mixed over mu. Its best mu is q(x | z_t).
    Mixture,
}

elbow_base::names!(ReverseParameterization, "parameterization": D3pm = "d3pm", Mixture = "mixture");

impl ReverseParameterization {
    /// p_theta(z_s = j | z_t) for all states j of one token, which is in state `z` at time t, from its row `mu` [D3PM
    /// (4)].
    ///
    /// The matrices are q(z_s | x), q(z_t | z_s) and q(z_t | x).
    pub(super) fn kernel(self, mu: &[f64], z: usize, [before, step, after]: [&Array2<f64>; 3]) -> Vec<f64> {
        let states = 0..before.ncols();
        match self {
            Self::D3pm => {
                let mixed = |j: usize| mu.iter().enumerate().map(|(v, p)| p * before[(v, j)]).sum::<f64>();
                let weights: Vec<f64> = states.map(|j| step[(j, z)] * mixed(j)).collect();
                let total: f64 = weights.iter().sum();
                weights.into_iter().map(|w| w / total).collect()
            }
            Self::Mixture => {
                let one = |j: usize| {
                    let term = |(v, p): (usize, &f64)| p * posterior(v, j, z, [before, step, after]);
                    mu.iter().enumerate().filter(|(_, p)| **p > 0.0).map(term).sum::<f64>()
                };
                states.map(one).collect()
            }
        }
    }
}

/// q(z_s = j | z_t = z, x) of one token, the exact reverse kernel given x [D3PM (3)].
///
/// The matrices are q(z_s | x), q(z_t | z_s) and q(z_t | x).
pub(super) fn posterior(x: usize, j: usize, z: usize, [before, step, after]: [&Array2<f64>; 3]) -> f64 {
    before[(x, j)] * step[(j, z)] / after[(x, z)]
}
