//! The KLs between exact and learned reverse steps, summed over all pairs of sequences that a step can connect.

use rayon::prelude::*;

use super::denoiser_table::DenoiserTable;
use super::reverse_paths::{ReversePaths, Visitor};
use crate::pattern_index::PatternIndex;

/// KLs from q(x_R | z), summed over the sequences z with n masks, with weight Q(z), and over the sets R of r of the
/// masks; index \[n\]\[r\], each 0..=L, nats.
///
/// Each is summed from its terms Q(x_R, z) log ratio, not from the three sums over sequences to which linearity reduces
/// it: Theorem 1 is tested against these numbers, and would then be tested against itself.
pub(super) struct RevealKl {
    /// To the product of mu_theta, the learned reverse kernel.
    pub learned: Vec<Vec<f64>>,
    /// To the product of the exact posteriors of the tokens: the total correlation.
    pub correlation: Vec<Vec<f64>>,
}

impl RevealKl {
    pub fn new(index: &PatternIndex, marginal: &[f64], log_marginal: &[f64], denoiser: &DenoiserTable) -> Self {
        let paths = ReversePaths::new(index);
        let size = index.length + 1;
        let part = |part: usize| {
            let zero = || vec![0.0; size * size];
            let mut sums = KlSums { index, marginal, log_marginal, denoiser, learned: zero(), correlation: zero() };
            paths.walk(part, &mut sums);
            [sums.learned, sums.correlation]
        };
        let parts: Vec<[Vec<f64>; 2]> = (0..paths.parts()).into_par_iter().map(part).collect();
        // Added in order, so the number of threads changes no digit.
        let total = |kind: usize| -> Vec<Vec<f64>> {
            let entry = |at: usize| parts.iter().map(|part| part[kind][at]).sum();
            (0..size).map(|n| (0..size).map(|r| entry(n * size + r)).collect()).collect()
        };
        Self { learned: total(0), correlation: total(1) }
    }
}

/// The sums of one part of the walk. It carries, for each sequence z of a row, log Q(z) plus the log-probabilities of
/// the revealed values: first those of mu_theta, then those of the exact posteriors.
struct KlSums<'a> {
    index: &'a PatternIndex,
    marginal: &'a [f64],
    /// log Q, 0 where Q is 0.
    log_marginal: &'a [f64],
    denoiser: &'a DenoiserTable,
    /// Index n * (L + 1) + r.
    learned: Vec<f64>,
    correlation: Vec<f64>,
}

impl KlSums<'_> {
    /// Whether any sequence of a row has positive probability: then the one with the mask at the last position has.
    fn occurs(&self, row: usize) -> bool {
        self.marginal[row * self.index.symbols + self.index.mask()] > 0.0
    }
}

impl Visitor for KlSums<'_> {
    fn width(&self) -> usize {
        2 * self.index.symbols
    }

    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool {
        let base = self.index.symbols;
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
        let base = self.index.symbols;
        let first = z * base;
        let log_mu = &self.denoiser.log_mu(position)[self.index.table_entry(first, position, value)..][..base];
        let before = &self.log_marginal[first..][..base];
        let after = &self.log_marginal[self.index.reveal(first, position, value)..][..base];
        let (from, to) = (from.split_at(base), to.split_at_mut(base));
        for lane in 0..base {
            to.0[lane] = from.0[lane] + log_mu[lane];
            to.1[lane] = from.1[lane] + (after[lane] - before[lane]);
        }
        true
    }

    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]) {
        let (base, mask, size) = (self.index.symbols, self.index.mask(), self.index.length + 1);
        let joint = &self.marginal[reached * base..][..base];
        let log_joint = &self.log_marginal[reached * base..][..base];
        let before = &self.log_marginal[z * base..][..base];
        let log_mu = &self.denoiser.log_mu(self.index.length - 1)[z * mask..][..mask];
        let (learned, exact) = carried.split_at(base);
        if revealed > 0 {
            // The last position is visible with each value, or masked and stays so.
            let (mut kl, mut correlation) = (0.0, 0.0);
            for v in 0..mask {
                kl += joint[v] * (log_joint[v] - learned[v]);
                correlation += joint[v] * (log_joint[v] - exact[v]);
            }
            let shown = masks * size + revealed;
            self.learned[shown] += kl;
            self.correlation[shown] += correlation;
            let masked = shown + size;
            self.learned[masked] += joint[mask] * (log_joint[mask] - learned[mask]);
            self.correlation[masked] += joint[mask] * (log_joint[mask] - exact[mask]);
        }
        // The last position is revealed to each value.
        let (mut kl, mut correlation) = (0.0, 0.0);
        for v in 0..mask {
            kl += joint[v] * (log_joint[v] - learned[mask] - log_mu[v]);
            correlation += joint[v] * (log_joint[v] - exact[mask] - (before[v] - before[mask]));
        }
        let taken = (masks + 1) * size + revealed + 1;
        self.learned[taken] += kl;
        self.correlation[taken] += correlation;
    }
}
