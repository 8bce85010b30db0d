//! The cascade of bounds of Gaussian diffusion.

use elbow_base::Progress;
use elbow_process::Weighting;
use elbow_process::schedule::GaussianSchedule;

use super::continuous_limit::loss;
use super::elbo::{average, elbo_terms, level_grid, log_density, squared_errors};
use super::gap::step_gap;
use super::sampler_law;
use super::toy::GaussianToy;
use crate::cascade::{Cascade, Infinite};
use crate::elbo::ElboTerms;
use crate::error::Error;
use crate::quadrature::{ErrorSum, Quadrature};
use crate::work::{LIMIT, Work};

/// Largest number of steps that is computed.
const MAX_STEPS: f64 = 4096.0;
/// Points of the two coarsest lattices of an expectation over one, two or four normal variables: none needs fewer.
const FEWEST: [f64; 3] = [40.0, 700.0, 150_000.0];
/// Noise levels that the integral over the log-SNR needs at least: three panels of 16 levels, and their halves.
const FEWEST_LEVELS: f64 = 144.0;

/// The exact cascade on the grid t(i) = i/T, T = `steps`, in nats; the prior p(z_1) is N(0, I).
///
/// Cost: T integrals over (z_s, z_t) per component, up to 4 million points each in two dimensions, and at every point
/// the density of every component. Refused beyond 5e9 densities, at once where the coarsest lattices need more.
pub fn cascade(
    toy: &GaussianToy,
    schedule: &GaussianSchedule,
    steps: usize,
    weighting: &Weighting,
    progress: &dyn Progress,
) -> Result<Cascade, Error> {
    Error::check_steps(steps, MAX_STEPS, String::new)?;
    let least = least_work(toy, steps);
    if least > LIMIT as f64 {
        return Err(Error::TooCostly { least: least as u64, limit: LIMIT });
    }
    let work = &Work::limited(progress);
    let levels = level_grid(schedule, steps);
    let mut error = ErrorSum::default();
    // The step KLs and the gaps both need the squared errors.
    let errors = squared_errors(toy, &toy.denoiser, &levels, work);
    let best = if toy.denoiser == toy.data { errors.clone() } else { squared_errors(toy, &toy.data, &levels, work) };
    let components = 0..toy.data.components.len();
    let log_densities: Vec<Quadrature> = components.clone().map(|k| log_density(&toy.data, k, work)).collect();
    let terms: Vec<ElboTerms> =
        components.map(|k| elbo_terms(toy, &levels, k, &errors, log_densities[k], &mut error, work)).collect();
    let (mut gap, mut mismatch) = (Vec::new(), Vec::new());
    for i in 1..=steps {
        work.check()?;
        let [learned, exact] = step_gap(toy, [levels[i - 1], levels[i]], i, [&errors, &best], &mut error, work);
        gap.push(learned);
        mismatch.push(exact);
    }
    let entropy = -error.scaled(average(&toy.data, |k| log_densities[k]), 1.0);
    let diffusion = loss(toy, schedule, &Weighting::Elbo, work);
    let weighted = if *weighting == Weighting::Elbo { diffusion } else { loss(toy, schedule, weighting, work) };
    work.check()?;

    let mut result = Cascade::new(schedule, steps, weighting, entropy, terms, gap);
    result.dimensions = Some(toy.data.dimensions);
    result.kernel_mismatch = mismatch;
    result.neg_elbo_continuous = result.prior - result.decoder[0] + diffusion.value;
    result.weighted_continuous = weighted.value;
    let continuous = diffusion.error.max(weighted.error);
    result.quadrature_error = Some(if continuous.is_nan() { error.0 } else { error.0.max(continuous) });
    match sampler_law::data_model_kl(toy, &levels, work) {
        Ok(kl) => result.data_model_kl = kl,
        Err(why) => result.notes.push(format!("data_model_kl is left out: {why}")),
    }
    let at_the_data = levels[0].sigma == 0.0;
    if at_the_data {
        result.notes.push(format!(
            "the {schedule} schedule has infinite SNR at t = 0: the last step's KL, and L^(1) with it, is infinite for any Gaussian kernel"
        ));
    }
    result.checked(Infinite { at_the_data, ..Infinite::default() })
}

/// Densities of components that the coarsest lattices evaluate: for each component and level a decoder and the errors of
/// two denoisers, for each step a pair (z_s, z_t), and the errors again in continuous time.
fn least_work(toy: &GaussianToy, steps: usize) -> f64 {
    let (single, pair) = (FEWEST[toy.data.dimensions - 1], FEWEST[toy.data.dimensions]);
    let [data, denoiser] = [&toy.data, &toy.denoiser].map(|law| law.components.len() as f64);
    let steps = steps as f64;
    data * (steps * (2.0 * data + denoiser) * single + steps * 2.0 * data * pair + FEWEST_LEVELS * denoiser * single)
}
