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
    mut predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    mut state: TokenState,
) -> Result<Samples> {
    draw_prior(&mut state, schedule.alpha(1.0), predictor.values());
    for i in (0..=steps).rev() {
        // The last round (i = 0) is the decoder: it fills what alpha(0) < 1 leaves masked.
        let t = grid.time(i, steps);
        let reveal = if i == 0 { 1.0 } else { schedule.reveal_probability(grid.time(i - 1, steps), t) };
        if reveal >= 1.0 {
            predictor.begin_last_step();
        }
        let chosen: Vec<Vec<usize>> = (0..state.rows())
            .map(|row| {
                let masked = state.masked(row);
                masked.into_iter().filter(|_| open_uniform(&mut state.rngs[row]) < reveal).collect()
            })
            .collect();
        let time = predictor.time_of_mask_probability(schedule.mask_probability(t));
        predictor.reveal(&mut state, chosen, |_| time)?;
    }
    Ok(predictor.finish(state))
}
