//! Sums over the sets of visible positions, for all outcomes together.
//!
//! A sum over the visible sets of an outcome is done one position at a time: a visible position shows its value and
//! adds one to the size of the set, a hidden one shows the mask. So an array over all sequences loses the mask from one
//! axis after the other, and its entries become polynomials whose coefficient k belongs to the visible sets of size k.

use rayon::prelude::*;

use super::denoiser_table::DenoiserTable;
use crate::pattern_index::PatternIndex;

/// Sums over the visible sets U of size k of log Q(x_U), index \[x\]\[k\] with V^L words x and k = 0..=L, nats.
pub(super) fn visible_log(index: &PatternIndex, log_marginal: &[f64]) -> Vec<f64> {
    let first = unmasked(index, log_marginal, 0, 1);
    (1..index.length).fold(first, |sums, n| unmasked(index, &sums, n, n + 1))
}

/// Sums over the visible sets U of size k of the cross-entropies -log mu_theta(x_U)\[n, x_n\] of all hidden n, index
/// \[x\]\[k\] with k = 0..L, nats. (For k = L no position is hidden.)
pub(super) fn cross_entropy(index: &PatternIndex, denoiser: &DenoiserTable) -> Vec<f64> {
    let mut sums = Vec::new();
    for n in 0..index.length {
        // The table of position n has no mask on axis n. Once the axes before n have none either, it has the shape of
        // the sum so far, and both go on as one.
        let mut own: Vec<f64> = denoiser.log_mu(n).par_iter().map(|l| -l).collect();
        for axis in 0..n {
            own = unmasked(index, &own, axis, axis + 1);
        }
        if n > 0 {
            let before = unmasked(index, &sums, n, n);
            own.par_iter_mut().zip(before).for_each(|(sum, value)| *sum += value);
        }
        sums = own;
    }
    sums
}

/// Removes the mask from one axis of an array of polynomials of `coefficients` coefficients, which vary fastest. The
/// axes before it have no mask any more.
fn unmasked(index: &PatternIndex, array: &[f64], axis: usize, coefficients: usize) -> Vec<f64> {
    let values = index.mask();
    let blocks = values.pow(axis as u32);
    let inner = array.len() / (blocks * index.symbols * coefficients);
    let mut result = vec![0.0; blocks * values * inner * (coefficients + 1)];
    let add = |(at, result): (usize, &mut [f64])| {
        let (block, value) = (at / values, at % values);
        let part =
            |digit: usize| &array[(block * index.symbols + digit) * inner * coefficients..][..inner * coefficients];
        let (shown, masked) = (part(value).chunks_exact(coefficients), part(values).chunks_exact(coefficients));
        for ((to, shown), masked) in result.chunks_exact_mut(coefficients + 1).zip(shown).zip(masked) {
            to[0] = masked[0];
            for k in 1..coefficients {
                to[k] = masked[k] + shown[k - 1];
            }
            to[coefficients] = shown[coefficients - 1];
        }
    };
    result.par_chunks_mut(inner * (coefficients + 1)).enumerate().for_each(add);
    result
}
