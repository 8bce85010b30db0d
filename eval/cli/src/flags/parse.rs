//! Parsers of option values. A wrong value is a usage error that says which values there are.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use elbow_base::{Error, Named, UnknownName, nearest};

/// A value with one of the names of a closed set: the help lists them.
pub fn one_of<T: Named + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::NAMES).try_map(|name| name.parse())
}

/// A value of an open set, such as `poly:W`: the error lists the forms.
pub fn form<T: FromStr<Err: Into<Error>>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| {
        let error = error.into();
        let Some(UnknownName { known, .. }) = error.unknown_name() else {
            return format!("{}; {}", error.what, error.advice);
        };
        let kind = |name: &str| name.split_once(':').map(|(kind, _)| kind.to_owned());
        let same_kind = known.iter().find(|form| kind(form).is_some() && kind(form) == kind(text));
        let tip = match (same_kind, nearest(text, known)) {
            (Some(form), _) => format!("\n\n  tip: the form is {form}"),
            (None, Some(near)) => format!("\n\n  tip: a similar value exists: '{near}'"),
            (None, None) => String::new(),
        };
        format!("choose one of {}{tip}", known.join(", "))
    })
}

/// A positive number.
pub fn positive(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0, "a positive number, such as 0.01")
}

/// A number of at least 0.
pub fn non_negative(text: &str) -> Result<f64, String> {
    number(text, |number| number >= 0.0, "a number of at least 0")
}

/// A number in (0, 1].
pub fn probability(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0 && number <= 1.0, "a number in (0, 1]")
}

/// A number that is not infinite.
pub fn finite(text: &str) -> Result<f64, String> {
    number(text, |_| true, "a finite number")
}

/// A temperature.
pub fn temperature(text: &str) -> Result<f64, String> {
    number(text, |number| (0.0..=1000.0).contains(&number), "a number from 0 to 1000")
}

/// A weight of guidance: beyond these it has no meaning, and log-probabilities would overflow.
pub fn weight(text: &str) -> Result<f64, String> {
    number(text, |number| number.abs() <= 1000.0, "a finite number from -1000 to 1000")
}

fn number(text: &str, fits: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && fits(*number));
    number.ok_or_else(|| format!("expected {expected}"))
}
