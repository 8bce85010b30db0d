//! MDLM's ancestral sampler with a cache.

use std::rc::Rc;

use crate::canvas::{Canvas, Prediction, Predictor, Samples};
use crate::key::open_uniform;

/// The last time of the published grid.
const LAST_TIME: f64 = 1e-5;

/// Fills the masks of `canvas` by `steps` steps from t = 1 to 1e-5, each token revealed with probability (t - s)/t, and the
/// most probable value for what is left ("noise removal").
///
/// A denoiser that sees no time is not asked again about a sequence that did not change: its last answer is used, and
/// is not counted.
pub fn cached(mut predictor: Predictor, steps: usize, mut canvas: Canvas) -> Samples {
    let reusable = !predictor.denoiser().sees_time();
    let mut cache: Vec<Option<Rc<Prediction>>> = vec![None; canvas.rows()];
    for i in 0..=steps {
        let t = 1.0 - (1.0 - LAST_TIME) * i as f64 / steps as f64;
        let s = t - (1.0 - LAST_TIME) / steps as f64;
        let hidden = canvas.all_hidden();
        let stale = |row: usize| cache[row].is_none() && !hidden[row].is_empty();
        let wanted: Vec<Vec<usize>> =
            (0..canvas.rows()).map(|row| if stale(row) { hidden[row].clone() } else { Vec::new() }).collect();
        let asked: Vec<usize> = (0..canvas.rows()).filter(|&row| !wanted[row].is_empty()).collect();
        let time = predictor.time_of_mask_probability(t);
        let fresh = Rc::new(predictor.predict(&canvas, wanted, |_| time));
        for row in asked {
            cache[row] = Some(fresh.clone());
        }
        for (row, hidden) in hidden.iter().enumerate() {
            let Some(mu) = cache[row].clone() else { continue };
            let mut changed = false;
            for &position in hidden {
                if i == steps {
                    canvas.set(row, position, most_probable(&mu.probabilities(row, position)));
                } else if open_uniform(&mut canvas.rngs[row]) < (t - s) / t {
                    canvas.draw(row, position, &mu.probabilities(row, position));
                    changed = true;
                }
            }
            if changed || !reusable {
                cache[row] = None;
            }
        }
    }
    predictor.finish(canvas)
}

fn most_probable(probabilities: &[f64]) -> u32 {
    let best = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(b.cmp(&a)));
    best.map_or(0, |value| value as u32)
}
