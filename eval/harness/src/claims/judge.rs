//! Verdicts from outcomes and expectations.

use elbow_reports::record::{Interval, Measured, Verdict};

use super::claim::{Expect, Relation};
use super::outcome::Outcome;
use crate::likelihood::student_interval;

/// Probability that any statistical claim of a family is decided wrongly by chance.
const FAMILY_ERROR: f64 = 0.05;

/// The coverage of each interval in a family of `claims` statistical claims (Bonferroni). A family is one suite.
pub fn confidence(claims: usize) -> f64 {
    1.0 - FAMILY_ERROR / claims.max(1) as f64
}

/// Judges an outcome, with the interval where it has a standard error.
///
/// An exact value is inside the expectation or not. A statistical one is judged by its interval: wholly inside is
/// verified, wholly outside is refuted, anything else is consistent: too wide to decide. If the claim is about the
/// worst of k numbers, "verified" needs no correction, as all k must pass; "refuted" uses an interval corrected for k
/// choices.
///
/// ```
/// use elbow_harness::claims::{Expect, Outcome, Relation, judge};
/// use elbow_reports::record::Verdict;
///
/// let why = "a tenth of a bit does not matter".to_owned();
/// let expect = Expect { relation: Relation::AtMost, value: 0.0, tolerance: 0.1, why };
/// let outcome = Outcome::exact("NELBO - baseline", -0.3, "bits/dim").over(100, "images");
/// assert_eq!(judge(&outcome, &expect, 0.95).0, Verdict::Verified);
/// // With a standard error of 0.3 the interval reaches above 0.1.
/// assert_eq!(judge(&outcome.with_error(0.3), &expect, 0.95).0, Verdict::Consistent);
/// ```
pub fn judge(outcome: &Outcome, expect: &Expect, confidence: f64) -> (Verdict, Option<Interval>) {
    judge_number(&outcome.measured, outcome.rivals as u64, expect, confidence)
}

/// Judges a number that is the worst of `rivals`, just found or recorded.
pub(super) fn judge_number(
    found: &Measured,
    rivals: u64,
    expect: &Expect,
    confidence: f64,
) -> (Verdict, Option<Interval>) {
    let (low, high) = match expect.relation {
        Relation::Equals => (expect.value - expect.tolerance, expect.value + expect.tolerance),
        Relation::AtLeast => (expect.value - expect.tolerance, f64::INFINITY),
        Relation::AtMost => (f64::NEG_INFINITY, expect.value + expect.tolerance),
    };
    let Some(error) = found.standard_error else {
        let inside = (low..=high).contains(&found.value);
        return (if inside { Verdict::Verified } else { Verdict::Refuted }, None);
    };
    let (from, to) = student_interval(found.value, error, found.n, confidence);
    let chosen = 1.0 - (1.0 - confidence) / rivals as f64;
    let (lowest, highest) = student_interval(found.value, error, found.n, chosen);
    let verdict = if from.is_nan() || to.is_nan() || highest < low || lowest > high {
        Verdict::Refuted
    } else if from >= low && to <= high {
        Verdict::Verified
    } else {
        Verdict::Consistent
    };
    (verdict, Some(Interval { low: from, high: to, confidence }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(relation: Relation, value: f64, standard_error: Option<f64>) -> Verdict {
        let expect = Expect { relation, value: 1.0, tolerance: 0.1, why: String::new() };
        let mut outcome = Outcome::exact("x", value, "1");
        (outcome.measured.standard_error, outcome.measured.n) = (standard_error, 100);
        judge(&outcome, &expect, 0.95).0
    }

    #[test]
    fn exact_values_are_in_or_out() {
        assert_eq!(verdict(Relation::Equals, 1.05, None), Verdict::Verified);
        assert_eq!(verdict(Relation::Equals, 1.15, None), Verdict::Refuted);
        assert_eq!(verdict(Relation::AtLeast, 0.95, None), Verdict::Verified);
        assert_eq!(verdict(Relation::AtMost, 1.2, None), Verdict::Refuted);
        assert_eq!(verdict(Relation::Equals, f64::NAN, None), Verdict::Refuted);
    }

    #[test]
    fn intervals_decide_only_when_they_are_narrow() {
        assert_eq!(verdict(Relation::Equals, 1.0, Some(0.01)), Verdict::Verified);
        assert_eq!(verdict(Relation::Equals, 1.0, Some(0.2)), Verdict::Consistent);
        assert_eq!(verdict(Relation::Equals, 2.0, Some(0.2)), Verdict::Refuted);
        assert_eq!(verdict(Relation::AtMost, 1.0, Some(0.04)), Verdict::Verified);
        assert_eq!(verdict(Relation::AtMost, 1.0, Some(0.06)), Verdict::Consistent);
        assert_eq!(verdict(Relation::AtMost, 1.3, Some(0.05)), Verdict::Refuted);
        assert_eq!(verdict(Relation::AtMost, f64::NAN, Some(0.05)), Verdict::Refuted);
    }

    #[test]
    fn the_worst_of_many_needs_more_to_be_refuted() {
        let expect = Expect { relation: Relation::AtMost, value: 0.0, tolerance: 0.0, why: String::new() };
        let judged = |rivals: usize| {
            let mut outcome = Outcome::exact("x", 0.21, "1").over(100, "units").with_error(0.1);
            outcome.rivals = rivals;
            judge(&outcome, &expect, 0.95).0
        };
        assert_eq!((judged(1), judged(6)), (Verdict::Refuted, Verdict::Consistent));
    }

    #[test]
    fn more_claims_widen_the_intervals() {
        assert_eq!(confidence(1), 0.95);
        assert_eq!(confidence(10), 0.995);
    }
}
