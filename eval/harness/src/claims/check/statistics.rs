//! Small statistics that several checks share.

use elbow_base::{Estimate, bits_per_dim};

/// Pearson's statistic per degree of freedom of `counts` against a law over the same outcomes; outcomes of probability
/// 0 are left out.
pub(super) fn chi_square(counts: &[usize], law: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum::<usize>() as f64;
    let possible = || law.iter().zip(counts).filter(|(p, _)| **p > 0.0);
    let sum: f64 = possible().map(|(p, &count)| (count as f64 - total * p).powi(2) / (total * p)).sum();
    sum / (possible().count() as f64 - 1.0)
}

/// The log of the ratio of two variances, a over b, from means of independent units that are nearly normal: the log of a sample
/// variance of n units has the variance 2 / (n - 1).
pub(super) fn log_variance_ratio(a: &Estimate, b: &Estimate) -> Estimate {
    let ratio = 2.0 * (a.standard_error / b.standard_error).ln() + (a.n as f64 / b.n as f64).ln();
    let variance: f64 = [a.n, b.n].iter().map(|&n| 2.0 / (n as f64 - 1.0)).sum();
    Estimate { value: ratio, standard_error: variance.sqrt(), n: a.n.min(b.n) }
}

/// The largest of some numbers that are not negative, or NaN if one of them is; `f64::max` would skip a NaN.
pub(super) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, |a, b| if a.is_nan() || a >= b { a } else { b })
}

/// The smallest of some numbers, or NaN if one of them is; `f64::min` would skip a NaN.
pub(super) fn smallest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, |a, b| if a.is_nan() || a <= b { a } else { b })
}

/// The mean difference a - b of code lengths of the same sequences, given in nats of `dims` tokens, in bits per token.
pub(super) fn paired_bits(a: &[f64], b: &[f64], dims: usize) -> Estimate {
    Estimate::of(&a.iter().zip(b).map(|(a, b)| bits_per_dim(a - b, dims)).collect::<Vec<_>>())
}
