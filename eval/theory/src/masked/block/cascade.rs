//! The cascade of bounds of block diffusion: the sum of the blocks' cascades.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use rayon::prelude::*;

use super::enumeration::{BlockEnumeration, Outcome};
use crate::cascade::{Cascade, Infinite};
use crate::elbo::ElboTerms;
use crate::error::Error;
use crate::masked::cascade::MAX_WORK;
use crate::masked::elbo::{elbo_terms, prior_kl};
use crate::masked::time_grid::TimeGrid;
use crate::masked::{continuous_limit, gap, sampler_law};

/// The exact cascade of a chain of blocks on the grid t(i) = i/T, T = `steps`, which all blocks share, in nats
/// [BD3LM, NELBO].
///
/// L^(i)(x) is the sum over blocks of L^(i)(x^b | x^<b), and g_i the sum of the blocks' expected joint KLs: Theorem 1 and
/// Theorem 2 hold for the sums since they hold for each. With one block it is [`crate::masked::cascade`]; with blocks of one
/// token L^(1) is the likelihood from left to right.
pub fn block_cascade(
    blocks: &BlockEnumeration,
    schedule: &MaskedSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Error> {
    let outcomes = blocks.outcomes.len();
    let most = MAX_WORK / outcomes as f64 / (blocks.length + 1) as f64;
    Error::check_steps(steps, most, || format!(" for {outcomes} outcomes of {} tokens", blocks.length))?;
    let grid = TimeGrid::new(schedule, steps, blocks.size);
    let terms = blocks.outcomes.par_iter().map(|outcome| terms_of(blocks, &grid, outcome, schedule.alpha(1.0)));
    let gaps = blocks.sums(|block| gap::gaps(block, schedule, steps));
    let mut result = Cascade::new(schedule, steps, weighting, blocks.sum(|block| block.entropy()), terms, gaps);
    result.states = Some(blocks.states());
    (result.length, result.block_size) = (Some(blocks.length), Some(blocks.size));
    result.factorization = blocks.sums(|block| gap::total_correlations(block, schedule, steps));
    let pairs: f64 = blocks.contexts().map(|context| context.given.index().pairs()).sum();
    if steps as f64 * pairs <= MAX_WORK {
        let xi = &grid.xi[1..];
        result.data_model_kl = blocks.sums(|block| sampler_law::data_model_kl(block, schedule.alpha(1.0), xi));
    } else {
        result.notes.push(format!("data_model_kl is left out: {steps} steps of {pairs:.1e} transitions"));
    }
    result.neg_elbo_continuous = blocks.sum(|block| continuous_limit::neg_elbo(block, schedule));
    result.weighted_continuous = blocks.sum(|block| continuous_limit::weighted_loss(block, schedule, weighting));
    result.any_order_ar_nll = Some(blocks.sum(continuous_limit::any_order_nll));
    result.checked(Infinite::default())
}

/// D_i, l_i and K of an outcome: the sums of its blocks'.
fn terms_of(blocks: &BlockEnumeration, grid: &TimeGrid, outcome: &Outcome, alpha: f64) -> ElboTerms {
    let steps = grid.steps();
    let (mut decoder, mut step_kl, mut prior) = (vec![0.0; steps + 1], vec![0.0; steps], 0.0);
    let add = |sums: &mut [f64], values: &[f64]| sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    for (contexts, &[before, block]) in blocks.blocks.iter().zip(&outcome.places) {
        let given = &contexts[before].given;
        let terms = elbo_terms(given, grid, block, prior_kl(given, alpha));
        add(&mut decoder, &terms.decoder);
        add(&mut step_kl, &terms.step_kl);
        prior += terms.prior;
    }
    ElboTerms { probability: outcome.probability, decoder, step_kl, prior }
}
