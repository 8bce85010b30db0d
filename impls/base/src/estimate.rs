//! A mean with its standard error.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The mean of independent units, with its standard error and their number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Standard deviation over the units (n - 1), divided by sqrt(n).
    pub standard_error: f64,
    /// Number of units.
    pub n: u64,
}

impl Estimate {
    /// The mean of at least two units.
    pub fn of(units: &[f64]) -> Self {
        let n = units.len() as f64;
        let value = units.iter().sum::<f64>() / n;
        let variance = units.iter().map(|u| (u - value).powi(2)).sum::<f64>() / (n - 1.0);
        Self { value, standard_error: (variance / n).sqrt(), n: units.len() as u64 }
    }

    /// The mean of the differences a - b of paired units.
    pub fn of_pairs(a: &[f64], b: &[f64]) -> Self {
        Self::of(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }

    /// The two-sided Student interval with this coverage.
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        student_interval(self.value, self.standard_error, self.n, confidence)
    }

    /// A mean of nats of `dims` dimensions in bits per dimension.
    pub fn bits_per(&self, dims: usize) -> Self {
        self.scaled(bits_per_dim(1.0, dims))
    }

    /// In another unit.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { value: self.value * factor, standard_error: self.standard_error * factor.abs(), n: self.n }
    }
}

/// Nats of `dims` dimensions in bits per dimension: nats / (dims ln 2).
pub fn bits_per_dim(nats: f64, dims: usize) -> f64 {
    // Times the reciprocal: recorded values are of this rounding.
    nats * (1.0 / (dims as f64 * std::f64::consts::LN_2))
}

/// value +- t(n - 1) * standard_error.
pub fn student_interval(value: f64, standard_error: f64, n: u64, confidence: f64) -> (f64, f64) {
    let freedom = n.saturating_sub(1).max(1) as f64;
    let student = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
    let half = student.inverse_cdf(0.5 + confidence / 2.0) * standard_error;
    (value - half, value + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_nats_per_ln_2_of_four_dimensions_are_two_bits_each() {
        let nats = Estimate { value: 8.0 * std::f64::consts::LN_2, standard_error: std::f64::consts::LN_2, n: 3 };
        assert_eq!(nats.bits_per(4), Estimate { value: 2.0, standard_error: 0.25, n: 3 });
    }

    #[test]
    fn mean_and_error_of_a_small_sample() {
        let e = Estimate::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((e.value, e.n), (2.5, 4));
        assert!((e.standard_error - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
        // t(3) at 97.5 % is 3.182446305.
        let (low, high) = e.interval(0.95);
        assert!(((high - low) / 2.0 / e.standard_error - 3.182446305).abs() < 1e-6);
    }
}
