//! Ancestral sampling with a schedule for each value.

use crate::canvas::{Canvas, Predictor, Samples};
use crate::key::{categorical, open_uniform};
use crate::md4::Grid;
use crate::network::Denoiser;
use crate::schedule::{VectorSchedule, softplus};

/// w = softplus(theta) of a model's schedule, in double precision.
pub fn powers(denoiser: &dyn Denoiser) -> Vec<f64> {
    let theta = denoiser.schedule_parameters().expect("a model for GenMD4 has a schedule");
    theta.into_data().iter::<f64>().map(softplus).collect()
}

/// Fills the masks of `canvas` by `steps` ancestral steps: a masked token becomes value v with probability mu_v xi_v, and
/// stays masked with probability sum_v mu_v (1 - xi_v), xi_v = (alpha_v(s) - alpha_v(t)) / (1 - alpha_v(t)).
///
/// The decision depends on mu, so that the network is called in every step for every sequence that has masks.
pub fn vector_ancestral(mut predictor: Predictor, grid: Grid, steps: usize, mut canvas: Canvas) -> Samples {
    let schedule = VectorSchedule::new(powers(predictor.denoiser()));
    for i in (1..=steps).rev() {
        let (s, t) = (grid.time(i - 1, steps), grid.time(i, steps));
        let reveal: Vec<f64> = (0..predictor.values()).map(|v| schedule.reveal_probability(v, s, t)).collect();
        let all = canvas.all_hidden();
        let mu = predictor.predict(&canvas, all.clone(), |_| t);
        for (row, hidden) in all.into_iter().enumerate() {
            for position in hidden {
                // Value first, then whether it is revealed: the same joint law, and no small number is lost in a sum.
                let value = categorical(&mut canvas.rngs[row], &mu.probabilities(row, position));
                if open_uniform(&mut canvas.rngs[row]) < reveal[value] {
                    canvas.set(row, position, value as u32);
                }
            }
        }
    }
    predictor.finish(canvas)
}
