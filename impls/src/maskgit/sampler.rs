//! MaskGIT's confidence-based parallel decoding.

use std::f64::consts::FRAC_PI_2;

use crate::error::Result;
use crate::key::open_uniform;
use crate::network::Drawn;
use crate::sampler_state::{Predictor, Samples, TokenState};

/// Fills the masks of `state` in `steps` rounds (MaskGIT, section 3.2).
///
/// Each round draws a value for every mask, and keeps the most confident: confidence = ln p(value) + temperature (1 -
/// r) Gumbel, r = round / steps (MaskGIT: temperature 4.5). With M masks at the start, floor(M cos(pi r / 2)) stay
/// masked, at least one and fewer than before; the last round keeps all.
///
/// p is the denoiser's own, also where values are drawn from its tempered probabilities: by those every value would be
/// equally certain at a temperature of 0.
///
/// With more rounds than masks, rounds between the last mask but one and the last round keep nothing: they change
/// nothing, and do not call the network.
///
/// It does not sample from the model's law: confident values are revealed first, which lowers the entropy.
pub fn confidence_decoding(
    mut predictor: Predictor,
    steps: usize,
    temperature: f64,
    mut state: TokenState,
) -> Result<Samples> {
    let start: Vec<usize> = (0..state.rows()).map(|row| state.masked(row).len()).collect();
    for round in 1..=steps {
        let r = round as f64 / steps as f64;
        if round == steps {
            predictor.begin_last_step();
        }
        let mut all = state.all_masked();
        let mut stay = vec![0; state.rows()];
        for (row, masked) in all.iter_mut().enumerate() {
            stay[row] = staying(masked.len(), start[row], round, steps);
            if stay[row] == masked.len() {
                masked.clear();
            }
        }
        let share = |masked: &Vec<usize>| predictor.time_of_mask_probability(masked.len() as f64 / state.length as f64);
        let times: Vec<f64> = all.iter().map(share).collect();
        // A value and a Gumbel number for each position, in this order.
        let rngs = all.iter().zip(&mut state.rngs);
        let numbers: Vec<[f64; 2]> = rngs
            .flat_map(|(masked, rng)| masked.iter().map(|_| [open_uniform(rng), open_uniform(rng)]).collect::<Vec<_>>())
            .collect();
        let uniforms: Vec<f64> = numbers.iter().map(|[uniform, _]| *uniform).collect();
        let drawn = predictor.draw(&state, all.clone(), |row| times[row], &uniforms, true)?;
        let mut drawn = drawn.into_iter().zip(numbers);
        for (row, masked) in all.iter().enumerate().filter(|(_, masked)| !masked.is_empty()) {
            let mut values: Vec<(f64, usize, u32)> = masked
                .iter()
                .zip(&mut drawn)
                .map(|(&position, (Drawn { value, log_mu }, [_, uniform]))| {
                    let gumbel = -(-uniform.ln()).ln();
                    (log_mu + temperature * (1.0 - r) * gumbel, position, value)
                })
                .collect();
            values.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            for &(_, position, value) in &values[..masked.len() - stay[row]] {
                state.set(row, position, value);
            }
        }
    }
    Ok(predictor.finish(state))
}

/// How many of `masked` masks, `start` at the beginning, are left by a round.
fn staying(masked: usize, start: usize, round: usize, steps: usize) -> usize {
    if round == steps || masked == 0 {
        return 0;
    }
    let left = (start as f64 * (FRAC_PI_2 * round as f64 / steps as f64).cos()) as usize;
    left.min(masked - 1).max(1)
}
