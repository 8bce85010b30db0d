//! Ancestral sampling of both processes.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::uniform::D3pmUniform;
use crate::error::{Result, not_finite};
use crate::key::{Key, categorical};
use crate::network::{Input, ids_tensor, to_f64_vec};
use crate::sampler_state::{Predictor, Samples, TokenState};
use crate::tempering::{Tempering, is_distribution};

/// Fills the masks of `state` by `steps` steps of the absorbing process with a denoiser that may put mass x_m on the
/// mask: p(z_s = j | z_t = m) is proportional to mu_j (t - s) for a value j, and to s (1 - x_m) + x_m for the mask. The
/// last step decodes, without mass on the mask.
pub fn absorbing_ancestral(mut predictor: Predictor, steps: usize, mut state: TokenState) -> Result<Samples> {
    let values = predictor.values();
    for i in (1..=steps).rev() {
        let (s, t) = ((i - 1) as f64 / steps as f64, i as f64 / steps as f64);
        if i == 1 {
            predictor.begin_last_step();
        }
        let all = state.all_masked();
        let mu = predictor.predict_tokens(&state.z, state.length, all.clone(), |_| t, values + 1)?;
        for (row, masked) in all.into_iter().enumerate() {
            for position in masked {
                let mut weights = mu.probabilities(row, position);
                let mass = weights.get(values).copied().unwrap_or(0.0);
                weights.truncate(values);
                weights.iter_mut().for_each(|p| *p *= t - s);
                if i > 1 {
                    weights.push(s * (1.0 - mass) + mass);
                }
                // The id V is the mask's own: a draw of it changes nothing.
                state.draw(row, position, &weights);
            }
        }
    }
    Ok(predictor.finish(state))
}

/// Draws `count` sequences of the uniform process by `objective`'s kernel in `steps` steps, from uniform tokens. Every
/// step may change every token, so that each evaluates the network: at the time at which it saw as much noise in training.
/// Temperature and truncation are of the denoiser's mu, from which the kernel is made.
pub fn uniform_ancestral(
    mut predictor: Predictor,
    objective: &D3pmUniform,
    steps: usize,
    [count, length]: [usize; 2],
    key: &Key,
    device: &Device,
) -> Result<Samples> {
    let (denoiser, class) = (predictor.denoiser(), predictor.class().to_vec());
    let values = denoiser.values();
    let mut state = TokenState::all_masks(count, length, values, key);
    let even = vec![1.0; values];
    for row in 0..count {
        for position in 0..length {
            state.draw(row, position, &even);
        }
    }
    for i in (1..=steps).rev() {
        let (s, t) = ((i - 1) as f64 / steps as f64, i as f64 / steps as f64);
        let z = ids_tensor(&state.z, length, device);
        let input = Input::new(z.clone(), &vec![predictor.time_under(&objective.schedule, t); count]);
        let input = if class.is_empty() { input } else { input.with_class(&class) };
        if i == 1 {
            predictor.begin_last_step();
        }
        let logits = denoiser.value_logits(&input);
        let tempering = predictor.tempering;
        let mu = if tempering == Tempering::NONE {
            softmax(logits, 2)
        } else {
            tempered(logits, tempering).ok_or_else(|| not_finite((steps - i + 1) as u64))?
        };
        let kernel: Vec<f64> = to_f64_vec(objective.reverse(mu, &z, s, t));
        if kernel.iter().any(|p| !p.is_finite()) {
            return Err(not_finite((steps - i + 1) as u64));
        }
        for row in 0..count {
            for position in 0..length {
                let at = (row * length + position) * values;
                let token = categorical(&mut state.rngs[row], &kernel[at..at + values]) as u32;
                state.set(row, position, token);
            }
        }
    }
    let tokens = crate::data::Tokens::new(state.z, length);
    let evaluations = vec![steps as u64; count];
    Ok(Samples { tokens, classes: class, evaluations, network_calls: steps as u64 })
}

/// The tempered probabilities of logits, \[batch, length, V\]; none where the logits of a token are those of no distribution.
fn tempered(logits: Tensor<3>, tempering: Tempering) -> Option<Tensor<3>> {
    let (shape, device) = (logits.dims(), logits.device());
    let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
    let rows = logits.chunks(shape[2]);
    let mu = |row: &[f32]| is_distribution(row).then(|| tempering.probabilities(row, shape[2]));
    let mu: Vec<f32> = rows.map(mu).collect::<Option<Vec<_>>>()?.concat().into_iter().map(|p| p as f32).collect();
    Some(Tensor::from_data(TensorData::new(mu, shape), &device))
}
