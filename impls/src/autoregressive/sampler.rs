//! Sampling from left to right.

use super::loss::shifted;
use crate::canvas::{Canvas, Predictor, Samples};

/// Fills each sequence from left to right: one network evaluation a token that is not known. A known token after a gap
/// stays, but the tokens before it were drawn without it.
pub fn left_to_right(mut predictor: Predictor, mut canvas: Canvas) -> Samples {
    for position in 0..canvas.length {
        let is_open = |row: usize| canvas.row(row)[position] == canvas.mask;
        let wanted: Vec<Vec<usize>> =
            (0..canvas.rows()).map(|row| if is_open(row) { vec![position] } else { Vec::new() }).collect();
        // Causal: what stands at and after this position is not seen.
        let z = shifted(&canvas.z, canvas.length, canvas.mask);
        let next = predictor.ask(&z, canvas.length, wanted.clone(), |_| 0.0, predictor.values());
        for row in (0..canvas.rows()).filter(|&row| !wanted[row].is_empty()) {
            canvas.draw(row, position, &next.probabilities(row, position));
        }
    }
    predictor.finish(canvas)
}
