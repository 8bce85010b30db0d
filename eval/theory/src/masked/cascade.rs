//! The cascade of bounds of masked diffusion.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use rayon::prelude::*;

use super::elbo::{elbo_terms, prior_kl};
use super::enumeration::Enumeration;
use super::time_grid::TimeGrid;
use super::{continuous_limit, gap, sampler_law};
use crate::cascade::{Cascade, Infinite};
use crate::error::Error;

/// Largest steps * outcomes * (tokens + 1), and largest steps * pairs of sequences, that are computed.
const MAX_WORK: f64 = 1e9;

/// The exact cascade on the grid t(i) = i/T, T = `steps`, in nats.
///
/// Cost: O(T K L) for K outcomes, and O(T (2V + 1)^L) for the true KLs, which are left out with a note where that
/// exceeds 10^9.
pub fn cascade(
    enumeration: &Enumeration,
    schedule: &MaskedSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Error> {
    let (outcomes, length) = (enumeration.outcomes.len(), enumeration.length());
    let most = MAX_WORK / outcomes as f64 / (length + 1) as f64;
    Error::check_steps(steps, most, || format!(" for {outcomes} outcomes of {length} tokens"))?;
    let grid = TimeGrid::new(schedule, steps, length);
    let prior = prior_kl(enumeration, schedule.alpha(1.0));
    let terms = (0..outcomes).into_par_iter().map(|x| elbo_terms(enumeration, &grid, x, prior));
    let gaps = gap::gaps(enumeration, schedule, steps);
    let mut result = Cascade::new(schedule, steps, weighting, enumeration.entropy(), terms, gaps);
    (result.states, result.length) = (Some(enumeration.states()), Some(length));
    result.factorization = gap::total_correlations(enumeration, schedule, steps);
    let pairs = enumeration.index().pairs();
    if !enumeration.is_walked() {
        result.notes.push(format!(
            "gap is summed over single sequences, since {pairs:.1e} transitions are too many to walk: Theorem 1 is an \
             identity of these sums, and its residual shows rounding alone"
        ));
    }
    if steps as f64 * pairs <= MAX_WORK {
        result.data_model_kl = sampler_law::data_model_kl(enumeration, schedule.alpha(1.0), &grid.xi[1..]);
    } else {
        result.notes.push(format!("data_model_kl is left out: {steps} steps of {pairs:.1e} transitions"));
    }
    result.neg_elbo_continuous = continuous_limit::neg_elbo(enumeration, schedule);
    result.weighted_continuous = continuous_limit::weighted_loss(enumeration, schedule, weighting);
    result.any_order_ar_nll = Some(continuous_limit::any_order_nll(enumeration));
    result.checked(Infinite::default())
}
