//! Intervals and tests.

use elbow_base::student_interval as interval;
use pyo3::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF, StudentsT};

/// The two-sided Student interval of a mean of `n` units.
#[pyfunction]
pub fn student_interval(value: f64, standard_error: f64, n: u64, confidence: f64) -> (f64, f64) {
    interval(value, standard_error, n, confidence)
}

/// The probability that a chi-square variable with `freedom` degrees of freedom is larger; NaN without any.
#[pyfunction]
pub fn chi_square_tail(statistic: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom).map_or(f64::NAN, |law| law.sf(statistic))
}

/// The probability that a Student variable with `freedom` degrees of freedom is farther from 0 than `statistic`; NaN without
/// any.
#[pyfunction]
pub fn student_tails(statistic: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |law| 2.0 * law.sf(statistic.abs()))
}
