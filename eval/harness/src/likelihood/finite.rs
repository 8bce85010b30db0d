//! No code length that is not finite is a result.

use elbow_base::{Error, Estimate};

/// A code length of one sequence, nats, which must be finite; `term` says what it is.
pub(super) fn code_length(data: &str, sequence: usize, term: &str, nats: f64) -> Result<(), Error> {
    if nats.is_finite() {
        return Ok(());
    }
    let sequence = format!("{data}: sequence {sequence}, counted from 0");
    Err(match nats == f64::INFINITY {
        true => Error::input(
            format!("{sequence}, has probability 0 under the model: its {term} is infinite"),
            "no mean over sequences is finite then; take the sequence out, or a model that gives every token a probability",
        ),
        false => Error::input(
            format!("{sequence}: its {term} is {nats}"),
            "the network's outputs are not finite: look at its weights",
        ),
    })
}

/// A mean over sequences, which overflows where each of them is finite but huge.
pub(super) fn mean(data: &str, what: &str, mean: &Estimate) -> Result<(), Error> {
    match mean.value.is_finite() && mean.standard_error.is_finite() {
        true => Ok(()),
        false => Err(Error::input(
            format!("{data}: the {what} is beyond double precision ({} +- {})", mean.value, mean.standard_error),
            "the network is sure of wrong tokens: look at its weights, and whether the data are those that it is for",
        )),
    }
}
