//! Ancestral sampling with a schedule per value.

use burn::tensor::Tensor;

use crate::error::{Error, Result};
use crate::key::{categorical, open_uniform};
use crate::md4::Grid;
use crate::network::{TokenDenoiser, to_f64_vec};
use crate::sampler_state::{Predictor, Samples, TokenState};
use crate::schedule::{VectorSchedule, softplus};

/// theta of the denoiser's schedule per value, \[V\].
pub(super) fn theta(denoiser: &dyn TokenDenoiser) -> Result<Tensor<1>> {
    let missing = || Error::Setting("this denoiser has no learned schedule per value, which GenMD4 needs".into());
    denoiser.value_schedule().ok_or_else(missing)
}

/// w = softplus(theta) of a model's schedule, in double precision.
pub fn powers(denoiser: &dyn TokenDenoiser) -> Result<Vec<f64>> {
    Ok(to_f64_vec(theta(denoiser)?).into_iter().map(softplus).collect())
}

/// Fills the masks of `state` by `steps` ancestral steps: a masked token becomes value v with probability mu_v xi_v,
/// and stays masked with probability sum_v mu_v (1 - xi_v), xi_v = (alpha_v(s) - alpha_v(t)) / (1 - alpha_v(t)).
///
/// The decision depends on mu, so that the network is called in every step for every sequence that has masks.
pub fn vector_ancestral(mut predictor: Predictor, grid: Grid, steps: usize, mut state: TokenState) -> Result<Samples> {
    let schedule = VectorSchedule::new(powers(predictor.denoiser())?);
    for i in (1..=steps).rev() {
        let (s, t) = (grid.time(i - 1, steps), grid.time(i, steps));
        let reveal: Vec<f64> = (0..predictor.values()).map(|v| schedule.reveal_probability(v, s, t)).collect();
        if i == 1 {
            predictor.begin_last_step();
        }
        let all = state.all_masked();
        let mu = predictor.predict(&state, all.clone(), |_| t)?;
        for (row, masked) in all.into_iter().enumerate() {
            for position in masked {
                // Value first, then whether it is revealed: the same joint law, and no small number is lost in a sum.
                let value = categorical(&mut state.rngs[row], &mu.probabilities(row, position));
                if open_uniform(&mut state.rngs[row]) < reveal[value] {
                    state.set(row, position, value as u32);
                }
            }
        }
    }
    Ok(predictor.finish(state))
}
