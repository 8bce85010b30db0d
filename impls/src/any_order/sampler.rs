//! Sampling one token at a time: one network evaluation per mask, without the bias of parallel sampling.

use crate::error::Result;
use crate::key::{open_uniform, permutation};
use crate::sampler_state::{Predictor, Samples, TokenState};

/// Reveals the masks of each sequence one by one in a uniformly random order. The network is
/// evaluated at the time at which as large a share is masked.
pub fn one_by_one(predictor: Predictor, state: TokenState) -> Result<Samples> {
    reveal_one_by_one(predictor, state, |_, masks, length| masks as f64 / length as f64)
}

/// First-hitting sampling (Zheng et al. 2024): the continuous-time process itself, without a grid.
///
/// With n masks left and mask probability P, the next token appears when the mask probability has fallen to P u^(1/n);
/// its position is uniform. The schedule only decides the time at which the network is evaluated.
pub fn first_hitting(predictor: Predictor, state: TokenState) -> Result<Samples> {
    let mut left: Vec<f64> = vec![1.0; state.rows()];
    let mut uniforms = state.rngs.clone();
    // A stream of its own for the hitting times, so that which tokens are revealed does not depend on them.
    uniforms.iter_mut().for_each(|rng| rng.set_stream(1));
    reveal_one_by_one(predictor, state, |row, masks, _| {
        left[row] *= open_uniform(&mut uniforms[row]).powf(1.0 / masks as f64);
        left[row]
    })
}

/// Reveals all masks; `masked` as in [`reveal_in_random_order`].
fn reveal_one_by_one(
    mut predictor: Predictor,
    mut state: TokenState,
    masked: impl FnMut(usize, usize, usize) -> f64,
) -> Result<Samples> {
    let all = state.all_masked();
    reveal_in_random_order(&mut predictor, &mut state, all, masked)?;
    Ok(predictor.finish(state))
}

/// Reveals the masked positions `chosen` of each sequence one by one in a uniformly random order. `masked` gives the mask
/// probability of a sequence from its row, its number of masks and its length.
pub(crate) fn reveal_in_random_order(
    predictor: &mut Predictor,
    state: &mut TokenState,
    chosen: Vec<Vec<usize>>,
    mut masked: impl FnMut(usize, usize, usize) -> f64,
) -> Result<()> {
    let shuffled =
        |(chosen, rng): (Vec<usize>, _)| permutation(rng, chosen.len()).into_iter().map(|i| chosen[i]).collect();
    let mut orders: Vec<Vec<usize>> = chosen.into_iter().zip(&mut state.rngs).map(shuffled).collect();
    loop {
        let next: Vec<Vec<usize>> = orders.iter().map(|order| order.last().copied().into_iter().collect()).collect();
        if next.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let time = |(row, order): (usize, &Vec<usize>)| match order.len() {
            0 => 0.0,
            _ => predictor.time_of_mask_probability(masked(row, state.masked(row).len(), state.length)),
        };
        let times: Vec<f64> = orders.iter().enumerate().map(time).collect();
        predictor.reveal(state, next, |row| times[row])?;
        for order in &mut orders {
            order.pop();
        }
    }
}
