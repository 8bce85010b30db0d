//! The denoiser's answers to every pattern, for masked positions only: nobody asks for a visible token.

use rayon::prelude::*;

use super::axes::Axes;
use crate::toy::{DenoiserKind, Toy, temper};

/// One table a position: an array over the patterns, but with the values only on the position's own axis. So the
/// answer v stands where the marginal probability of the pattern with v revealed would.
pub(super) struct Answers {
    /// mu_n(v | z).
    mu: Vec<Vec<f64>>,
    /// log mu_n(v | z) where the data has v there, else 0: sums over the data multiply it by 0, and an infinite number
    /// would spoil them.
    log_mu: Vec<Vec<f64>>,
}

impl Answers {
    /// The answers of the toy's own denoiser; an exact or a tempered one is uniform where the pattern does not occur.
    pub fn of_toy(toy: &Toy, axes: &Axes, marginal: &[f64]) -> Self {
        let uniform = 1.0 / axes.states as f64;
        let posterior = |row: &mut [f64], total: f64| {
            row.iter_mut().for_each(|p| *p = if total > 0.0 { *p / total } else { uniform });
        };
        let mu = match &toy.denoiser {
            DenoiserKind::Exact => from_joint(axes, marginal, posterior),
            DenoiserKind::Uniform => vec![vec![uniform; axes.answers()]; axes.length],
            DenoiserKind::Tempered { temperature, floor } => from_joint(axes, marginal, |row, total| {
                posterior(row, total);
                if total > 0.0 {
                    temper(row, *temperature, *floor);
                }
            }),
            DenoiserKind::Table(entries) => {
                let mut tables = vec![vec![0.0; axes.answers()]; axes.length];
                for (word, rows) in entries {
                    let z = axes.number(word.iter().map(|&d| usize::from(d)));
                    for n in (0..axes.length).filter(|&n| axes.is_masked(z, n)) {
                        for (v, p) in rows[n].iter().enumerate() {
                            tables[n][axes.answer(z, n, v)] = *p;
                        }
                    }
                }
                tables
            }
        };
        Self::new(mu, axes, marginal)
    }

    /// The answers in `mu`, index (pattern * length + position) * states + value.
    pub fn from_rows(mu: &[f64], axes: &Axes, marginal: &[f64]) -> Self {
        let mut tables = vec![vec![0.0; axes.answers()]; axes.length];
        for (index, row) in mu.chunks(axes.states).enumerate() {
            let (z, n) = (index / axes.length, index % axes.length);
            if axes.is_masked(z, n) {
                for (v, p) in row.iter().enumerate() {
                    tables[n][axes.answer(z, n, v)] = *p;
                }
            }
        }
        Self::new(tables, axes, marginal)
    }

    fn new(mu: Vec<Vec<f64>>, axes: &Axes, marginal: &[f64]) -> Self {
        let log = |(mu, place): (&Vec<f64>, &usize)| {
            let mut logs = vec![0.0; mu.len()];
            let block = axes.states * place;
            let blocks = logs.par_chunks_mut(block).zip(mu.par_chunks(block)).zip(marginal.par_chunks(block + place));
            blocks.for_each(|((logs, mu), joint)| {
                for ((log, p), _) in logs.iter_mut().zip(mu).zip(joint).filter(|(_, joint)| **joint > 0.0) {
                    *log = p.ln();
                }
            });
            logs
        };
        let log_mu = mu.par_iter().zip(&axes.places).map(log).collect();
        Self { mu, log_mu }
    }

    /// mu_n(v | z) of a position for all patterns and values.
    pub fn mu(&self, position: usize) -> &[f64] {
        &self.mu[position]
    }

    /// log mu_n(v | z) of a position for all patterns and values, 0 for values that the data does not have there.
    pub fn log_mu(&self, position: usize) -> &[f64] {
        &self.log_mu[position]
    }
}

/// The tables whose row for a pattern is made from the probabilities of the pattern with each value revealed, and from
/// their sum.
fn from_joint(axes: &Axes, marginal: &[f64], make: impl Fn(&mut [f64], f64) + Sync) -> Vec<Vec<f64>> {
    let states = axes.states;
    let table = |&place: &usize| {
        let mut table = vec![0.0; axes.answers()];
        let blocks = table.par_chunks_mut(states * place).zip(marginal.par_chunks(axes.base() * place));
        let fill = |row: &mut Vec<f64>, (answers, joint): (&mut [f64], &[f64])| {
            for at in 0..place {
                row.iter_mut().enumerate().for_each(|(v, p)| *p = joint[v * place + at]);
                make(row, joint[states * place + at]);
                row.iter().enumerate().for_each(|(v, p)| answers[v * place + at] = *p);
            }
        };
        blocks.for_each_init(|| vec![0.0; states], fill);
        table
    };
    axes.places.par_iter().map(table).collect()
}
