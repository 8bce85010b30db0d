//! The law of public evaluation code, kept as a witness: LLaDA's `get_log_likelihood.py` and what was copied from it.

/// The numbers of hidden tokens of a batch of draws for a target of `length` tokens, from a uniform `first` in 1..=length.
///
/// They are meant to be uniform on 1..=length. But halves are rounded to even numbers: where length / batch has an even
/// denominator in lowest terms, even numbers come too often. For 8 tokens in batches of 16 their share is 3/4.
pub(crate) fn published_counts(first: usize, length: usize, batch: usize) -> Vec<usize> {
    let step = length as f64 / batch as f64;
    let count = |draw: usize| (first as f64 + draw as f64 * step).round_ties_even() as usize;
    (0..batch).map(|draw| (count(draw) - 1) % length + 1).collect()
}
