//! Units of work to be timed in several programs, each with a check: a number that shows that the work was the same.

use std::path::Path;

use elbow_base::{Error, Estimate, Silent};
use elbow_impls::Weighting;
use elbow_impls::md4::Grid;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::Trainer;
use elbow_metrics::{GaussianFit, Statistics};
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, Toy};

use super::{Case, Timing};
use crate::runs::Trained;
use crate::sampling::{self, Request, Sampler};
use crate::workspace::Workspace;

/// Times an optimiser step as training makes it: batch, times, masks, gradients, clipping, AdamW, moving average.
///
/// The check is the bits/dim of the case's batch under its weights.
pub fn time_step(workspace: &Workspace, case: &Path, seconds: f64) -> Result<Timing, Error> {
    let case = Case::open(workspace, case)?;
    let check = case.check(workspace)?;
    let trainer = Trainer::new(&case.settings, case.data.as_ref(), &workspace.devices)?;
    let mut trainer = trainer.resume(case.run())?;
    let timing = Timing::of("step", 1, seconds, || Ok(trainer.advance().map(|_| ())?))?;
    Ok(timing.checked(check, None))
}

/// Times a sample: `count` are drawn together by ancestral steps on the uniform grid with the averaged weights.
///
/// The check is the mean token of all samples.
pub fn time_sample(
    workspace: &Workspace,
    case: &Path,
    steps: usize,
    count: usize,
    seconds: f64,
) -> Result<Timing, Error> {
    let case = Case::open(workspace, case)?;
    let model = Trained::load(case.run(), &workspace.device)?;
    let (mut seed, mut means) = (workspace.seed, Vec::new());
    let timing = Timing::of("sample", count, seconds, || {
        let request = Request::new(&model.settings, &model.model, count, case.data.length(), seed);
        let request = Request { sampler: Sampler::Ancestral, grid: Grid::Uniform, steps, ..request };
        let drawn = sampling::draw(&workspace.device, &model.settings, &model.model, &request, &Silent)?;
        let mean = |row: &[u32]| row.iter().map(|&token| f64::from(token)).sum::<f64>() / row.len() as f64;
        means.extend(drawn.tokens.rows().map(mean));
        seed += 1;
        Ok(())
    })?;
    let mean = Estimate::of(&means);
    Ok(timing.checked(mean.value, Some(mean.standard_error)))
}

/// Times the Frechet distance of two files of statistics once they are in memory. The check is the distance.
pub fn time_frechet_distance(statistics: [&Path; 2], seconds: f64) -> Result<Timing, Error> {
    let [a, b] = statistics.map(Statistics::load);
    let (a, b, mut value) = (a?, b?, f64::NAN);
    let timing = Timing::of("trace", 1, seconds, || {
        value = GaussianFit::of_statistics(a.clone())?.distance(&GaussianFit::of_statistics(b.clone())?)?.value;
        Ok(())
    })?;
    Ok(timing.checked(value, None))
}

/// Times the exact cascade of a toy under the linear schedule.
///
/// The check is the sum of all results: bounds, gaps, factorisation errors, KL(q || p^(i)) and the negative ELBO in
/// continuous time.
pub fn time_enumeration(toy: &Path, steps: usize, seconds: f64) -> Result<Timing, Error> {
    let toy = Toy::load(toy, Alphabet::Masked)?;
    let mut value = f64::NAN;
    let timing = Timing::of("computation", 1, seconds, || {
        let found = cascade(&Enumeration::new(&toy)?, &MaskedSchedule::Linear, steps, &Weighting::Elbo)?;
        let arrays = [&found.elbo, &found.gap, &found.factorization, &found.data_model_kl];
        value = found.neg_elbo_continuous + arrays.iter().flat_map(|array| array.iter()).sum::<f64>();
        Ok(())
    })?;
    Ok(timing.checked(value, None))
}
