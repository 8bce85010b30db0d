//! Drawing samples, batch by batch.

use burn::tensor::Device;
use elbow_base::{Error, Progress, memory};
use elbow_impls::Key;
use elbow_impls::any_order::{first_hitting, one_by_one};
use elbow_impls::autoregressive::left_to_right;
use elbow_impls::block::block_after_block;
use elbow_impls::d3pm::{D3pmUniform, absorbing_ancestral, uniform_ancestral};
use elbow_impls::data::Tokens;
use elbow_impls::gaussian::{self, EpsPredictor, GaussianState, ddim, heun};
use elbow_impls::genmd4::vector_ancestral;
use elbow_impls::maskgit::confidence_decoding;
use elbow_impls::md4::{ancestral, predictor_corrector};
use elbow_impls::mdlm::{ancestral_cached, remasking, semi_autoregressive};
use elbow_impls::network::Denoiser;
use elbow_impls::sampler_state::{Predictor, Samples, TokenState};
use elbow_impls::train::ObjectiveConfig;
use serde::{Deserialize, Serialize};

use super::{Request, SampleOption, Sampled, Sampler, check_options};
use crate::shards::Shards;

/// Memory that a token of the samples takes: its id, twice while batches are joined, and what is written of it, a pixel
/// or a text with the ids as numbers.
const BYTES_PER_TOKEN: u64 = 24;

/// Draws samples in parallel batches.
pub fn draw<'a>(
    device: &Device,
    model: &dyn Sampled,
    denoiser: impl Into<Denoiser<'a>>,
    request: &Request,
    bar: &dyn Progress,
) -> Result<Samples, Error> {
    let made = draw_in(&Shards::whole(), device, model, denoiser, request, bar)?;
    made.ok_or_else(|| Error::internal("the whole work gives samples"))
}

/// The samples of one batch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    ids: Vec<u32>,
    classes: Vec<u32>,
    evaluations: Vec<u64>,
    network_calls: u64,
}

/// Draws samples in parallel batches, or a part of them: then there are none yet.
pub fn draw_in<'a>(
    shards: &Shards,
    device: &Device,
    model: &dyn Sampled,
    denoiser: impl Into<Denoiser<'a>>,
    request: &Request,
    bar: &dyn Progress,
) -> Result<Option<Samples>, Error> {
    let denoiser = denoiser.into();
    request.check_sampler(model)?;
    let used = [
        (SampleOption::Temperature, request.tempering.temperature != 1.0),
        (SampleOption::TopK, request.tempering.top_k.is_some()),
        (SampleOption::Nucleus, request.tempering.nucleus < 1.0),
        (SampleOption::GreedyTail, request.greedy_tail),
        (SampleOption::Infill, !request.known.is_empty()),
        (SampleOption::Length, model.window().is_some_and(|window| request.length > window)),
        (SampleOption::Class, request.class.is_some()),
        (SampleOption::Guidance, request.guidance != 1.0),
    ];
    let used: Vec<SampleOption> = used.into_iter().filter(|(_, used)| *used).map(|(option, _)| option).collect();
    check_options(request.sampler, model, &used)?;
    let tokens = (request.count as u64).saturating_mul(request.length as u64);
    let what = format!("{} samples of {} tokens", request.count, request.length);
    memory::check(tokens.saturating_mul(BYTES_PER_TOKEN), &what, "draw fewer or shorter ones")?;
    let batch = request.batch(denoiser.values());
    let batches: Vec<usize> = (0..request.count).step_by(batch).collect();
    let own = shards.count("samples", 0..batches.len()) * batch;
    bar.start(own.min(request.count) as u64, "samples");
    let made = shards.map("samples", 0..batches.len(), |number| {
        let first = batches[number];
        let count = batch.min(request.count - first);
        let key = Key::new(request.seed, "sample").fold(first as u64);
        let Samples { tokens, classes, evaluations, network_calls } =
            one_batch(device, model, denoiser, request, [first, count], &key)?;
        bar.advance(count as u64);
        Ok(Batch { ids: tokens.ids().to_vec(), classes, evaluations, network_calls })
    })?;
    bar.finish();
    let Some(made) = made else { return Ok(None) };
    let (mut ids, mut classes, mut evaluations, mut network_calls) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for part in made {
        ids.extend(part.ids);
        classes.extend(part.classes);
        evaluations.extend(part.evaluations);
        network_calls += part.network_calls;
    }
    Ok(Some(Samples { tokens: Tokens::new(ids, request.length), classes, evaluations, network_calls }))
}

fn one_batch(
    device: &Device,
    model: &dyn Sampled,
    denoiser: Denoiser,
    request: &Request,
    [first, count]: [usize; 2],
    key: &Key,
) -> Result<Samples, Error> {
    let window = model.window().unwrap_or(request.length);
    let training_schedule = model.objective().training_schedule();
    let classes = |classes: usize| {
        (first..first + count).map(|i| request.class.unwrap_or((i % classes) as u32)).collect::<Vec<u32>>()
    };
    if let ObjectiveConfig::D3pmUniform(trained) = model.objective() {
        let objective = D3pmUniform {
            schedule: request.schedule.clone(),
            steps: None,
            hybrid_ce_weight: 0.0,
            kernel: trained.kernel,
        };
        let predictor = Predictor::new(denoiser.tokens()?, device).trained_under(trained.schedule.clone());
        let predictor = predictor.tempered(request.tempering).with_greedy_tail(request.greedy_tail);
        let predictor = predictor.guided(denoiser.classes().map(classes).unwrap_or_default(), 1.0);
        let made = uniform_ancestral(predictor, &objective, request.steps, [count, window], key, device)?;
        return Ok(cut(made, request.length));
    }
    if let Some(objective) = model.objective().gaussian() {
        let predictor = EpsPredictor::new(denoiser.gaussian()?, objective.prediction, device);
        let predictor = match denoiser.classes() {
            Some(known) => predictor.guided(classes(known), request.guidance),
            None => predictor,
        };
        return points(predictor, request, GaussianState::prior(count, window, key));
    }
    let denoiser = denoiser.tokens()?;
    let predictor = || {
        let plain = Predictor::new(denoiser, device).tempered(request.tempering).with_greedy_tail(request.greedy_tail);
        let plain = plain.trained_under(training_schedule.clone());
        let Some(known) = denoiser.classes() else { return plain };
        plain.guided(classes(known), request.guidance)
    };
    let fill = |state: TokenState| match request.sampler {
        Sampler::Ancestral => ancestral(predictor(), &request.schedule, request.grid, request.steps, state),
        Sampler::Cached => ancestral_cached(predictor(), request.steps, state),
        Sampler::Remasking => {
            remasking(predictor(), &request.schedule, request.grid, request.remask, request.steps, state)
        }
        Sampler::PredictorCorrector => {
            let corrector = (request.corrector, request.corrector_steps);
            predictor_corrector(predictor(), &request.schedule, request.grid, request.steps, corrector, state)
        }
        Sampler::FirstHitting => first_hitting(predictor(), state),
        Sampler::OneByOne => one_by_one(predictor(), state),
        Sampler::Confidence => confidence_decoding(predictor(), request.steps, request.choice_temperature, state),
        Sampler::Vector => vector_ancestral(predictor(), request.grid, request.steps, state),
        Sampler::D3pm => absorbing_ancestral(predictor(), request.steps, state),
        Sampler::LeftToRight => left_to_right(predictor(), state),
        Sampler::Ddim | Sampler::Heun => {
            Err(elbow_impls::Error::Setting(format!("sampler {} draws points, not tokens", request.sampler)))
        }
    };
    let prompts = request.known.len();
    let known: Vec<_> = (first..first + prompts).map(|i| request.known[i % prompts].clone()).collect();
    if let ObjectiveConfig::Block(block) = model.objective() {
        let sizes = [count, request.length];
        return Ok(block_after_block(sizes, block.size, denoiser.values(), &known, key, fill)?);
    }
    if request.length > window {
        let windows = [window, request.stride.min(window)];
        return Ok(semi_autoregressive(count, request.length, windows, denoiser.values(), key, fill)?);
    }
    let state = TokenState::all_masks(count, window, denoiser.values(), key);
    Ok(cut(fill(state.with_known(&known))?, request.length))
}

/// Points of Gaussian diffusion, from noise to tokens.
fn points(mut predictor: EpsPredictor, request: &Request, mut state: GaussianState) -> Result<Samples, Error> {
    let log_snrs = request.levels.log_snrs(request.steps);
    match request.sampler {
        Sampler::Heun => heun(&mut predictor, &log_snrs, request.churn, &mut state),
        Sampler::Ddim => ddim(&mut predictor, &log_snrs, &mut state),
        _ => gaussian::ancestral(&mut predictor, &log_snrs, &mut state),
    }?;
    Ok(state.decode(predictor, log_snrs[request.steps]))
}

/// The first `length` tokens of each sample: a network draws whole windows.
fn cut(samples: Samples, length: usize) -> Samples {
    let ids = samples.tokens.rows().flat_map(|row| &row[..length.min(row.len())]).copied().collect();
    Samples { tokens: Tokens::new(ids, length.min(samples.tokens.length())), ..samples }
}
