//! Limits on a number, judged by its interval: what a continuous integration passes or fails on.

use elbow_reports::format::with_unit;
use elbow_reports::record::{Interval, Verdict};
use serde::Serialize;

use crate::claims::{Expect, Outcome, Relation, judge};

/// Coverage of the interval that decides.
const CONFIDENCE: f64 = 0.95;

/// Standard normal quantile of the probability, 80 %, with which as many units as [`Ruling::more`] says would decide.
const POWER: f64 = 0.841_621_233_572_914_3;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// The number is at most this.
    AtMost(f64),
    /// The number is at least this.
    AtLeast(f64),
    /// The number differs by at most `within` from `value`.
    Equals {
        /// The value.
        value: f64,
        /// The distance, 0 or more.
        within: f64,
    },
}

/// Whether a number keeps to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// The whole interval does.
    Holds,
    /// No part of the interval does.
    DoesNotHold,
    /// A part of the interval does.
    Undecided,
}

/// A limit with the number that was judged by it.
#[derive(Clone, Debug, Serialize)]
pub struct Ruling {
    /// The limit in words: `at most 1.9`.
    pub threshold: String,
    /// What the number is.
    pub quantity: String,
    /// The number, in `unit`.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Its two-sided Student interval; none for a number without sampling error.
    pub interval: Option<Interval>,
    /// The outcome.
    pub verdict: Holds,
    /// Where undecided: about how many times as many units would decide with a probability of 80 %, if the number is what it
    /// was found to be.
    pub more: Option<f64>,
}

impl Threshold {
    /// Judges a number: with a standard error by its 95 % interval, otherwise as it stands.
    ///
    /// ```
    /// use elbow_harness::claims::Outcome;
    /// use elbow_harness::likelihood::Estimate;
    /// use elbow_harness::threshold::{Holds, Threshold};
    ///
    /// let bits = Estimate { value: 1.90, standard_error: 0.02, n: 1000 };
    /// let judged = |limit| Threshold::AtMost(limit).judge(&Outcome::estimated("NELBO", bits, "bits/dim", "sequences")).verdict;
    /// assert_eq!((judged(2.0), judged(1.8), judged(1.92)), (Holds::Holds, Holds::DoesNotHold, Holds::Undecided));
    /// ```
    pub fn judge(&self, outcome: &Outcome) -> Ruling {
        let (relation, value, tolerance) = match *self {
            Self::AtMost(value) => (Relation::AtMost, value, 0.0),
            Self::AtLeast(value) => (Relation::AtLeast, value, 0.0),
            Self::Equals { value, within } => (Relation::Equals, value, within),
        };
        let (verdict, interval) =
            judge(outcome, &Expect { relation, value, tolerance, why: String::new() }, CONFIDENCE);
        let verdict = match verdict {
            Verdict::Verified => Holds::Holds,
            Verdict::Refuted => Holds::DoesNotHold,
            _ => Holds::Undecided,
        };
        let found = &outcome.measured;
        let more = match (&interval, found.standard_error, verdict) {
            (Some(interval), Some(error), Holds::Undecided) => self.more(found.value, error, interval),
            _ => None,
        };
        Ruling {
            threshold: self.in_words(),
            quantity: found.quantity.clone(),
            value: found.value,
            unit: found.unit.clone(),
            interval,
            verdict,
            more,
        }
    }

    /// The limit in words.
    pub fn in_words(&self) -> String {
        match self {
            Self::AtMost(value) => format!("at most {value}"),
            Self::AtLeast(value) => format!("at least {value}"),
            Self::Equals { value, within } => format!("equal to {value} within {within}"),
        }
    }

    /// Units over those there are, ((t + z) error / distance)^2 for the distance of the number from the limit: then the interval
    /// lies on one side of it with the probability of [`POWER`].
    fn more(&self, value: f64, error: f64, interval: &Interval) -> Option<f64> {
        let distance = match *self {
            Self::AtMost(limit) | Self::AtLeast(limit) => (value - limit).abs(),
            Self::Equals { value: centre, within } => ((value - centre).abs() - within).abs(),
        };
        let half = (interval.high - interval.low) / 2.0;
        let more = ((half + POWER * error) / distance).powi(2);
        more.is_finite().then_some(more)
    }
}

impl Ruling {
    /// The ruling in one line; `units` are what there would have to be more of.
    pub fn in_words(&self, units: &str) -> String {
        let Self { threshold, quantity, interval, verdict, more, unit, .. } = self;
        let verdict = match verdict {
            Holds::Holds => "holds",
            Holds::DoesNotHold => "DOES NOT HOLD",
            Holds::Undecided => "undecided",
        };
        let over = match interval {
            Some(Interval { low, high, .. }) => {
                format!("95 % interval {}", with_unit(format!("{low:.4} to {high:.4}"), unit))
            }
            None => format!("{}, without sampling error", with_unit(format!("{:.4}", self.value), unit)),
        };
        let more = match (more, self.verdict) {
            (Some(more), _) => format!("; about {more:.1} times as many {units} would decide (power 80 %)"),
            (None, Holds::Undecided) => format!("; the number lies on the limit, no number of {units} would decide"),
            (None, _) => String::new(),
        };
        format!("{quantity} {threshold}: {verdict} ({over}){more}")
    }
}

/// Whether some limit does not hold.
pub fn is_refuted(rulings: &[Ruling]) -> bool {
    rulings.iter().any(|ruling| ruling.verdict == Holds::DoesNotHold)
}

#[cfg(test)]
mod tests {
    use elbow_base::{Estimate, Key};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn ruling(threshold: Threshold, value: f64, standard_error: f64, n: u64) -> Ruling {
        threshold.judge(&Outcome::estimated("x", Estimate { value, standard_error, n }, "bits", "units"))
    }

    #[test]
    fn limits_are_judged_by_the_interval_and_exact_numbers_as_they_are() {
        let equals = Threshold::Equals { value: 1.0, within: 0.1 };
        // Half an interval of 100 units is 1.984 standard errors.
        for (threshold, value, error, expected) in [
            (Threshold::AtMost(1.0), 0.9, 0.05, Holds::Holds),
            (Threshold::AtMost(1.0), 0.9, 0.051, Holds::Undecided),
            (Threshold::AtMost(1.0), 1.1, 0.05, Holds::DoesNotHold),
            (Threshold::AtLeast(1.0), 0.9, 0.05, Holds::DoesNotHold),
            (Threshold::AtLeast(1.0), 1.1, 0.05, Holds::Holds),
            (equals, 1.0, 0.05, Holds::Holds),
            (equals, 1.0, 0.06, Holds::Undecided),
            (equals, 1.3, 0.1, Holds::DoesNotHold),
            (equals, 1.15, 0.1, Holds::Undecided),
        ] {
            assert_eq!(ruling(threshold, value, error, 100).verdict, expected, "{threshold:?} {value} {error}");
        }
        let exact = |value| Threshold::AtMost(1.0).judge(&Outcome::exact("x", value, "bits"));
        assert_eq!((exact(1.0).verdict, exact(1.0001).verdict), (Holds::Holds, Holds::DoesNotHold));
        assert!(exact(1.0).interval.is_none() && exact(1.0).in_words("units").contains("without sampling error"));
    }

    #[test]
    fn as_many_units_as_are_offered_decide_four_times_in_five() {
        const TRIALS: u64 = 2000;
        let (mean, limit, n) = (0.05, 0.0, 100.0);
        let found = ruling(Threshold::AtLeast(limit), mean, 1.0 / f64::sqrt(n), n as u64);
        let enough = (n * found.more.expect("undecided")).round() as usize;
        let decided = (0..TRIALS).filter(|&trial| {
            let mut rng = Key::new(trial, "power").rng();
            let units: Vec<f64> =
                (0..enough).map(|_| mean + Distribution::<f64>::sample(&StandardNormal, &mut rng)).collect();
            let outcome = Outcome::estimated("x", Estimate::of(&units), "bits", "units");
            Threshold::AtLeast(limit).judge(&outcome).verdict == Holds::Holds
        });
        let share = decided.count() as f64 / TRIALS as f64;
        println!("{enough} units decide with probability {share}");
        // Four standard errors of a share of 80 %.
        assert!((share - 0.8).abs() < 4.0 * (0.16 / TRIALS as f64).sqrt(), "{share}");
        // Witness: a number on the limit is never decided so.
        assert!(ruling(Threshold::AtMost(1.0), 1.0, 0.1, 100).more.is_none());
    }
}
