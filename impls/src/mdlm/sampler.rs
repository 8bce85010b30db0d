//! MDLM's ancestral sampler with a cache.

use std::rc::Rc;

use crate::error::Result;
use crate::key::open_uniform;
use crate::sampler_state::{Predictor, Samples, TokenPredictions, TokenState};

/// The last time of the published grid.
const LAST_TIME: f64 = 1e-5;

/// Fills the masks of `state` by `steps` steps from t = 1 to 1e-5, each token revealed with probability (t - s)/t, and
/// the most probable value for the remaining masks ("noise removal").
///
/// A denoiser that sees no time is not evaluated again for a sequence that did not change: its last prediction is used,
/// and is not counted. One that sees the time is evaluated in the steps that reveal a token.
pub fn ancestral_cached(mut predictor: Predictor, steps: usize, mut state: TokenState) -> Result<Samples> {
    let reusable = !predictor.denoiser().sees_time();
    let mut cache: Vec<Option<Rc<TokenPredictions>>> = vec![None; state.rows()];
    for i in 0..=steps {
        let t = 1.0 - (1.0 - LAST_TIME) * i as f64 / steps as f64;
        let s = t - (1.0 - LAST_TIME) / steps as f64;
        let masked = state.all_masked();
        // A look ahead at the stream: until the first token is revealed, it only decides.
        let reveals = |row: usize| {
            let mut rng = state.rngs[row].clone();
            i == steps || masked[row].iter().any(|_| open_uniform(&mut rng) < (t - s) / t)
        };
        let stale = |row: usize| cache[row].is_none() && !masked[row].is_empty() && (reusable || reveals(row));
        let queried: Vec<Vec<usize>> =
            (0..state.rows()).map(|row| if stale(row) { masked[row].clone() } else { Vec::new() }).collect();
        let fresh_rows: Vec<usize> = (0..state.rows()).filter(|&row| !queried[row].is_empty()).collect();
        let time = predictor.time_of_mask_probability(t);
        let fresh = Rc::new(predictor.predict(&state, queried, |_| time)?);
        for row in fresh_rows {
            cache[row] = Some(fresh.clone());
        }
        for (row, masked) in masked.iter().enumerate() {
            let mut changed = false;
            for &position in masked {
                let law = || cache[row].as_ref().map(|mu| mu.probabilities(row, position)).expect("it was predicted");
                if i == steps {
                    state.set(row, position, most_probable(&law()));
                } else if open_uniform(&mut state.rngs[row]) < (t - s) / t {
                    state.draw(row, position, &law());
                    changed = true;
                }
            }
            if changed || !reusable {
                cache[row] = None;
            }
        }
    }
    Ok(predictor.finish(state))
}

fn most_probable(probabilities: &[f64]) -> u32 {
    let best = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(b.cmp(&a)));
    best.map_or(0, |value| value as u32)
}
