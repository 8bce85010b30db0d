//! Ancestral sampling of masked diffusion.

use std::f64::consts::FRAC_PI_2;

use crate::error::Result;
use crate::key::{categorical, open_uniform};
use crate::sampler_state::{Predictor, Samples, TokenState};
use crate::schedule::MaskedSchedule;

/// The grid of a sampler's times t(i), i = 0..T.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// t(i) = i / T.
    Uniform,
    /// t(i) = cos(pi/2 (1 - i/T)): with the linear schedule this is the alpha sequence of the cosine schedule on
    /// a uniform grid. With the cosine schedule the warp is applied twice; say so if you mean it.
    Cosine,
}

impl Grid {
    /// The time of grid point `i` of `steps`.
    pub fn time(&self, i: usize, steps: usize) -> f64 {
        let t = i as f64 / steps as f64;
        match self {
            Self::Uniform => t,
            // As a sine: exactly 0 at i = 0.
            Self::Cosine => (FRAC_PI_2 * t).sin(),
        }
    }
}

crate::names!(Grid, "grid": Uniform = "uniform", Cosine = "cosine");

/// Gives masks uniform values with probability alpha(1), as the process leaves data values visible at its end.
pub(crate) fn draw_prior(state: &mut TokenState, visible: f64, values: usize) {
    let uniform = vec![1.0; values];
    for index in 0..state.z.len() {
        let rng = &mut state.rngs[index / state.length];
        if state.z[index] == state.mask && open_uniform(rng) < visible {
            state.z[index] = categorical(rng, &uniform) as u32;
        }
    }
}

/// Fills the masks of `state` by `steps` ancestral steps.
///
/// A step first decides which masked tokens to reveal (probability xi, double precision), then draws their values
/// from mu_theta(z_t). The network is evaluated for sequences with a revealed token only, and its last layer for the
/// revealed tokens only. With a linear schedule, a uniform grid and N masks
/// that leaves T (1 - (1 - 1/T)^N) evaluations on average.
pub fn ancestral(
    predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    state: TokenState,
) -> Result<Samples> {
    ancestral_then(predictor, schedule, grid, steps, state, |_, _, _| Ok(()))
}

/// Ancestral steps, each followed by `after`, which is told the share of visible tokens alpha_s that the step led to. The
/// decoder, which fills what alpha(0) < 1 leaves masked, is followed by nothing.
pub(super) fn ancestral_then(
    mut predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    mut state: TokenState,
    mut after: impl FnMut(&mut Predictor, &mut TokenState, f64) -> Result<()>,
) -> Result<Samples> {
    draw_prior(&mut state, schedule.alpha(1.0), predictor.values());
    for i in (0..=steps).rev() {
        // The last round (i = 0) is the decoder.
        let t = grid.time(i, steps);
        let reveal = if i == 0 { 1.0 } else { schedule.reveal_probability(grid.time(i - 1, steps), t) };
        if reveal >= 1.0 {
            predictor.begin_last_step();
        }
        reverse_step(&mut predictor, &mut state, reveal, schedule.mask_probability(t))?;
        if i > 0 {
            after(&mut predictor, &mut state, schedule.alpha(grid.time(i - 1, steps)))?;
        }
    }
    Ok(predictor.finish(state))
}

/// Reveals each masked token with probability `reveal`, all at once: their values are drawn from mu_theta(z_t), where the
/// probability of a mask is `masked`.
pub(super) fn reverse_step(predictor: &mut Predictor, state: &mut TokenState, reveal: f64, masked: f64) -> Result<()> {
    let chosen = choose_masked(state, reveal);
    let time = predictor.time_of_mask_probability(masked);
    predictor.reveal(state, chosen, |_| time)
}

/// Masked positions of every sequence, each chosen with probability `share`.
pub(super) fn choose_masked(state: &mut TokenState, share: f64) -> Vec<Vec<usize>> {
    (0..state.rows())
        .map(|row| {
            let masked = state.masked(row);
            masked.into_iter().filter(|_| open_uniform(&mut state.rngs[row]) < share).collect()
        })
        .collect()
}
