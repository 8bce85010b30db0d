//! MaskGIT's confidence-based parallel decoding.

use std::f64::consts::FRAC_PI_2;

use crate::canvas::{Canvas, Predictor, Samples};
use crate::key::{categorical, open_uniform};

/// Fills the masks of `canvas` in `steps` rounds. Each round draws a value for every mask, and keeps the most confident:
/// confidence = ln p(value) + temperature (1 - r) Gumbel, r = round / steps (MaskGIT: temperature 4.5). Of the M masks at the
/// start, floor(M cos(pi r / 2)) stay hidden, at least one and fewer than before; the last round keeps all.
///
/// This is no sampler of the model's law: confident values are revealed first, which lowers the entropy.
pub fn confidence(mut predictor: Predictor, steps: usize, temperature: f64, mut canvas: Canvas) -> Samples {
    let start: Vec<usize> = (0..canvas.rows()).map(|row| canvas.hidden(row).len()).collect();
    for round in 1..=steps {
        let r = round as f64 / steps as f64;
        let all = canvas.all_hidden();
        let share =
            |hidden: &Vec<usize>| predictor.time_of_mask_probability(hidden.len() as f64 / canvas.length as f64);
        let times: Vec<f64> = all.iter().map(share).collect();
        let mu = predictor.predict(&canvas, all.clone(), |row| times[row]);
        for (row, hidden) in all.iter().enumerate().filter(|(_, hidden)| !hidden.is_empty()) {
            let mut drawn: Vec<(f64, usize, usize)> = hidden
                .iter()
                .map(|&position| {
                    let probabilities = mu.probabilities(row, position);
                    let rng = &mut canvas.rngs[row];
                    let value = categorical(rng, &probabilities);
                    let gumbel = -(-open_uniform(rng).ln()).ln();
                    (probabilities[value].ln() + temperature * (1.0 - r) * gumbel, position, value)
                })
                .collect();
            drawn.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let stay = match round == steps {
                true => 0,
                false => ((start[row] as f64 * (FRAC_PI_2 * r).cos()) as usize).min(hidden.len() - 1).max(1),
            };
            for &(_, position, value) in &drawn[..hidden.len().saturating_sub(stay)] {
                canvas.set(row, position, value as u32);
            }
        }
    }
    predictor.finish(canvas)
}
