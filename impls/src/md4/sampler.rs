//! Ancestral sampling of masked diffusion.

use std::f64::consts::FRAC_PI_2;

use crate::canvas::{Canvas, Predictor, Samples};
use crate::key::{categorical, open_uniform};
use crate::schedule::MaskedSchedule;

/// How the sampler's times t(i), i = 0..T, are placed.
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

/// Fills the masks of `canvas` by `steps` ancestral steps.
///
/// A step first decides which masked tokens to reveal (probability xi, double precision), then draws their values
/// from mu_theta(z_t). A sequence of which a step reveals nothing is not shown to the network, and of the others only the
/// logits of what is revealed are computed: nothing else would be used. With a linear schedule, a uniform grid and N masks
/// that leaves T (1 - (1 - 1/T)^N) evaluations on average.
pub fn ancestral(
    mut predictor: Predictor,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    mut canvas: Canvas,
) -> Samples {
    let uniform = vec![1.0; predictor.values()];
    let visible_at_start = schedule.alpha(1.0);
    for index in 0..canvas.z.len() {
        let rng = &mut canvas.rngs[index / canvas.length];
        if canvas.z[index] == canvas.mask && open_uniform(rng) < visible_at_start {
            canvas.z[index] = categorical(rng, &uniform) as u32;
        }
    }
    for i in (0..=steps).rev() {
        // The last round (i = 0) is the decoder: it fills what alpha(0) < 1 leaves masked.
        let t = grid.time(i, steps);
        let reveal = if i == 0 { 1.0 } else { schedule.reveal_probability(grid.time(i - 1, steps), t) };
        let chosen: Vec<Vec<usize>> = (0..canvas.rows())
            .map(|row| {
                let hidden = canvas.hidden(row);
                hidden.into_iter().filter(|_| open_uniform(&mut canvas.rngs[row]) < reveal).collect()
            })
            .collect();
        let time = predictor.time_of_mask_probability(schedule.mask_probability(t));
        let mu = predictor.predict(&canvas, chosen.clone(), |_| time);
        for (row, chosen) in chosen.iter().enumerate() {
            for &position in chosen {
                canvas.draw(row, position, &mu.probabilities(row, position));
            }
        }
    }
    predictor.finish(canvas)
}
