//! Sums over the sets of visible positions, for all outcomes at once.
//!
//! A sum over the visible sets of an outcome goes one position at a time: shown, the position has its value and counts;
//! not shown, it has the mask. So an array over all patterns loses the mask from one axis after another, and its
//! entries become polynomials whose coefficient k belongs to the visible sets of size k.

use rayon::prelude::*;

use super::answers::Answers;
use super::axes::Axes;

/// For each of the states^length words, k = 0..=length: the sum over the visible sets of size k of log Q.
pub(super) fn visible_log(axes: &Axes, log_marginal: &[f64]) -> Vec<f64> {
    let first = unmasked(axes, log_marginal, 0, 1);
    (1..axes.length).fold(first, |sums, n| unmasked(axes, &sums, n, n + 1))
}

/// The same, k = 0..length, of the sum over the masked positions n of -log mu_n. (For k = length none is masked.)
pub(super) fn cross_entropy(axes: &Axes, answers: &Answers) -> Vec<f64> {
    let mut sums = Vec::new();
    for n in 0..axes.length {
        // The table of a position has no mask on its own axis. Where the axes before it have none either, all tables so
        // far have the same shape, and go on as one sum.
        let mut own: Vec<f64> = answers.log_mu(n).par_iter().map(|l| -l).collect();
        for axis in 0..n {
            own = unmasked(axes, &own, axis, axis + 1);
        }
        if n > 0 {
            let before = unmasked(axes, &sums, n, n);
            own.par_iter_mut().zip(before).for_each(|(sum, value)| *sum += value);
        }
        sums = own;
    }
    sums
}

/// Takes the mask from an axis of an array of polynomials with so many coefficients, last on the array; the axes before
/// have none.
fn unmasked(axes: &Axes, array: &[f64], axis: usize, coefficients: usize) -> Vec<f64> {
    let blocks = axes.states.pow(axis as u32);
    let inner = array.len() / (blocks * axes.base() * coefficients);
    let mut result = vec![0.0; blocks * axes.states * inner * (coefficients + 1)];
    let add = |(index, result): (usize, &mut [f64])| {
        let (block, value) = (index / axes.states, index % axes.states);
        let part =
            |digit: usize| &array[(block * axes.base() + digit) * inner * coefficients..][..inner * coefficients];
        let (shown, masked) = (part(value).chunks_exact(coefficients), part(axes.states).chunks_exact(coefficients));
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
