//! The sums of [`RevealKl`] from single sequences, for toys with too many pairs (z_t, z_s) to walk.
//!
//! The learned reverse kernel is a product over positions, so KL(q(x_R | z) || product of mu_theta) is the sum over the
//! revealed positions n of KL(q(x_n | z) || mu_theta(z)\[n\]), plus the total correlation of x_R given z. The first part
//! needs each z once. The second is a difference of entropies, and their sums over z and R depend on the number of masks
//! alone: with S(m) the sum of Q log Q over the sequences with m masks, each sequence with m masks is reached from
//! C(L - m, r) sequences with r masks more.
//!
//! Theorem 1 reduces to an identity of these sums. It is tested on toys that are walked.

use std::ops::Range;

use rayon::prelude::*;
use statrs::function::factorial::binomial;

use super::denoiser_table::DenoiserTable;
use super::reveal_kl::RevealKl;
use crate::pattern_index::PatternIndex;

/// Sequences whose terms are added up before they join the total, so that rounding errors stay small.
const BLOCK: usize = 4096;

/// Sums over the sequences with m masks, index m = 0..=L, nats.
struct SumsByMasks {
    /// Q(z) log Q(z).
    entropy: Vec<f64>,
    /// Q(z) times the sum over the masked n of KL(q(x_n | z) || mu_theta(z)\[n\]).
    token_kl: Vec<f64>,
}

impl RevealKl {
    /// The same sums as [`RevealKl::new`] but for rounding, in O((V + 1)^L V L) instead of O((2V + 1)^L).
    pub fn from_single_sequences(
        index: &PatternIndex,
        marginal: &[f64],
        log_marginal: &[f64],
        denoiser: &DenoiserTable,
    ) -> Self {
        let block = |block: usize| {
            let patterns = block * BLOCK..((block + 1) * BLOCK).min(index.count());
            sums_of(patterns, index, marginal, log_marginal, denoiser)
        };
        let blocks: Vec<SumsByMasks> = (0..index.count().div_ceil(BLOCK)).into_par_iter().map(block).collect();
        // Added in order, so the number of threads changes no digit.
        let total = |part: fn(&SumsByMasks) -> &[f64]| -> Vec<f64> {
            (0..=index.length).map(|m| blocks.iter().map(|block| part(block)[m]).sum()).collect()
        };
        let (entropy, token_kl) = (total(|sums| &sums.entropy), total(|sums| &sums.token_kl));
        let choose = |n: usize, k: usize| binomial(n as u64, k as u64);
        // Sums over the sets of r of n masks; each position is in C(n - 1, r - 1) of them.
        let correlation = |n: usize, r: usize| -> f64 {
            let joint = |r: usize| choose(index.length - n + r, r) * entropy[n - r] - choose(n, r) * entropy[n];
            if r < 2 { 0.0 } else { joint(r) - choose(n - 1, r - 1) * joint(1) }
        };
        let learned = |n: usize, r: usize| -> f64 {
            if r == 0 { 0.0 } else { choose(n - 1, r - 1) * token_kl[n] + correlation(n, r) }
        };
        let table = |entry: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            let row = |n: usize| (0..=index.length).map(|r| if r > n { 0.0 } else { entry(n, r) }).collect();
            (0..=index.length).map(row).collect()
        };
        Self { learned: table(&learned), correlation: table(&correlation) }
    }
}

fn sums_of(
    patterns: Range<usize>,
    index: &PatternIndex,
    marginal: &[f64],
    log_marginal: &[f64],
    denoiser: &DenoiserTable,
) -> SumsByMasks {
    let zero = vec![0.0; index.length + 1];
    let mut sums = SumsByMasks { entropy: zero.clone(), token_kl: zero };
    for z in patterns.filter(|&z| marginal[z] > 0.0) {
        let (mut masks, mut kl) = (0, 0.0);
        for n in (0..index.length).filter(|&n| index.is_masked(z, n)) {
            masks += 1;
            for value in 0..index.mask() {
                let shown = index.reveal(z, n, value);
                let log_mu = denoiser.log_mu(n)[index.table_entry(z, n, value)];
                kl += marginal[shown] * (log_marginal[shown] - log_marginal[z] - log_mu);
            }
        }
        sums.entropy[masks] += marginal[z] * log_marginal[z];
        sums.token_kl[masks] += kl;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::super::Enumeration;
    use super::super::denoiser_table::DenoiserTable;
    use crate::{Alphabet, Toy};

    /// Largest difference of sums of up to 2e2 nats; measured below 3e-13.
    const SUMS: f64 = 3e-12;

    fn difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
        a.concat().iter().zip(b.concat()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// Both ways for a law with zeros, under a denoiser.
    fn both(states: usize, length: usize, denoiser: &str) -> [Enumeration; 2] {
        let word = |number: usize| -> String {
            (0..length).map(|n| char::from(b'0' + (number / states.pow(n as u32) % states) as u8)).collect()
        };
        let weights: Vec<f64> = (0..states.pow(length as u32)).map(|w| (w * w * 37 % 11) as f64).collect();
        let total: f64 = weights.iter().sum();
        let data: Vec<String> =
            weights.iter().enumerate().map(|(w, weight)| format!("{:?}: {}", word(w), weight / total)).collect();
        let text = format!(
            r#"{{"states": {states}, "length": {length}, "data": {{{}}}, "denoiser": {denoiser}}}"#,
            data.join(",")
        );
        let toy = Toy::parse(&text, Alphabet::Masked).expect("valid");
        [f64::INFINITY, 0.0].map(|most_pairs| {
            Enumeration::with_denoiser(&toy, most_pairs, |index, marginal| DenoiserTable::of_toy(&toy, index, marginal))
                .expect("full support")
        })
    }

    #[test]
    fn the_sums_are_those_of_the_walk_over_all_pairs() {
        let mut worst = 0f64;
        for (states, length) in [(2, 7), (3, 5), (5, 3), (4, 1), (1, 3)] {
            for denoiser in [r#"{"kind": "exact"}"#, r#"{"kind": "tempered", "temperature": 1.4, "floor": 0.05}"#] {
                let [walked, summed] = both(states, length, denoiser);
                assert!(walked.is_walked() && !summed.is_walked());
                worst = worst.max(difference(walked.reveal_kl(), summed.reveal_kl()));
                worst = worst.max(difference(walked.reveal_correlation(), summed.reveal_correlation()));
            }
        }
        println!("largest difference: {worst:e}");
        assert!(worst <= SUMS, "off by {worst:e}");
        // Witness: the KLs of the positions alone, without the total correlation.
        let [walked, summed] = both(3, 5, r#"{"kind": "exact"}"#);
        let alone: Vec<Vec<f64>> = (summed.reveal_kl().iter().zip(summed.reveal_correlation()))
            .map(|(kl, correlation)| kl.iter().zip(correlation).map(|(a, b)| a - b).collect())
            .collect();
        assert!(difference(walked.reveal_kl(), &alone) > 0.1);
    }
}
