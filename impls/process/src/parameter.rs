//! Numbers in the names of schedules and weightings, such as the W of `poly:W`.

use elbow_base::Error;

/// The range of a parameter.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    Finite,
    NotNegative,
    Positive,
}

/// The number `text` for the parameter `letter` of `name`, a schedule or a weighting; an error says its range.
pub(crate) fn parameter(name: &str, letter: &str, text: &str, range: Range) -> Result<f64, Error> {
    let (fits, words): (fn(f64) -> bool, _) = match range {
        Range::Finite => (|_| true, "finite"),
        Range::NotNegative => (|x| x >= 0.0, "finite and 0 or more"),
        Range::Positive => (|x| x > 0.0, "finite and above 0"),
    };
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && fits(*x));
    number.ok_or_else(|| Error::input(format!("{name}: {letter} must be {words}"), format!("it is {text:?}")))
}

/// Largest size of a log-SNR at the ends of a schedule: e^700 is still a number.
pub(crate) const MAX_LOG_SNR: f64 = 700.0;

/// The ends gamma_min < gamma_max of a schedule.
pub(crate) fn ends(name: &str, [min, max]: [&str; 2]) -> Result<[f64; 2], Error> {
    let ends = [parameter(name, "MIN", min, Range::Finite)?, parameter(name, "MAX", max, Range::Finite)?];
    if ends[0] >= ends[1] {
        return Err(Error::input(
            format!("{name}: MIN must be below MAX"),
            "the log-SNR falls from the data to the noise",
        ));
    }
    match ends.iter().find(|end| end.abs() > MAX_LOG_SNR) {
        Some(end) => Err(Error::input(
            format!("{name}: {end} is too far out"),
            format!("a log-SNR must lie within {MAX_LOG_SNR} of 0, in nats"),
        )),
        None => Ok(ends),
    }
}
