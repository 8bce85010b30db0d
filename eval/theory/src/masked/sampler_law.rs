//! The exact law of the sequences that a sampler of masked diffusion draws: the learned reverse chain, run over all
//! sequences together.

use elbow_process::schedule::MaskedSchedule;
use rayon::prelude::*;

use super::enumeration::Enumeration;
use super::reverse_paths::{ReversePaths, Visitor};

/// The law of ancestral sampling on the grid `times`, t(0) < ... < t(T) = 1, one probability per pattern of the
/// [`PatternIndex`](crate::PatternIndex); patterns with masks have probability 0 [MD4, ancestral sampling].
///
/// Tokens that the last step leaves masked are drawn together. Cost: O(T (2V + 1)^L).
pub fn sampler_law(enumeration: &Enumeration, schedule: &MaskedSchedule, times: &[f64]) -> Vec<f64> {
    let mut now = prior(enumeration, schedule.alpha(1.0));
    for pair in times.windows(2).rev() {
        now = learned_step(enumeration, &now, schedule.reveal_probability(pair[0], pair[1]));
    }
    learned_step(enumeration, &now, 1.0)
}

/// The law of ancestral sampling in `steps` even steps of the linear schedule; in 0 steps that of one token per step in a random
/// order, which is their limit. One probability per pattern.
pub fn law_of_steps(enumeration: &Enumeration, steps: usize) -> Vec<f64> {
    let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
    match steps {
        0 => any_order_law(enumeration),
        _ => sampler_law(enumeration, &MaskedSchedule::Linear, &times),
    }
}

/// The law of sequences drawn one token per step in a uniformly random order, one probability per pattern.
pub fn any_order_law(enumeration: &Enumeration) -> Vec<f64> {
    let index = enumeration.index();
    let mut now = prior(enumeration, 0.0);
    for _ in 0..index.length {
        let mut next = vec![0.0; now.len()];
        for z in (0..index.count()).filter(|&z| now[z] > 0.0) {
            let masked: Vec<usize> = (0..index.length).filter(|&n| index.is_masked(z, n)).collect();
            for &n in &masked {
                for value in 0..index.mask() {
                    next[index.reveal(z, n, value)] += now[z] * enumeration.mu(z, n, value) / masked.len() as f64;
                }
            }
        }
        now = next;
    }
    now
}

/// The expected number of masked tokens under a law with one probability per pattern.
pub fn expected_masks(enumeration: &Enumeration, law: &[f64]) -> f64 {
    law.iter().enumerate().map(|(z, p)| p * enumeration.index().masks(z) as f64).sum()
}

/// KL(q || p~(i)), i = 1..=T+1, nats, from alpha(1) and the reveal probabilities xi(1), ..., xi(T)
/// [Demystifying, data-model KL].
///
/// p~(i) runs the learned kernels down to z_s(i) and then draws x from the exact posterior.
pub(super) fn data_model_kl(enumeration: &Enumeration, alpha: f64, xi: &[f64]) -> Vec<f64> {
    let divergence = |law: &[f64]| {
        let model = decoded(enumeration, law);
        enumeration.outcomes.iter().zip(&model).map(|((_, q), p)| q * (q / p).ln()).sum::<f64>()
    };
    let mut law = prior(enumeration, alpha);
    let mut result = vec![0.0; xi.len() + 1];
    result[xi.len()] = divergence(&law);
    for (i, &xi) in xi.iter().enumerate().rev() {
        law = learned_step(enumeration, &law, xi);
        result[i] = divergence(&law);
    }
    result
}

/// The law, one probability per pattern, after a learned reverse step that reveals each masked token with probability
/// `xi`: sum over z_t of p(z_t) p_theta(z_s | z_t). Cost: O((2V + 1)^L).
pub fn learned_step(enumeration: &Enumeration, now: &[f64], xi: f64) -> Vec<f64> {
    let (base, size) = (enumeration.index().symbols, enumeration.length() + 1);
    let kept = |masks: usize, revealed: usize| (1.0 - xi).powi(masks.saturating_sub(revealed) as i32);
    let chances: Vec<f64> =
        (0..size * size).map(|at| xi.powi((at % size) as i32) * kept(at / size, at % size)).collect();
    let mut next = vec![0.0; now.len()];
    let paths = ReversePaths::new(enumeration.index());
    // Each part owns the rows that it reaches: no locks, and every sum has one order.
    next.par_chunks_mut(paths.rows(0).len() * base).enumerate().for_each(|(part, next)| {
        let first = paths.rows(part).start;
        paths.walk(part, &mut LearnedStep { enumeration, now, xi, chances: &chances, next, first });
    });
    next
}

/// The prior p(z_1), one probability per pattern: each token is masked with probability 1 - `alpha`, else a uniform
/// value.
pub fn prior(enumeration: &Enumeration, alpha: f64) -> Vec<f64> {
    let index = enumeration.index();
    let probability = |z: usize| {
        let masks = index.masks(z) as i32;
        (1.0 - alpha).powi(masks) * (alpha / index.mask() as f64).powi(index.length as i32 - masks)
    };
    (0..index.count()).into_par_iter().map(probability).collect()
}

/// One reverse step. It carries, for each sequence z of a row, its probability times those of the revealed values.
struct LearnedStep<'a> {
    enumeration: &'a Enumeration,
    now: &'a [f64],
    xi: f64,
    /// The probability that exactly `revealed` given masks of `masks` are revealed, index masks * (L + 1) + revealed.
    chances: &'a [f64],
    /// The law after the step, from row `first` on.
    next: &'a mut [f64],
    first: usize,
}

impl Visitor for LearnedStep<'_> {
    fn width(&self) -> usize {
        self.enumeration.index().symbols
    }

    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool {
        carried.copy_from_slice(&self.now[z * carried.len()..][..carried.len()]);
        carried.iter().any(|p| *p > 0.0)
    }

    fn reveal(&mut self, z: usize, position: usize, value: usize, _: usize, from: &[f64], to: &mut [f64]) -> bool {
        let entry = self.enumeration.index().table_entry(z * to.len(), position, value);
        let mu = &self.enumeration.denoiser().mu(position)[entry..][..to.len()];
        for ((to, from), mu) in to.iter_mut().zip(from).zip(mu) {
            *to = from * mu;
        }
        to.iter().any(|p| *p > 0.0)
    }

    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]) {
        let (mask, length) = (self.enumeration.states(), self.enumeration.length());
        let chance = self.chances[masks * (length + 1) + revealed];
        let next = &mut self.next[(reached - self.first) * carried.len()..][..carried.len()];
        let mu = &self.enumeration.denoiser().mu(length - 1)[z * mask..][..mask];
        let masked = chance * carried[mask];
        for ((next, shown), mu) in next.iter_mut().zip(&carried[..mask]).zip(mu) {
            *next += chance * shown + masked * self.xi * mu;
        }
        next[mask] += masked * (1.0 - self.xi);
    }
}

/// The law of the outcomes under the exact decoder, q(x) times the sum over the visible sets U of p(x_U) / Q(x_U),
/// where p is the law of z.
fn decoded(enumeration: &Enumeration, p: &[f64]) -> Vec<f64> {
    let ratio = |(p, q): (&f64, &f64)| if *q > 0.0 { p / q } else { 0.0 };
    let mut sums: Vec<f64> = p.par_iter().zip(&enumeration.marginal).map(ratio).collect();
    enumeration.index().sweep(&mut sums, |values, mask| {
        for value in values.chunks_mut(mask.len()) {
            value.iter_mut().zip(&*mask).for_each(|(sum, masked)| *sum += masked);
        }
    });
    enumeration.outcomes.iter().map(|&(x, q)| q * sums[x]).collect()
}
