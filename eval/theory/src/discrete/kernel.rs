//! The denoiser of a toy under any transition, and the reverse kernel that it makes.

use faer::Mat;

use super::forward::Forward;
use super::patterns::Patterns;
use crate::toy::{DenoiserKind, Toy, temper};
use elbow_base::Error;

/// How a denoiser's distribution mu over x becomes a reverse kernel. For masking with one schedule both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameterization {
    /// p(z_s | z_t) ∝ q(z_t | z_s) sum over x of mu(x) q(z_s | x): x is replaced by mu in the posterior (Austin et al.
    /// 2021). Its best mu for a token is not the posterior q(x | z_t) but that without the token's own
    /// evidence, q(x | the other tokens of z_t).
    D3pm,
    /// p(z_s | z_t) = sum over x of mu(x) q(z_s | z_t, x): the posterior mixed over mu. Its best mu is q(x | z_t).
    Mixture,
}

elbow_base::names!(Parameterization, "parameterization": D3pm = "d3pm", Mixture = "mixture");

/// A toy under a forward process, with its denoiser.
pub struct Model<'a> {
    pub forward: &'a Forward,
    pub parameterization: Parameterization,
    pub(super) patterns: Patterns,
    /// Pattern number and probability of each outcome.
    pub(super) outcomes: Vec<(usize, f64)>,
    denoiser: DenoiserKind,
}

/// What is known of the tokens of every pattern z at one noise level.
pub(super) struct Beliefs {
    /// q(z).
    pub marginal: Vec<f64>,
    /// q(z, x_n = v), index (z * length + n) * values + v.
    pub joint: Vec<f64>,
    /// mu_n(v | z), the same index; values that cannot have become z_n have none, as the carry-over of MDLM.
    pub mu: Vec<f64>,
}

impl<'a> Model<'a> {
    /// Fails where the joint states are too many.
    pub fn new(toy: &Toy, forward: &'a Forward, parameterization: Parameterization) -> Result<Self, Error> {
        if forward.values != toy.states {
            let what = format!("{forward}: values {} for a toy of {}", forward.values, toy.states);
            return Err(Error::input(what, "give one for each value of the toy"));
        }
        let patterns = Patterns { states: forward.states, length: toy.length };
        if (forward.states as f64).powi(toy.length as i32) > MAX_STATES {
            let what = format!("too large: {}^{} joint states", forward.states, toy.length);
            return Err(Error::input(what, format!("the limit here is {MAX_STATES}: use a smaller toy")));
        }
        let outcomes = toy.outcomes.iter().map(|(word, p)| (patterns.number(word), *p)).collect();
        Ok(Self { forward, parameterization, patterns, outcomes, denoiser: toy.denoiser.clone() })
    }

    /// The law of the data over the patterns.
    pub(super) fn data(&self) -> Vec<f64> {
        let mut law = vec![0.0; self.patterns.count()];
        for &(x, q) in &self.outcomes {
            law[x] = q;
        }
        law
    }

    /// Posteriors and the denoiser's answers where the cumulative matrix is `cumulative`.
    pub(super) fn beliefs(&self, cumulative: &Mat<f64>) -> Beliefs {
        let (patterns, values) = (self.patterns, self.forward.values);
        let data = self.data();
        let marginal = patterns.all_moved(&data, cumulative);
        let mut joint = vec![0.0; patterns.count() * patterns.length * values];
        for n in 0..patterns.length {
            // The law of the other tokens of z and of x_n itself.
            let others = (0..patterns.length).filter(|&m| m != n);
            let apart = others.fold(data.clone(), |law, m| patterns.moved(&law, m, cumulative));
            for z in 0..patterns.count() {
                for v in 0..values {
                    let evidence = cumulative[(v, patterns.digit(z, n))];
                    joint[(z * patterns.length + n) * values + v] = apart[patterns.with_digit(z, n, v)] * evidence;
                }
            }
        }
        let mu = self.denoised(cumulative, &marginal, &joint);
        Beliefs { marginal, joint, mu }
    }

    fn denoised(&self, cumulative: &Mat<f64>, marginal: &[f64], joint: &[f64]) -> Vec<f64> {
        let (patterns, values) = (self.patterns, self.forward.values);
        let mut mu = vec![1.0 / values as f64; joint.len()];
        if let DenoiserKind::Table(rows) = &self.denoiser {
            for (word, entry) in rows {
                let start = patterns.number(word) * patterns.length * values;
                mu[start..start + patterns.length * values].copy_from_slice(&entry.concat());
            }
        }
        for (index, row) in mu.chunks_mut(values).enumerate() {
            let (z, n) = (index / patterns.length, index % patterns.length);
            let known = matches!(self.denoiser, DenoiserKind::Exact | DenoiserKind::Tempered { .. });
            if known && marginal[z] > 0.0 {
                for (v, p) in row.iter_mut().enumerate() {
                    *p = joint[index * values + v] / marginal[z];
                }
                if let DenoiserKind::Tempered { temperature, floor } = self.denoiser {
                    temper(row, temperature, floor);
                }
            }
            for (v, p) in row.iter_mut().enumerate() {
                if cumulative[(v, patterns.digit(z, n))] == 0.0 {
                    *p = 0.0;
                }
            }
            let total: f64 = row.iter().sum();
            if total > 0.0 {
                row.iter_mut().for_each(|p| *p /= total);
            }
        }
        mu
    }

    /// p(z_s^n = j | z_t) for every j, from the row `mu` of a token in state `z` at time t. `before` is the cumulative
    /// matrix at s, `step` the transition from s to t, `after` the cumulative matrix at t.
    pub(super) fn kernel(&self, mu: &[f64], z: usize, [before, step, after]: [&Mat<f64>; 3]) -> Vec<f64> {
        self.parameterization.kernel(mu, z, [before, step, after])
    }
}

impl Parameterization {
    /// See [`Model::kernel`].
    fn kernel(self, mu: &[f64], z: usize, [before, step, after]: [&Mat<f64>; 3]) -> Vec<f64> {
        let states = 0..before.ncols();
        match self {
            Parameterization::D3pm => {
                let mixed = |j: usize| mu.iter().enumerate().map(|(v, p)| p * before[(v, j)]).sum::<f64>();
                let weights: Vec<f64> = states.map(|j| step[(j, z)] * mixed(j)).collect();
                let total: f64 = weights.iter().sum();
                weights.into_iter().map(|w| w / total).collect()
            }
            Parameterization::Mixture => {
                let one = |j: usize| {
                    let term = |(v, p): (usize, &f64)| p * posterior(v, j, z, [before, step, after]);
                    mu.iter().enumerate().filter(|(_, p)| **p > 0.0).map(term).sum::<f64>()
                };
                states.map(one).collect()
            }
        }
    }
}

/// KL(q(z_s | z_t = z, x) || p_theta(z_s | z_t = z)) of one token under the row `mu`, step `i` of `steps`.
pub fn token_step(
    forward: &Forward,
    parameterization: Parameterization,
    mu: &[f64],
    (x, z): (usize, usize),
    (i, steps): (usize, usize),
) -> f64 {
    let (before, after) = (forward.cumulative(i - 1, steps), forward.cumulative(i, steps));
    let matrices = [&before, &forward.one_step(i, steps), &after];
    let learned = parameterization.kernel(mu, z, matrices);
    let terms = learned.iter().enumerate().map(|(j, p)| (posterior(x, j, z, matrices), *p));
    terms.filter(|(q, _)| *q > 0.0).map(|(q, p)| q * (q / p).ln()).sum()
}

/// Most joint states that are enumerated; the work grows with their square.
const MAX_STATES: f64 = 4096.0;

/// q(z_s = j | z_t = z, x): the lecture's conditioned reverse distribution.
pub(super) fn posterior(x: usize, j: usize, z: usize, [before, step, after]: [&Mat<f64>; 3]) -> f64 {
    before[(x, j)] * step[(j, z)] / after[(x, z)]
}
