//! Numbers as text, with no more digits than the standard error supports.

use crate::record::{Interval, Measured};

/// Below this a number is rounding noise: two digits of it say all there is to say.
const NOISE: f64 = 1e-9;
/// Magnitudes outside of this range are written in scientific notation.
const PLAIN: std::ops::Range<f64> = 1e-4..1e9;

/// An exact value with up to six significant digits: `1.30518`, `60000`, `3.1e-16`.
pub fn exact(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return non_finite(value);
    }
    if size == 0.0 {
        return "0".into();
    }
    if size < NOISE {
        return scientific(value, 1);
    }
    if !PLAIN.contains(&size) {
        return scientific(value, 5);
    }
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let decimals = (5 - exponent(value, 5)).max(0) as usize;
    trim_zeros(&format!("{value:.decimals$}"))
}

/// A value with its standard error, cut at the second significant digit of the error:
/// `1.3052 ± 0.0012`, `(3.10 ± 0.12)e-16`.
pub fn with_error(value: f64, error: Option<f64>) -> String {
    match error {
        Some(error) if value.is_finite() && error.is_finite() && error > 0.0 => {
            let last = exponent(error, 1) - 1;
            let scale = exponent(value.abs().max(error), 1);
            if PLAIN.contains(&value.abs().max(error)) {
                format!("{} ± {}", fixed(value, last), fixed(error, last))
            } else {
                let unit = 10f64.powi(scale);
                let (value, error) = (value / unit, error / unit);
                format!("({} ± {})e{scale}", fixed(value, last - scale), fixed(error, last - scale))
            }
        }
        Some(error) => format!("{} ± {}", exact(value), exact(error)),
        None => exact(value),
    }
}

/// The deciding number with its unit: `1.3052 ± 0.0012 nats`.
pub fn measured(measured: &Measured) -> String {
    with_unit(with_error(measured.value, measured.standard_error), &measured.unit)
}

/// Appends a unit; the unit `1` of ratios stays unsaid.
pub fn with_unit(number: String, unit: &str) -> String {
    match unit {
        "" | "1" => number,
        unit => format!("{number} {unit}"),
    }
}

/// A time in the largest unit that leaves two digits: `0.5 s`, `45 s`, `26 min`, `3.4 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        _ if seconds < 100.0 => format!("{seconds:.0} s"),
        _ if seconds < 6000.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// The unit of a count: `cascades`, and for one of them `cascade`.
///
/// ```
/// use elbow_reports::format::counted;
///
/// assert_eq!(counted(2, "pairs of sets"), "pairs of sets");
/// assert_eq!(counted(1, "pairs of sets"), "pair of sets");
/// assert_eq!(counted(1, "test images"), "test image");
/// ```
pub fn counted(n: u64, units: &str) -> String {
    // What follows "of" says of what they are.
    let (noun, of) = units.split_at(units.find(" of ").unwrap_or(units.len()));
    match noun.strip_suffix('s') {
        Some(one) if n == 1 => format!("{one}{of}"),
        _ => units.to_owned(),
    }
}

/// An interval with its coverage: `[1.302, 1.308], confidence 99.17 %`.
pub fn interval(interval: &Interval) -> String {
    let Interval { low, high, confidence } = *interval;
    let percent = trim_zeros(&format!("{:.3}", confidence * 100.0));
    let width = high - low;
    let bounds = if width.is_finite() && width > 0.0 && PLAIN.contains(&low.abs().max(high.abs())) {
        // Three digits of the width: enough to see on which side of a bound it ends.
        let last = exponent(width, 2) - 2;
        format!("[{}, {}]", fixed(low, last), fixed(high, last))
    } else {
        format!("[{}, {}]", exact(low), exact(high))
    };
    // With a space that no line is broken at.
    format!("{bounds}, confidence {percent}\u{a0}%")
}

/// Decimal exponent of `value` after rounding to `digits` digits behind the first.
fn exponent(value: f64, digits: usize) -> i32 {
    let text = format!("{value:.digits$e}");
    text.split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .expect("Rust writes a finite number as <mantissa>e<exponent>")
}

/// `value` rounded at the decimal place `10^last`.
fn fixed(value: f64, last: i32) -> String {
    let text = if last < 0 {
        format!("{value:.*}", last.unsigned_abs() as usize)
    } else {
        let unit = 10f64.powi(last);
        format!("{:.0}", (value / unit).round() * unit)
    };
    // A value that rounds to zero has no sign.
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.into(),
        _ => text,
    }
}

fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim_zeros(mantissa)),
        None => text,
    }
}

fn trim_zeros(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text.into() }
}

fn non_finite(value: f64) -> String {
    match value {
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "-∞".into(),
        _ => "not a number".into(),
    }
}

/// The text with its first letter in upper case.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_values_have_six_digits_at_most() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1.305_184_9, "1.30518"),
            (0.123_456_78, "0.123457"),
            (0.999_999_96, "1"),
            (60_000.0, "60000"),
            (1_234_567.0, "1234567"),
            (123_456.789, "123457"),
            (3.14e-16, "3.1e-16"),
            (-2e-12, "-2e-12"),
            (1.234_567_8e-6, "1.23457e-6"),
            (6.022e23, "6.022e23"),
            (f64::NAN, "not a number"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(exact(value), text, "{value:e}");
        }
    }

    #[test]
    fn errors_have_two_digits_and_decide_the_digits_of_the_value() {
        for (value, error, text) in [
            (1.305_184, 0.001_234, "1.3052 ± 0.0012"),
            (1.305_184, 0.000_996, "1.3052 ± 0.0010"),
            (-0.5, 0.25, "-0.50 ± 0.25"),
            (-0.000_01, 0.012, "0.000 ± 0.012"),
            (123_456.0, 2_345.0, "123500 ± 2300"),
            (12.0, 12.0, "12 ± 12"),
            (3.1e-16, 1.2e-17, "(3.10 ± 0.12)e-16"),
            (0.0, 2e-7, "(0.0 ± 2.0)e-7"),
            (1.5, 0.0, "1.5 ± 0"),
        ] {
            assert_eq!(with_error(value, Some(error)), text);
        }
        assert_eq!(with_error(0.25, None), "0.25");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let texts = [0.46, 45.2, 100.0, 1549.3, 12_240.0].map(duration);
        assert_eq!(texts, ["0.5 s", "45 s", "2 min", "26 min", "3.4 h"]);
    }

    #[test]
    fn units_and_intervals() {
        assert_eq!(with_unit("0.5".into(), "1"), "0.5");
        assert_eq!(with_unit("0.5".into(), "nats"), "0.5 nats");
        let narrow = Interval { low: 1.302_13, high: 1.308_47, confidence: 0.991_7 };
        assert_eq!(interval(&narrow), "[1.30213, 1.30847], confidence 99.17\u{a0}%");
        let empty = Interval { low: 0.5, high: 0.5, confidence: 0.95 };
        assert_eq!(interval(&empty), "[0.5, 0.5], confidence 95\u{a0}%");
    }
}
