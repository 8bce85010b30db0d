//! The learned reverse chain, run over all patterns at once: the exact law of what a sampler draws.

use elbow_process::schedule::MaskedSchedule;
use rayon::prelude::*;

use super::enumeration::Enumeration;
use super::reveals::{Visitor, Walk};

/// The law of the sequences that ancestral sampling draws in one step from each of `times` (t(0) < ... < t(T) = 1) to
/// the one before, by outcome number among all states^length sequences. Tokens that the last step leaves masked are
/// drawn all at once.
pub fn sampler_law(all: &Enumeration, schedule: &MaskedSchedule, times: &[f64]) -> Vec<f64> {
    let mut now = prior(all, schedule.alpha(1.0));
    for pair in times.windows(2).rev() {
        now = learned_step(all, &now, schedule.reveal_probability(pair[0], pair[1]));
    }
    learned_step(all, &now, 1.0)
}

/// The law of the sequences that are drawn one token at a time in a uniformly random order.
pub fn any_order_law(all: &Enumeration) -> Vec<f64> {
    let mut now = prior(all, 0.0);
    for _ in 0..all.axes.length {
        let mut next = vec![0.0; now.len()];
        for z in (0..all.patterns()).filter(|&z| now[z] > 0.0) {
            let masked: Vec<usize> = (0..all.axes.length).filter(|&n| all.axes.is_masked(z, n)).collect();
            for &n in &masked {
                for value in 0..all.axes.states {
                    next[all.axes.reveal(z, n, value)] += now[z] * all.mu(z, n, value) / masked.len() as f64;
                }
            }
        }
        now = next;
    }
    now
}

/// KL(p || q) of two laws over the same patterns, nats.
pub fn kl(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The expected number of masked tokens under a law of patterns.
pub fn expected_masks(all: &Enumeration, law: &[f64]) -> f64 {
    law.iter().enumerate().map(|(z, p)| p * all.axes.masks(z) as f64).sum()
}

/// KL(q || p~(i)) for i = 1..T+1, with the reveal probabilities `xi` of the steps and alpha(1).
pub(super) fn data_model_kl(all: &Enumeration, alpha: f64, xi: &[f64]) -> Vec<f64> {
    let divergence = |p: &[f64]| {
        let model = decoded(all, p);
        all.outcomes.iter().zip(&model).map(|((_, q), p)| q * (q / p).ln()).sum::<f64>()
    };
    let mut law = prior(all, alpha);
    let mut result = vec![0.0; xi.len() + 1];
    result[xi.len()] = divergence(&law);
    for (i, &xi) in xi.iter().enumerate().rev() {
        law = learned_step(all, &law, xi);
        result[i] = divergence(&law);
    }
    result
}

/// Work of one [`learned_step`], at most: each position is a visible value, a mask that stays, or a mask that
/// becomes a value.
pub(super) fn transitions(all: &Enumeration) -> f64 {
    (2.0 * all.axes.states as f64 + 1.0).powi(all.axes.length as i32)
}

/// The law after one learned reverse step that reveals each masked token with probability `xi`.
pub fn learned_step(all: &Enumeration, now: &[f64], xi: f64) -> Vec<f64> {
    let (base, size) = (all.axes.base(), all.axes.length + 1);
    let kept = |masks: usize, revealed: usize| (1.0 - xi).powi(masks.saturating_sub(revealed) as i32);
    let chances: Vec<f64> =
        (0..size * size).map(|index| xi.powi((index % size) as i32) * kept(index / size, index % size)).collect();
    let mut next = vec![0.0; now.len()];
    let walk = Walk::new(&all.axes);
    // Each part has the patterns that it reaches for itself: no thread waits, and sums have one order.
    next.par_chunks_mut(walk.rows(0).len() * base).enumerate().for_each(|(part, next)| {
        let first = walk.rows(part).start;
        walk.go(part, &mut Spread { all, now, xi, chances: &chances, next, first });
    });
    next
}

/// The prior p(z_1): each token is masked with probability 1 - `alpha`, else a uniform value.
pub fn prior(all: &Enumeration, alpha: f64) -> Vec<f64> {
    let probability = |z: usize| {
        let masks = all.axes.masks(z) as i32;
        (1.0 - alpha).powi(masks) * (alpha / all.axes.states as f64).powi(all.axes.length as i32 - masks)
    };
    (0..all.patterns()).into_par_iter().map(probability).collect()
}

/// One reverse step. Carries, for each pattern z of a row, its probability times those of the revealed values.
struct Spread<'a> {
    all: &'a Enumeration,
    now: &'a [f64],
    xi: f64,
    /// The probability that just these of the masks are revealed, index masks * (length + 1) + revealed.
    chances: &'a [f64],
    /// The law after the step, from row `first` on.
    next: &'a mut [f64],
    first: usize,
}

impl Visitor for Spread<'_> {
    fn width(&self) -> usize {
        self.all.axes.base()
    }

    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool {
        carried.copy_from_slice(&self.now[z * carried.len()..][..carried.len()]);
        carried.iter().any(|p| *p > 0.0)
    }

    fn reveal(&mut self, z: usize, position: usize, value: usize, _: usize, from: &[f64], to: &mut [f64]) -> bool {
        let mu = &self.all.answers(position)[self.all.axes.answer(z * to.len(), position, value)..][..to.len()];
        for ((to, from), mu) in to.iter_mut().zip(from).zip(mu) {
            *to = from * mu;
        }
        to.iter().any(|p| *p > 0.0)
    }

    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]) {
        let (states, length) = (self.all.axes.states, self.all.axes.length);
        let chance = self.chances[masks * (length + 1) + revealed];
        let next = &mut self.next[(reached - self.first) * carried.len()..][..carried.len()];
        let mu = &self.all.answers(length - 1)[z * states..][..states];
        let masked = chance * carried[states];
        for ((next, shown), mu) in next.iter_mut().zip(&carried[..states]).zip(mu) {
            *next += chance * shown + masked * self.xi * mu;
        }
        next[states] += masked * (1.0 - self.xi);
    }
}

/// q(x) times the sum over the visible sets of p(x_U) / Q(x_U): the law of the outcomes under the Bayes decoder,
/// where p is the law of the pattern.
fn decoded(all: &Enumeration, p: &[f64]) -> Vec<f64> {
    let ratio = |(p, q): (&f64, &f64)| if *q > 0.0 { p / q } else { 0.0 };
    let mut sums: Vec<f64> = p.par_iter().zip(&all.marginal).map(ratio).collect();
    all.axes.sweep(&mut sums, |values, mask| {
        for value in values.chunks_mut(mask.len()) {
            value.iter_mut().zip(&*mask).for_each(|(sum, masked)| *sum += masked);
        }
    });
    all.outcomes.iter().map(|&(x, q)| q * sums[x]).collect()
}
