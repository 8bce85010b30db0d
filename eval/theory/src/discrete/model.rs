//! A toy under a discrete forward process: the laws of its sequences and the denoiser's table at one noise level.

use ndarray::Array2;

use super::forward::Forward;
use super::reverse_parameterization::ReverseParameterization;
use crate::error::Error;
use crate::pattern_index::PatternIndex;
use crate::toy::{DenoiserKind, Toy, temper};

/// Largest number of joint states that is enumerated; the work grows with its square.
const MAX_STATES: u64 = 4096;

/// A toy under a forward process, with its denoiser and the reverse kernel that the denoiser makes.
pub struct DiscreteModel<'a> {
    /// The forward process of each token.
    pub forward: &'a Forward,
    /// How the denoiser's mu becomes a reverse kernel.
    pub parameterization: ReverseParameterization,
    /// The numbering of the joint states z.
    pub(super) index: PatternIndex,
    /// Pattern number and probability of each outcome.
    pub(super) outcomes: Vec<(usize, f64)>,
    denoiser: DenoiserKind,
}

/// Exact and learned posteriors of every token given every joint state z at one noise level; S^L joint states.
pub(super) struct Posteriors {
    /// q(z), one probability per joint state.
    pub marginal: Vec<f64>,
    /// q(z, x_n = v), shape \[S^L, L, V\].
    pub joint: Vec<f64>,
    /// mu_theta(z)\[n, v\], the same shape; 0 for values that cannot have become z_n, as in the carry-over of MDLM.
    pub mu: Vec<f64>,
}

impl PatternIndex {
    /// The law of the sequences, one probability per pattern, after the token at `position` has made a transition.
    fn moved(&self, law: &[f64], position: usize, transition: &Array2<f64>) -> Vec<f64> {
        let mut next = vec![0.0; law.len()];
        for (pattern, &p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let from = self.digit(pattern, position);
            for to in 0..self.symbols {
                next[self.with_digit(pattern, position, to)] += p * transition[(from, to)];
            }
        }
        next
    }

    /// The law of the sequences after every token has made a transition.
    pub(super) fn all_moved(&self, law: &[f64], transition: &Array2<f64>) -> Vec<f64> {
        (0..self.length).fold(law.to_vec(), |law, n| self.moved(&law, n, transition))
    }

    /// The probability that all tokens together go from one sequence to another.
    pub(super) fn transition(&self, from: usize, to: usize, matrix: &Array2<f64>) -> f64 {
        self.digits(from).zip(self.digits(to)).map(|(from, to)| matrix[(from, to)]).product()
    }
}

impl<'a> DiscreteModel<'a> {
    /// A toy under `forward`. Refuses more than 4096 joint states, and a forward process over other values.
    pub fn new(toy: &Toy, forward: &'a Forward, parameterization: ReverseParameterization) -> Result<Self, Error> {
        toy.check()?;
        if forward.values != toy.states {
            let what = format!("{forward}: values {} for a toy of {}", forward.values, toy.states);
            return Err(Error::invalid(what, "give one for each value of the toy"));
        }
        if (forward.states as f64).powi(toy.length as i32) > MAX_STATES as f64 {
            let what = format!("too large: {}^{} joint states", forward.states, toy.length);
            return Err(Error::TooLarge { what, limit: MAX_STATES });
        }
        let index = PatternIndex::new(forward.states, toy.length);
        let number = |word: &[u8]| index.number(word.iter().map(|&d| usize::from(d)));
        let outcomes = toy.outcomes.iter().map(|(word, p)| (number(word), *p)).collect();
        Ok(Self { forward, parameterization, index, outcomes, denoiser: toy.denoiser.clone() })
    }

    /// The entropy of the data, nats.
    pub(super) fn entropy(&self) -> f64 {
        0.0 - self.outcomes.iter().map(|(_, q)| q * q.ln()).sum::<f64>()
    }

    /// The law of the data, one probability per joint state.
    pub(super) fn data(&self) -> Vec<f64> {
        let mut law = vec![0.0; self.index.count()];
        for &(x, q) in &self.outcomes {
            law[x] = q;
        }
        law
    }

    /// Exact and learned posteriors at the noise level whose cumulative matrix is `cumulative`.
    pub(super) fn posteriors(&self, cumulative: &Array2<f64>) -> Posteriors {
        let (index, values) = (&self.index, self.forward.values);
        let data = self.data();
        let marginal = index.all_moved(&data, cumulative);
        let mut joint = vec![0.0; index.count() * index.length * values];
        for n in 0..index.length {
            // The joint law of the other tokens of z and of x_n itself.
            let others = (0..index.length).filter(|&m| m != n);
            let apart = others.fold(data.clone(), |law, m| index.moved(&law, m, cumulative));
            for z in 0..index.count() {
                for v in 0..values {
                    let evidence = cumulative[(v, index.digit(z, n))];
                    joint[(z * index.length + n) * values + v] = apart[index.with_digit(z, n, v)] * evidence;
                }
            }
        }
        let mu = self.denoised(cumulative, &marginal, &joint);
        Posteriors { marginal, joint, mu }
    }

    fn denoised(&self, cumulative: &Array2<f64>, marginal: &[f64], joint: &[f64]) -> Vec<f64> {
        let (index, values) = (&self.index, self.forward.values);
        let mut mu = vec![1.0 / values as f64; joint.len()];
        if let DenoiserKind::Table(rows) = &self.denoiser {
            for (word, entry) in rows {
                let start = index.number(word.iter().map(|&d| usize::from(d))) * index.length * values;
                mu[start..start + index.length * values].copy_from_slice(&entry.concat());
            }
        }
        let exact = matches!(self.denoiser, DenoiserKind::Exact | DenoiserKind::Tempered { .. });
        for (row, mu) in mu.chunks_mut(values).enumerate() {
            let (z, n) = (row / index.length, row % index.length);
            if exact && marginal[z] > 0.0 {
                for (v, p) in mu.iter_mut().enumerate() {
                    *p = joint[row * values + v] / marginal[z];
                }
                if let DenoiserKind::Tempered { temperature, floor } = self.denoiser {
                    temper(mu, temperature, floor);
                }
            }
            for (v, p) in mu.iter_mut().enumerate() {
                if cumulative[(v, index.digit(z, n))] == 0.0 {
                    *p = 0.0;
                }
            }
            let total: f64 = mu.iter().sum();
            if total > 0.0 {
                mu.iter_mut().for_each(|p| *p /= total);
            }
        }
        mu
    }
}
