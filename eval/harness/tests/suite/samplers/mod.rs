//! Every sampler's law on a toy against exact probabilities, by chi-square, and its count of evaluations.

mod corrector;
mod gaussian;
mod laws;
mod masked;
mod ode;
mod others;
mod remasking;
mod tempered;

use burn::tensor::Tensor;
use elbow_impls::Key;
use elbow_impls::network::{Input, TokenDenoiser};
use elbow_impls::sampler_state::{Predictor, Samples, TokenState};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::fixture::Bench;

const DRAWS: usize = 20_000;
/// Probability that a right sampler is rejected, by test; at the fixed seed none is.
const ALARM: f64 = 1e-5;

/// A denoiser by a function of its input.
struct FnDenoiser<F> {
    values: usize,
    sees_time: bool,
    logits: F,
}

impl<F: Fn(&Input) -> Tensor<3> + Send + Sync> TokenDenoiser for FnDenoiser<F> {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        self.sees_time
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        (self.logits)(input)
    }
}

impl Bench {
    fn masks(&self) -> TokenState {
        TokenState::all_masks(DRAWS, self.toy.length, self.toy.states, &Key::new(5, "samples"))
    }

    fn predictor(&self) -> Predictor<'_> {
        Predictor::new(&self.table, &self.device)
    }

    /// mu of one position given a pattern, from the table.
    fn mu(&self, pattern: &[u32], position: usize) -> Vec<f64> {
        let base = self.toy.states;
        let row = self.all.number(pattern);
        self.all.probabilities()[(row * self.toy.length + position) * base..][..base].to_vec()
    }

    /// The law over patterns, after a chain whose steps change each position by itself.
    fn evolve(&self, start: u32, steps: usize, kernel: impl Fn(usize, &[u32], usize) -> Vec<f64>) -> Vec<f64> {
        let base = self.toy.states + 1;
        let count = base.pow(self.toy.length as u32);
        let pattern = |number: usize| self.all.pattern(number).iter().map(|&d| u32::from(d)).collect::<Vec<_>>();
        let mut law = vec![0.0; count];
        if start == self.toy.states as u32 {
            law[count - 1] = 1.0;
        } else {
            let clean = |n: &usize| pattern(*n).iter().all(|&d| (d as usize) < self.toy.states);
            let states: Vec<usize> = (0..count).filter(clean).collect();
            states.iter().for_each(|&n| law[n] = 1.0 / states.len() as f64);
        }
        for i in (1..=steps).rev() {
            let mut next = vec![0.0; count];
            for (number, &p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                let from = pattern(number);
                let rows: Vec<Vec<f64>> = (0..from.len()).map(|n| kernel(i, &from, n)).collect();
                for (to, mass) in next.iter_mut().enumerate() {
                    let factors = pattern(to).iter().zip(&rows).map(|(&d, row)| row[d as usize]).product::<f64>();
                    *mass += p * factors;
                }
            }
            law = next;
        }
        law
    }
}

/// The p-value of the samples under a law over patterns.
fn p_value(bench: &Bench, samples: &Samples, law: &[f64]) -> f64 {
    assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-9, "the law sums to {}", law.iter().sum::<f64>());
    let mut counts = vec![0usize; law.len()];
    samples.tokens.rows().for_each(|row| counts[bench.all.number(row)] += 1);
    let n = samples.tokens.len() as f64;
    let mut statistic = 0.0;
    let mut cells = 0;
    for (&count, &p) in counts.iter().zip(law) {
        // An impossible outcome must not occur; one that should occur less than five times says nothing.
        if p == 0.0 && count > 0 {
            return 0.0;
        }
        if p * n < 5.0 {
            continue;
        }
        statistic += (count as f64 - n * p).powi(2) / (n * p);
        cells += 1;
    }
    1.0 - ChiSquared::new(f64::from(cells) - 1.0).expect("two cells").cdf(statistic)
}

#[track_caller]
fn follows(bench: &Bench, samples: &Samples, law: &[f64]) {
    let p = p_value(bench, samples, law);
    assert!(p > ALARM, "p = {p:e}");
}

#[track_caller]
fn rejects(bench: &Bench, samples: &Samples, law: &[f64]) {
    let p = p_value(bench, samples, law);
    assert!(p < ALARM, "witness: accepted with p = {p}");
}
