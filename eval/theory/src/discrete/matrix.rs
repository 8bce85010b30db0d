//! Transition matrices, row-stochastic: entry (a, b) is the probability of going from a to b.

use ndarray::Array2;

/// The identity.
pub(super) fn identity(states: usize) -> Array2<f64> {
    Array2::eye(states)
}

/// The masking transition with the probabilities (kept, lost) of each value; the last state is the mask.
pub(super) fn masking(probability: impl Fn(usize) -> (f64, f64), values: usize) -> Array2<f64> {
    let entry = |(from, to): (usize, usize)| match (from == values, to == values) {
        (true, _) => f64::from(to == values),
        (false, true) => probability(from).1,
        (false, false) if from == to => probability(from).0,
        _ => 0.0,
    };
    Array2::from_shape_fn((values + 1, values + 1), entry)
}

/// exp(tau (P - I)) of a stochastic P, by a Poisson mixture of its powers (no cancellation) and repeated squaring.
///
/// Rows are normalised after each squaring, so that they stay distributions for any tau.
pub(super) fn exponential(jump: &Array2<f64>, tau: f64) -> Array2<f64> {
    let size = jump.nrows();
    // 2^60 jumps are indistinguishable from infinitely many.
    let squarings = if tau <= 1.0 { 0 } else { tau.min(2f64.powi(60)).log2().ceil() as i32 };
    let small = tau.min(2f64.powi(60)) / 2f64.powi(squarings);
    let (mut term, mut sum) = (identity(size), identity(size));
    // 1 / 20! is below rounding.
    for k in 1..20 {
        term = term.dot(jump) * (small / f64::from(k));
        sum += &term;
    }
    for squaring in 0..=squarings {
        if squaring > 0 {
            sum = sum.dot(&sum);
        }
        for a in 0..size {
            let total: f64 = (0..size).map(|b| sum[(a, b)]).sum();
            (0..size).for_each(|b| sum[(a, b)] /= total);
        }
    }
    sum
}
