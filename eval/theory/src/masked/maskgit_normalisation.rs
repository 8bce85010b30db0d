//! Exact losses of masked image models, which divide cross-entropies by a number of masks, and the weighting that each
//! division implies.
//!
//! Sources: Chang et al. 2022 (MaskGIT), Li et al. 2024 (MAR); Shi and Titsias 2025, the "simple" weighting. A batch
//! has one independent time per row, and independent masks.

use elbow_process::schedule::MaskedSchedule;

use super::estimators::SetSums;
use crate::quadrature::integrate;

/// E of the mean cross-entropy of a row's masked tokens, nats; 0 where nothing is masked [MaskGIT, row mean].
pub fn row_mean(sums: &SetSums, schedule: &MaskedSchedule) -> f64 {
    let length = sums.loss.len() - 1;
    (1..=length).map(|n| mask_law(schedule, n, length) * sums.loss[n] / n as f64).sum()
}

/// E of the mean cross-entropy of all masked tokens of a batch of `batch` rows, nats; 0 where nothing is masked
/// [MaskGIT, batch mean].
///
/// Exact, by the law of the number of masks in the other rows.
pub fn batch_mean(sums: &SetSums, schedule: &MaskedSchedule, batch: usize) -> f64 {
    let length = sums.loss.len() - 1;
    let mut choose = 1.0;
    let mut masks = Vec::new();
    let mut loss = Vec::new();
    for n in 0..=length {
        let law = mask_law(schedule, n, length);
        masks.push(choose * law);
        loss.push(sums.loss[n] * law);
        choose *= (length - n) as f64 / (n + 1) as f64;
    }
    let others = power(&masks, batch - 1);
    let mut total = 0.0;
    for (n, loss) in loss.iter().enumerate() {
        for (m, p) in others.iter().enumerate().filter(|(m, _)| n + m > 0) {
            total += loss * p / (n + m) as f64;
        }
    }
    batch as f64 * total
}

/// The limit of [`batch_mean`] for large batches, nats: the loss of constant cross-entropy weight, which is the
/// "simple" weighting, over the expected number of masks [Demystifying, simple weighting].
pub fn batch_mean_limit(sums: &SetSums, schedule: &MaskedSchedule) -> f64 {
    let length = sums.loss.len() - 1;
    let loss: f64 = (1..=length).map(|n| mask_law(schedule, n, length) * sums.loss[n]).sum();
    loss / (length as f64 * expected_rate(schedule))
}

/// E of the mask rate 1 - alpha(t) over t ~ U(0, 1).
pub fn expected_rate(schedule: &MaskedSchedule) -> f64 {
    integrate(0.0, 1.0, &mut |t| schedule.mask_probability(t)).value
}

/// The cross-entropy weight w~(r) / r, at the mask rate r = n / `length`, that gives a set of `n` masks the weight
/// which it has in the row mean.
pub fn implied_ce_weight(schedule: &MaskedSchedule, n: usize, length: usize) -> f64 {
    // A continuous loss of cross-entropy weight c / length per unit of rate gives each set of n masks
    // c B(n + 1, length - n + 1) / length; the row mean gives it the set's probability over n.
    let log_beta = statrs::function::beta::ln_beta((n + 1) as f64, (length - n + 1) as f64);
    let integrand = |t: f64| {
        let log = n as f64 * schedule.mask_probability(t).ln() + (length - n) as f64 * schedule.alpha(t).ln();
        (log - log_beta).exp()
    };
    length as f64 / n as f64 * integrate(0.0, 1.0, &mut { integrand }).value
}

/// The probability for t ~ U(0, 1) that a given set of `n` tokens of `length` is masked and the others are not.
fn mask_law(schedule: &MaskedSchedule, n: usize, length: usize) -> f64 {
    let integrand = |t: f64| schedule.mask_probability(t).powi(n as i32) * schedule.alpha(t).powi((length - n) as i32);
    integrate(0.0, 1.0, &mut { integrand }).value
}

/// The law of the sum of `times` independent counts that have the law `law`.
fn power(law: &[f64], times: usize) -> Vec<f64> {
    let convolve = |a: &[f64], b: &[f64]| {
        let mut sum = vec![0.0; a.len() + b.len() - 1];
        for (i, x) in a.iter().enumerate() {
            for (j, y) in b.iter().enumerate() {
                sum[i + j] += x * y;
            }
        }
        sum
    };
    let (mut result, mut square, mut left) = (vec![1.0], law.to_vec(), times);
    while left > 0 {
        if left % 2 == 1 {
            result = convolve(&result, &square);
        }
        left /= 2;
        if left > 0 {
            square = convolve(&square, &square);
        }
    }
    result
}
