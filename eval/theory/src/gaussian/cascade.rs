//! The cascade of bounds of Gaussian diffusion.

use elbow_process::Weighting;
use elbow_process::schedule::GaussianSchedule;

use super::continuous_limit::weighted_loss;
use super::elbo::{average, elbo_terms, level_grid, log_density, squared_errors};
use super::gap::step_gap;
use super::sampler_law;
use super::toy::GaussianToy;
use crate::cascade::Cascade;
use crate::elbo::ElboTerms;
use crate::error::Error;
use crate::quadrature::{ErrorSum, Quadrature};

/// Largest number of steps that is computed.
const MAX_STEPS: usize = 4096;

/// The exact cascade on the grid t(i) = i/T, T = `steps`, in nats; the prior p(z_1) is N(0, I).
///
/// Cost: T integrals over (z_s, z_t) per component, up to 4 million points each in two dimensions.
pub fn cascade(
    toy: &GaussianToy,
    schedule: &GaussianSchedule,
    steps: usize,
    weighting: &Weighting,
) -> Result<Cascade, Error> {
    if steps == 0 || steps > MAX_STEPS {
        return Err(Error::Steps { steps, of: String::new(), limit: MAX_STEPS });
    }
    let levels = level_grid(schedule, steps);
    let mut error = ErrorSum::default();
    // The step KLs and the gaps both need the squared errors.
    let errors = squared_errors(toy, &toy.denoiser, &levels);
    let best = if toy.denoiser == toy.data { errors.clone() } else { squared_errors(toy, &toy.data, &levels) };
    let components = 0..toy.data.components.len();
    let log_densities: Vec<Quadrature> = components.clone().map(|k| log_density(&toy.data, k)).collect();
    let terms: Vec<ElboTerms> =
        components.map(|k| elbo_terms(toy, &levels, k, &errors, log_densities[k], &mut error)).collect();
    let (mut gap, mut mismatch) = (Vec::new(), Vec::new());
    for i in 1..=steps {
        let [learned, exact] = step_gap(toy, [levels[i - 1], levels[i]], i, [&errors, &best], &mut error);
        gap.push(learned);
        mismatch.push(exact);
    }
    let entropy = -error.scaled(average(&toy.data, |k| log_densities[k]), 1.0);
    let diffusion = weighted_loss(toy, schedule, &Weighting::Elbo);
    let weighted = if *weighting == Weighting::Elbo { diffusion } else { weighted_loss(toy, schedule, weighting) };

    let mut result = Cascade::new(schedule, steps, weighting, entropy, terms, gap);
    result.dimensions = Some(toy.data.dimensions);
    result.kernel_mismatch = mismatch;
    result.neg_elbo_continuous = result.prior - result.decoder[0] + diffusion.value;
    result.weighted_continuous = weighted.value;
    let continuous = diffusion.error.max(weighted.error);
    result.quadrature_error = Some(if continuous.is_nan() { error.0 } else { error.0.max(continuous) });
    match sampler_law::data_model_kl(toy, &levels) {
        Ok(kl) => result.data_model_kl = kl,
        Err(why) => result.notes.push(format!("data_model_kl is left out: {why}")),
    }
    if levels[0].sigma == 0.0 {
        result.notes.push(format!(
            "the {schedule} schedule has infinite SNR at t = 0: the last step's KL, and L^(1) with it, is infinite for any Gaussian kernel"
        ));
    }
    Ok(result)
}
