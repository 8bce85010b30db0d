//! What a sampler makes of the denoiser's distributions before it draws: temperature, top-k, nucleus.

use crate::network::softmax_at;

/// Changes of the distribution of a token before it is drawn. In this order: logits are divided by the temperature, the
/// most probable values are kept, then the nucleus of those. All in double precision, and in this one place for every
/// sampler of tokens.
///
/// A sampler with these settings is the same sampler of another denoiser: its law is that of the changed probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempering {
    /// tau, at least 0: p becomes p^(1/tau), normalised. 0 is its limit, the most probable value.
    pub temperature: f64,
    /// How many values are kept; none: all.
    pub top_k: Option<usize>,
    /// Probability mass of the values kept, in (0, 1]; 1 keeps all (MD4: 0.98).
    pub nucleus: f64,
}

impl Tempering {
    /// The denoiser's own probabilities.
    pub const NONE: Self = Self { temperature: 1.0, top_k: None, nucleus: 1.0 };

    /// The probabilities of outcomes with these logits, of which the first `values` are data values. The mask, which may
    /// follow, keeps the probability that it has: the settings change what is revealed, not when [Generative Frontiers, temperature].
    pub fn probabilities(&self, logits: &[f32], values: usize) -> Vec<f64> {
        let all = softmax_at(logits, 1.0);
        let mass: f64 = all[..values].iter().sum();
        if *self == Self::NONE || mass == 0.0 {
            return all;
        }
        let mut changed = match self.temperature {
            0.0 => one_hot(most_probable(&logits[..values]), values),
            temperature => softmax_at(&logits[..values], temperature),
        };
        if self.top_k.is_some_and(|count| count < values) || self.nucleus < 1.0 {
            truncate(&mut changed, self.top_k.unwrap_or(values), self.nucleus);
        }
        if all.len() > values {
            changed.iter_mut().for_each(|p| *p *= mass);
            changed.extend_from_slice(&all[values..]);
        }
        changed
    }
}

/// Whether a row of logits or log-probabilities is one of a distribution: no NaN, and a possible value.
pub(crate) fn is_distribution(row: &[f32]) -> bool {
    !row.iter().any(|x| x.is_nan()) && row.iter().copied().fold(f32::NEG_INFINITY, f32::max).is_finite()
}

/// The index of the largest number, the first of equals.
fn most_probable(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a))).unwrap_or(0)
}

fn one_hot(value: usize, values: usize) -> Vec<f64> {
    (0..values).map(|v| f64::from(u8::from(v == value))).collect()
}

/// Keeps at most `count` of the most probable values, and of those the fewest that together have at least `share` of
/// their mass; the rest become impossible. The probabilities sum to what they summed to.
fn truncate(probabilities: &mut [f64], count: usize, share: f64) {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    let all: f64 = probabilities.iter().sum();
    let (first, rest) = order.split_at(count.min(order.len()));
    rest.iter().for_each(|&value| probabilities[value] = 0.0);
    let goal = share * probabilities.iter().sum::<f64>();
    let mut kept = 0.0;
    for &value in first {
        // Not below: with all of the mass asked for, rounding must not cut the least probable value.
        if kept >= goal && share < 1.0 {
            probabilities[value] = 0.0;
        } else {
            kept += probabilities[value];
        }
    }
    probabilities.iter_mut().for_each(|p| *p *= all / kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error of a probability whose logit is rounded to single precision. Measured: 1.5e-8.
    const ROUNDING: f64 = 1e-7;

    fn changed(probabilities: &[f64], values: usize, tempering: Tempering) -> Vec<f64> {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln() as f32).collect();
        tempering.probabilities(&logits, values)
    }

    #[track_caller]
    fn is(found: &[f64], expected: &[f64]) {
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(found.len() == expected.len() && worst < ROUNDING, "{found:?} is not {expected:?}");
    }

    const P: [f64; 4] = [0.2, 0.5, 0.05, 0.25];

    #[test]
    fn each_change_is_the_one_that_its_name_says() {
        let with = |temperature, top_k, nucleus| changed(&P, 4, Tempering { temperature, top_k, nucleus });
        is(&with(1.0, None, 1.0), &P);
        // Squares: 0.04, 0.25, 0.0025, 0.0625 of 0.355.
        is(&with(0.5, None, 1.0), &[0.04 / 0.355, 0.25 / 0.355, 0.0025 / 0.355, 0.0625 / 0.355]);
        is(&with(0.0, None, 1.0), &[0.0, 1.0, 0.0, 0.0]);
        is(&with(1.0, Some(2), 1.0), &[0.0, 2.0 / 3.0, 0.0, 1.0 / 3.0]);
        is(&with(1.0, None, 0.76), &[0.2 / 0.95, 0.5 / 0.95, 0.0, 0.25 / 0.95]);
        is(&with(1.0, None, 0.3), &[0.0, 1.0, 0.0, 0.0]);
        // The nucleus is of what the first k leave: 0.5 and 0.25 are 2/3 and 1/3 of them.
        is(&with(1.0, Some(2), 0.6), &[0.0, 1.0, 0.0, 0.0]);
        is(&with(1.0, Some(9), 1.0), &P);
    }

    #[test]
    fn the_temperature_comes_before_the_truncation() {
        // At tau = 1/2 the first value has 0.25/0.355 = 0.70 of the mass, and is a nucleus of 0.6 alone; before, it has 0.5.
        let cold = Tempering { temperature: 0.5, top_k: None, nucleus: 0.6 };
        is(&changed(&P, 4, cold), &[0.0, 1.0, 0.0, 0.0]);
        is(&changed(&P, 4, Tempering { temperature: 1.0, ..cold }), &[0.0, 2.0 / 3.0, 0.0, 1.0 / 3.0]);
    }

    #[test]
    fn the_mask_keeps_its_probability() {
        let with_mask = [0.1, 0.4, 0.5];
        let cold = Tempering { temperature: 0.5, ..Tempering::NONE };
        is(&changed(&with_mask, 2, cold), &[0.5 / 17.0, 8.0 / 17.0, 0.5]);
        is(&changed(&with_mask, 2, Tempering { temperature: 0.0, ..cold }), &[0.0, 0.5, 0.5]);
        is(&changed(&with_mask, 2, Tempering { top_k: Some(1), ..Tempering::NONE }), &[0.0, 0.5, 0.5]);
    }

    #[test]
    fn the_least_probable_value_survives_where_all_are_kept() {
        let tail = changed(&[1.0 - 1e-12, 1e-12], 2, Tempering { temperature: 1.5, ..Tempering::NONE });
        assert!((tail[1] / 1e-8 - 1.0).abs() < 1e-5, "{tail:?}: (1e-12)^(2/3) was expected");
        let kept = changed(&[1.0 - 1e-17, 1e-17], 2, Tempering { top_k: Some(2), ..Tempering::NONE });
        assert!(kept[1] > 0.0, "{kept:?}");
    }
}
