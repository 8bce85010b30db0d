//! When another reading of a model file is better than the file's own.
//!
//! Savings are averaged per sequence of the data, and their mean is tested by Student's t over sequences. All rivals of a
//! statement together are called better by chance with a probability of at most [`LEVEL`], even if each were as good as
//! the file's reading (Bonferroni); where they are worse, as of a file that is right, it is far less.

use elbow_base::Estimate;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Chance of a false alarm per statement of the file.
pub(super) const LEVEL: f64 = 1e-4;
/// The least share of the cost that a rival must save: a network that is not perfect can be a little better under a
/// reading that is not its own.
pub(super) const LEAST: f64 = 0.02;
/// Sequences that a probe of readings needs: with fewer, hardly any saving is significant.
pub(super) const SEQUENCES: usize = 8;

/// The mean saving, where it is significant and above `least`. `saved` holds one number per corrupted sequence, those of
/// `distinct` sequences of the data in turn; `tried` is the number of rivals among which this one was chosen.
pub(super) fn better(saved: &[f64], distinct: usize, tried: usize, least: f64) -> Option<f64> {
    let distinct = distinct.min(saved.len());
    if distinct < 2 {
        return None;
    }
    let mean = |first: usize| {
        let copies: Vec<f64> = saved.iter().skip(first).step_by(distinct).copied().collect();
        copies.iter().sum::<f64>() / copies.len() as f64
    };
    let mean = Estimate::of(&(0..distinct).map(mean).collect::<Vec<_>>());
    let student = StudentsT::new(0.0, 1.0, (distinct - 1) as f64).ok()?;
    let chance = student.sf(mean.value / mean.standard_error);
    (mean.value > least && chance < LEVEL / tried as f64).then_some(mean.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saving_counts_if_it_is_large_and_unlikely() {
        let saved: Vec<f64> = (0..32).map(|i| 1.0 + f64::from(i % 4)).collect();
        assert_eq!(better(&saved, 32, 10, 0.02), Some(2.5));
        assert_eq!(better(&saved, 32, 10, 3.0), None, "too small");
        // The same numbers are those of four sequences, 1 to 4: t = 2.5 / 0.645 with 3 degrees of freedom, p = 0.015.
        assert_eq!(better(&saved, 4, 10, 0.02), None, "copies are no sequences");
        // t(31) = 5 has p = 1.06e-5: enough for one rival, and not for ten.
        let at_five: Vec<f64> = saved.iter().map(|s| s - 2.5 + 5.0 * Estimate::of(&saved).standard_error).collect();
        assert!(better(&at_five, 32, 1, 0.0).is_some() && better(&at_five, 32, 10, 0.0).is_none());
    }
}
