//! Sampling from left to right.

use super::loss::shifted;
use crate::error::Result;
use crate::sampler_state::{Predictor, Samples, TokenState};

/// Fills each sequence from left to right: one network evaluation per token that is not known. A known token after a
/// gap stays, but the tokens before it were drawn without it.
pub fn left_to_right(mut predictor: Predictor, mut state: TokenState) -> Result<Samples> {
    for position in 0..state.length {
        let is_open = |row: usize| state.row(row)[position] == state.mask;
        let queried: Vec<Vec<usize>> =
            (0..state.rows()).map(|row| if is_open(row) { vec![position] } else { Vec::new() }).collect();
        // Causal: what stands at and after this position is not seen.
        let z = shifted(&state.z, state.length, state.mask);
        let next = predictor.predict_tokens(&z, state.length, queried.clone(), |_| 0.0, predictor.values())?;
        for row in (0..state.rows()).filter(|&row| !queried[row].is_empty()) {
            state.draw(row, position, &next.probabilities(row, position));
        }
    }
    Ok(predictor.finish(state))
}
