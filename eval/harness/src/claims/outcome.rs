//! Outcome of a check: the deciding number, and the numbers and figures beside it.

use elbow_base::Error;
use elbow_reports::record::{Detail, Figure, Input, Measured};

use crate::likelihood::Estimate;

/// The outcome of a check.
pub struct Outcome {
    /// The deciding number; its interval is added by the judge.
    pub measured: Measured,
    /// Numbers beside the deciding one.
    pub details: Vec<Detail>,
    /// Figures for the report.
    pub figures: Vec<Figure>,
    /// Inputs that exist only after the check ran, such as a trained checkpoint.
    pub made: Vec<Input>,
    /// Number of numbers of which the deciding one is the worst.
    pub rivals: usize,
}

impl Outcome {
    /// An exact number, of one case.
    pub fn exact(quantity: &str, value: f64, unit: &str) -> Self {
        let measured = Measured {
            quantity: quantity.to_owned(),
            value,
            standard_error: None,
            n: 1,
            n_unit: "cases".to_owned(),
            unit: unit.to_owned(),
            interval: None,
            rivals: None,
        };
        Self { measured, details: Vec::new(), figures: Vec::new(), made: Vec::new(), rivals: 1 }
    }

    /// A mean over independent units, `n_unit`, with its standard error.
    pub fn estimated(quantity: &str, estimate: Estimate, unit: &str, n_unit: &str) -> Self {
        Self::exact(quantity, estimate.value, unit)
            .over(estimate.n as usize, n_unit)
            .with_error(estimate.standard_error)
    }

    /// The worst of several named means that are all claimed to be at most some limit: the one whose interval of this
    /// confidence reaches furthest up. `quantity` names the quantity from the name of the worst.
    pub(super) fn worst_of(
        numbers: &[(String, Estimate)],
        confidence: f64,
        quantity: impl Fn(&str) -> String,
        unit: &str,
        n_unit: &str,
    ) -> Result<Self, Error> {
        let worst = least_clear(numbers, confidence).ok_or_else(|| Error::internal("the claim compares nothing"))?;
        let (name, estimate) = worst;
        Ok(Self { rivals: numbers.len(), ..Self::estimated(&quantity(name), *estimate, unit, n_unit) })
    }

    /// Sets the number of cases or of independent units behind the deciding number.
    pub fn over(mut self, n: usize, n_unit: &str) -> Self {
        (self.measured.n, self.measured.n_unit) = (n as u64, n_unit.to_owned());
        self
    }

    /// Sets the standard error, which makes the claim a statistical one.
    pub fn with_error(mut self, standard_error: f64) -> Self {
        self.measured.standard_error = Some(standard_error);
        self
    }

    /// Adds a number beside the deciding one. One that is not finite is left out, with its error or without: JSON has no
    /// infinity, and a number without its error would pass for exact.
    pub(super) fn detail(&mut self, name: impl Into<String>, value: f64, standard_error: Option<f64>, unit: &str) {
        if value.is_finite() && standard_error.is_none_or(f64::is_finite) {
            self.details.push(Detail { name: name.into(), value, standard_error, unit: unit.to_owned() });
        }
    }

    /// Adds exact numbers beside the deciding one.
    pub(super) fn exact_details(&mut self, numbers: impl IntoIterator<Item = (String, f64)>, unit: &str) {
        numbers.into_iter().for_each(|(name, value)| self.detail(name, value, None, unit));
    }

    /// Adds a mean with its standard error beside the deciding number.
    pub(super) fn estimate_detail(&mut self, name: impl Into<String>, estimate: &Estimate, unit: &str) {
        self.detail(name, estimate.value, Some(estimate.standard_error), unit);
    }
}

/// The one of several named means, all claimed to be at most some limit, whose interval reaches furthest up. A value or
/// error that is not a number comes before all others.
fn least_clear(numbers: &[(String, Estimate)], confidence: f64) -> Option<&(String, Estimate)> {
    let reach = |(_, number): &(String, Estimate)| {
        let (_, high) = number.interval(confidence);
        if high.is_nan() { f64::INFINITY } else { high }
    };
    numbers.iter().max_by(|a, b| reach(a).total_cmp(&reach(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_clear_number_is_chosen_at_the_coverage_that_judges() {
        // At 99 % the second reaches further up, at 99.9 % the first: wide errors grow faster.
        let rivals = [(-1.5, 0.30), (-0.6, 0.045)]
            .map(|(value, standard_error)| (String::new(), Estimate { value, standard_error, n: 8 }));
        let chosen = |confidence| least_clear(&rivals, confidence).map(|(_, rival)| rival.value);
        assert_eq!((chosen(0.99), chosen(0.999)), (Some(-0.6), Some(-1.5)));
        let broken = [rivals[0].clone(), (String::new(), Estimate { standard_error: -f64::NAN, ..rivals[1].1 })];
        assert_eq!(least_clear(&broken, 0.99).map(|(_, rival)| rival.value), Some(-0.6));
    }
}
