//! Schedules and weightings from outside: a user's own types, and tables.

use std::fmt;

use elbow_process::schedule::{LogSnr, MaskSchedule, MaskedSchedule};
use elbow_process::{Weight, Weighting};
use elbow_theory::Cascade;
use elbow_theory::masked::cascade;

use crate::fixture::toy;

/// Largest difference from the bundled twin; measured 2e-15.
const ROUNDING: f64 = 1e-14;

/// alpha = 1 - t^2, written by a user.
#[derive(Debug)]
struct Quadratic;

impl MaskSchedule for Quadratic {
    fn alpha(&self, t: f64) -> f64 {
        (1.0 - t) * (1.0 + t)
    }

    fn mask_probability(&self, t: f64) -> f64 {
        t * t
    }

    fn alpha_prime(&self, t: f64) -> f64 {
        -2.0 * t
    }
}

impl LogSnr for Quadratic {
    fn log_snr(&self, t: f64) -> f64 {
        self.alpha(t).ln() - self.mask_probability(t).ln()
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        (1.0 / (1.0 + log_snr.exp())).sqrt()
    }

    fn simple_weight(&self, log_snr: f64) -> f64 {
        0.5 * self.time_of_log_snr(log_snr)
    }

    fn simple_is_monotone(&self) -> bool {
        true
    }
}

impl fmt::Display for Quadratic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("quadratic")
    }
}

/// sigmoid(1 - lambda), written by a user.
#[derive(Debug)]
struct Logistic;

impl Weight for Logistic {
    fn of_log_snr(&self, lambda: f64) -> f64 {
        1.0 / (1.0 + (lambda - 1.0).exp())
    }

    fn is_monotone(&self) -> bool {
        true
    }
}

impl fmt::Display for Logistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logistic")
    }
}

fn of(schedule: &MaskedSchedule, weighting: &Weighting) -> Cascade {
    cascade(&toy("example-b"), schedule, 5, weighting).expect("computed")
}

/// The largest difference of the numbers that depend on schedule and weighting.
fn difference(a: &Cascade, b: &Cascade) -> f64 {
    let numbers = |c: &Cascade| [&c.elbo[..], &c.gap, &c.cascade_weights, &[c.weighted_continuous]].concat();
    numbers(a).iter().zip(numbers(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_users_schedule_and_weighting_are_those_of_their_bundled_twins() {
    let (schedule, weighting) = (MaskedSchedule::custom(Quadratic), Weighting::custom(Logistic));
    let ours = of(&schedule, &weighting);
    assert_eq!((ours.schedule.as_str(), ours.monotone), ("quadratic", true));
    let found = difference(&ours, &of(&MaskedSchedule::Poly(2.0), &Weighting::Sigmoid(1.0)));
    assert!(found < ROUNDING, "{found:e}");
    let witness = difference(&ours, &of(&MaskedSchedule::Poly(3.0), &Weighting::Sigmoid(1.0)));
    assert!(witness > 1e-3, "another schedule is seen: {witness:e}");
    let witness = difference(&ours, &of(&schedule, &Weighting::Sigmoid(2.0)));
    assert!(witness > 1e-3, "another weighting is seen: {witness:e}");
}

#[test]
fn both_theorems_hold_for_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, rows).expect("writable");
        format!("table:{}", path.display())
    };
    let schedule = table("alpha.csv", "t,alpha\n0,1\n0.2,0.9\n0.5,0.3\n1,0\n").parse().expect("a schedule");
    let weighting = table("w.csv", "log_snr,w\n-8,1\n-1,0.7\n0,0.6\n5,0.01\n").parse().expect("a weighting");
    let found = of(&schedule, &weighting);
    assert!(found.monotone && found.theorem1_residual < 1e-13 && found.theorem2_residual < 1e-13, "{found:?}");
}
