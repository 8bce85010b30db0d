//! The cascade of bounds of discrete diffusion with any transition.

use elbow_base::Progress;
use elbow_process::Weighting;

use super::model::DiscreteModel;
use super::reverse_kernel::ReverseStep;
use super::{continuous_limit, elbo, gap, sampler_law};
use crate::cascade::{Cascade, Infinite};
use crate::elbo::ElboTerms;
use crate::error::Error;

/// Largest steps * (joint states)^2 that is computed.
const MAX_WORK: f64 = 2e9;

/// The exact cascade on the grid t(i) = i/T, T = `steps`, in nats.
///
/// The prior p(z_1) is the law of z_1 for uniformly random data values: uniform for uniform diffusion; for masking the
/// mask, and what is left of the values. Cost: O(T S^(2L) L) for S states per token.
pub fn cascade(
    model: &DiscreteModel,
    steps: usize,
    weighting: &Weighting,
    progress: &dyn Progress,
) -> Result<Cascade, Error> {
    let (forward, index) = (model.forward, &model.index);
    forward.check_steps(steps)?;
    let size = index.count() as f64;
    Error::check_steps(steps, MAX_WORK / size / size, || format!(" of {size} joint states"))?;
    progress.start(steps as u64 + 1, "bounds, step by step");
    let last = forward.cumulative(steps, steps);
    let token_prior = sampler_law::token_prior(model, &last);
    let mut learned = sampler_law::prior(model, &token_prior);
    let marginal = index.all_moved(&model.data(), &last);
    let mut decoders = vec![elbo::decoders(model, &last, &marginal)];
    let mut data_model_kl = vec![sampler_law::data_model_kl(model, &learned, &last, &marginal)];
    let (mut step_kls, mut gaps, mut factorization) = (Vec::new(), Vec::new(), Vec::new());
    for i in (1..=steps).rev() {
        progress.advance(1);
        let step = ReverseStep::new(model, i, steps);
        let (gap, correlation) = gap::step_gap(&step);
        if !gap.is_finite() {
            return Err(Error::NoSupport("the denoiser gives probability 0 to what the data has".into()));
        }
        gaps.push(gap);
        factorization.push(correlation);
        step_kls.push(elbo::step_kls(&step));
        learned = sampler_law::learned_step(&step, &learned);
        let (before, marginal) = (step.matrices()[0], &step.marginal_before);
        decoders.push(elbo::decoders(model, before, marginal));
        data_model_kl.push(sampler_law::data_model_kl(model, &learned, before, marginal));
    }
    // The loop goes from noise to data; the cascade is in the order of i.
    [&mut gaps, &mut factorization, &mut data_model_kl].into_iter().for_each(|values| values.reverse());
    let of_outcome = |rows: &[Vec<f64>], x: usize| -> Vec<f64> { rows.iter().rev().map(|row| row[x]).collect() };
    let priors = elbo::priors(model, &last, &token_prior);
    let terms = |(x, &(_, probability)): (usize, &(usize, f64))| ElboTerms {
        probability,
        decoder: of_outcome(&decoders, x),
        step_kl: of_outcome(&step_kls, x),
        prior: priors[x],
    };
    let terms: Vec<ElboTerms> = model.outcomes.iter().enumerate().map(terms).collect();
    let mut result = Cascade::new(forward.schedule(), steps, weighting, model.entropy(), terms, gaps);
    (result.states, result.length) = (Some(forward.values), Some(index.length));
    result.transition = Some(forward.to_string());
    result.parameterization = Some(model.parameterization.to_string());
    (result.factorization, result.data_model_kl) = (factorization, data_model_kl);
    if forward.is_continuous() {
        progress.start(1, "bounds in continuous time");
        let diffusion = continuous_limit::weighted_loss(model, &Weighting::Elbo);
        let weighted =
            if *weighting == Weighting::Elbo { diffusion } else { continuous_limit::weighted_loss(model, weighting) };
        result.neg_elbo_continuous = result.prior - result.decoder[0] + diffusion.value;
        result.weighted_continuous = weighted.value;
        // An infinite integral has no error.
        result.quadrature_error = Some(diffusion.error.max(weighted.error)).filter(|error| !error.is_nan());
    } else {
        let note = "given steps have no continuous time: neg_elbo_continuous and weighted_continuous are null";
        result.notes.push(note.into());
    }
    result.checked(Infinite { no_continuous_time: !forward.is_continuous(), ..Infinite::default() })
}
