//! The expected KL of the learned reverse kernel, and what no product of independent tokens can avoid.

use rayon::prelude::*;

use super::answers::Answers;
use super::axes::Axes;
use super::reveals::{Visitor, Walk};

/// Sums over the patterns z with n masks of Q(z) times the sum over the sets R of r among them of a KL from q(x_R | z).
/// Index \[n\]\[r\], 0..=length.
///
/// Each is the sum of its terms Q(x_R, z) log ratio, and not of the three sums over patterns to which linearity reduces
/// it: Theorem 1 is checked against these numbers, and would then be checked against itself.
pub(super) struct Divergences {
    /// To the product of mu: the learned reverse kernel.
    pub learned: Vec<Vec<f64>>,
    /// To the product of the exact posteriors: the total correlation.
    pub exact: Vec<Vec<f64>>,
}

impl Divergences {
    pub fn new(axes: &Axes, marginal: &[f64], log_marginal: &[f64], answers: &Answers) -> Self {
        let walk = Walk::new(axes);
        let size = axes.length + 1;
        let part = |part: usize| {
            let zero = || vec![0.0; size * size];
            let mut terms = RevealTerms { axes, marginal, log_marginal, answers, learned: zero(), exact: zero() };
            walk.go(part, &mut terms);
            [terms.learned, terms.exact]
        };
        let parts: Vec<[Vec<f64>; 2]> = (0..walk.parts()).into_par_iter().map(part).collect();
        // Added in order, so that the number of threads does not change a digit.
        let total = |kind: usize| -> Vec<Vec<f64>> {
            let entry = |index: usize| parts.iter().map(|part| part[kind][index]).sum();
            (0..size).map(|n| (0..size).map(|r| entry(n * size + r)).collect()).collect()
        };
        Self { learned: total(0), exact: total(1) }
    }
}

/// Carries, for each pattern z of a row, log Q(z) plus the logarithms of the probabilities of what is revealed: first
/// the learned ones, then the exact ones.
struct RevealTerms<'a> {
    axes: &'a Axes,
    marginal: &'a [f64],
    /// log Q, 0 where Q is 0.
    log_marginal: &'a [f64],
    answers: &'a Answers,
    /// Index n * (length + 1) + r.
    learned: Vec<f64>,
    exact: Vec<f64>,
}

impl RevealTerms<'_> {
    /// Whether any pattern of a row occurs: then the one with the mask does.
    fn occurs(&self, row: usize) -> bool {
        self.marginal[row * self.axes.base() + self.axes.states] > 0.0
    }
}

impl Visitor for RevealTerms<'_> {
    fn width(&self) -> usize {
        2 * self.axes.base()
    }

    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool {
        let base = self.axes.base();
        carried.chunks_mut(base).for_each(|part| part.copy_from_slice(&self.log_marginal[z * base..][..base]));
        self.occurs(z)
    }

    fn reveal(
        &mut self,
        z: usize,
        position: usize,
        value: usize,
        reached: usize,
        from: &[f64],
        to: &mut [f64],
    ) -> bool {
        if !self.occurs(reached) {
            return false;
        }
        let base = self.axes.base();
        let first = z * base;
        let log_mu = &self.answers.log_mu(position)[self.axes.answer(first, position, value)..][..base];
        let before = &self.log_marginal[first..][..base];
        let after = &self.log_marginal[self.axes.reveal(first, position, value)..][..base];
        let (from, to) = (from.split_at(base), to.split_at_mut(base));
        for lane in 0..base {
            to.0[lane] = from.0[lane] + log_mu[lane];
            to.1[lane] = from.1[lane] + (after[lane] - before[lane]);
        }
        true
    }

    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]) {
        let (base, states, size) = (self.axes.base(), self.axes.states, self.axes.length + 1);
        let joint = &self.marginal[reached * base..][..base];
        let log_joint = &self.log_marginal[reached * base..][..base];
        let before = &self.log_marginal[z * base..][..base];
        let log_mu = &self.answers.log_mu(self.axes.length - 1)[z * states..][..states];
        let (learned, exact) = carried.split_at(base);
        if revealed > 0 {
            let (mut kl, mut correlation) = (0.0, 0.0);
            for v in 0..states {
                kl += joint[v] * (log_joint[v] - learned[v]);
                correlation += joint[v] * (log_joint[v] - exact[v]);
            }
            let shown = masks * size + revealed;
            self.learned[shown] += kl;
            self.exact[shown] += correlation;
            let masked = shown + size;
            self.learned[masked] += joint[states] * (log_joint[states] - learned[states]);
            self.exact[masked] += joint[states] * (log_joint[states] - exact[states]);
        }
        let (mut kl, mut correlation) = (0.0, 0.0);
        for v in 0..states {
            kl += joint[v] * (log_joint[v] - learned[states] - log_mu[v]);
            correlation += joint[v] * (log_joint[v] - exact[states] - (before[v] - before[states]));
        }
        let taken = (masks + 1) * size + revealed + 1;
        self.learned[taken] += kl;
        self.exact[taken] += correlation;
    }
}
