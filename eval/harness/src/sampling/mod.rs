//! Samples of a trained model by any of its samplers.

mod infilling;
mod options;
mod placement;
mod sampled;
mod save;

use burn::tensor::Device;
use elbow_base::{Error, Progress, memory};
use elbow_impls::any_order::{first_hitting, one_by_one};
use elbow_impls::autoregressive::left_to_right;
use elbow_impls::block::block_after_block;
use elbow_impls::d3pm::{D3pmUniform, absorbing_ancestral, uniform_ancestral};
use elbow_impls::data::Tokens;
use elbow_impls::gaussian::{self, Churn, EpsPredictor, GaussianState, LevelGrid, ddim, heun};
use elbow_impls::genmd4::vector_ancestral;
use elbow_impls::maskgit::confidence_decoding;
use elbow_impls::md4::{Grid, ancestral};
use elbow_impls::mdlm::{Remask, ancestral_cached, remasking, semi_autoregressive};
use elbow_impls::network::Denoiser;
use elbow_impls::sampler_state::{Predictor, Samples, TokenState};
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_impls::tempering::Tempering;
use elbow_impls::train::ObjectiveConfig;
use elbow_impls::{Key, Workers};

pub use elbow_impls::sampler::Sampler;
pub use infilling::{infilling, prompts};
pub use options::{SampleOption, check_options, options};
pub use placement::{StepGrid, StepSchedule};
pub use sampled::Sampled;
pub use save::{Saved, in_words, save};

/// Samples to be drawn: how many, by which sampler, under which conditions.
#[derive(Clone, Debug)]
pub struct Request {
    /// The sampler.
    pub sampler: Sampler,
    /// Number of steps, for samplers that have steps.
    pub steps: usize,
    /// Time grid of masked diffusion.
    pub grid: Grid,
    /// The ancestral sampler's schedule.
    pub schedule: MaskedSchedule,
    /// The noise levels of Gaussian diffusion.
    pub levels: LevelGrid,
    /// Noise added by Heun's sampler.
    pub churn: Churn,
    /// Number of samples.
    pub count: usize,
    /// Tokens per sequence; more than the network's window is drawn window after window.
    pub length: usize,
    /// New tokens per window, where there is more than one.
    pub stride: usize,
    /// Temperature and truncation of every draw of a token.
    pub tempering: Tempering,
    /// Whether the last step takes the most probable values in place of draws.
    pub greedy_tail: bool,
    /// How likely the remasking sampler masks a token again.
    pub remask: Remask,
    /// Gumbel temperature with which the confidence sampler chooses the values that it keeps.
    pub choice_temperature: f64,
    /// The class of every sample; none: classes in turn, where the model has classes.
    pub class: Option<u32>,
    /// w of p_cond^w p_uncond^(1-w).
    pub guidance: f64,
    /// Infilling: known tokens by position. The samples take the entries in turn; with none, nothing is known.
    pub known: Vec<Vec<Option<u32>>>,
    /// Seed of all draws.
    pub seed: u64,
}

impl Request {
    /// The implementation's own sampler with 64 steps.
    pub fn new<'a>(
        model: &dyn Sampled,
        denoiser: impl Into<Denoiser<'a>>,
        count: usize,
        length: usize,
        seed: u64,
    ) -> Self {
        let schedule = model.objective().masked_schedule().unwrap_or(MaskedSchedule::Linear);
        Self {
            sampler: model.objective().samplers()[0],
            steps: 64,
            grid: grid_under(&schedule),
            schedule,
            levels: level_grid(model.objective(), denoiser.into()),
            churn: Churn::NONE,
            count,
            length,
            stride: length,
            tempering: Tempering::NONE,
            greedy_tail: false,
            remask: Remask::Cap(0.02),
            choice_temperature: 4.5,
            class: None,
            guidance: 1.0,
            known: Vec::new(),
            seed,
        }
    }

    /// Where the steps lie, in words: grid and schedule, or noise levels, as far as the sampler takes them.
    pub fn placement(&self, model: &dyn Sampled) -> String {
        match (model.objective().gaussian().is_some(), &self.levels) {
            (false, _) => {
                let taken = options(self.sampler, model);
                let grid = taken.contains(&SampleOption::Grid).then(|| format!("{} grid", self.grid));
                let schedule = taken.contains(&SampleOption::Schedule).then(|| format!("{} schedule", self.schedule));
                let chosen: Vec<String> = grid.into_iter().chain(schedule).collect();
                if chosen.is_empty() { "the sampler's own".to_owned() } else { chosen.join(", ") }
            }
            (true, LevelGrid::Times(schedule)) => format!("uniform grid, {schedule} schedule"),
            (true, LevelGrid::Edm { rho, sigma_min, sigma_max }) => {
                format!("edm grid, rho {rho}, sigma/alpha from {sigma_max:.4} to {sigma_min:.4}, then 0")
            }
        }
    }

    /// Which classes the samples have, in words; `None` for a model without classes.
    pub fn classes(&self, model: &dyn Sampled) -> Option<String> {
        model.has_classes().then(|| match self.class {
            Some(class) => format!("class {class}"),
            None => "all classes in turn, equally often".to_owned(),
        })
    }

    /// Samples per call of the sampler: few enough that memory does not grow with their number and that the cores share
    /// a page of them. The same on any machine, because each batch has a random stream of its own.
    fn batch(&self, values: usize) -> usize {
        ((1 << 24) / self.length.saturating_mul(values)).clamp(1, 32)
    }
}

/// The default grid of masked diffusion: cosine under the linear schedule, uniform under any other (the cosine grid on
/// the cosine schedule would warp time twice).
pub fn grid_under(schedule: &MaskedSchedule) -> Grid {
    match schedule {
        MaskedSchedule::Linear => Grid::Cosine,
        MaskedSchedule::Clipped(base) => grid_under(base),
        _ => Grid::Uniform,
    }
}

/// The grid that an implementation's authors use, under the model's schedule.
fn level_grid(objective: &ObjectiveConfig, denoiser: Denoiser) -> LevelGrid {
    let gaussian = objective.gaussian().zip(denoiser.gaussian().ok());
    let schedule = gaussian.and_then(|(gaussian, denoiser)| gaussian.schedule_of(denoiser).ok());
    let schedule = schedule.unwrap_or(GaussianSchedule::VDM);
    match schedule.ends() {
        Some(ends) if matches!(objective, ObjectiveConfig::Edm(_)) => LevelGrid::edm(ends),
        _ => LevelGrid::Times(schedule),
    }
}

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
    bar.start(request.count as u64, "samples");
    let batch = request.batch(denoiser.values());
    let batches: Vec<usize> = (0..request.count).step_by(batch).collect();
    let made = Workers::new(usize::MAX).map(&batches, |_, &first| {
        let count = batch.min(request.count - first);
        let key = Key::new(request.seed, "sample").fold(first as u64);
        let made = one_batch(device, model, denoiser, request, [first, count], &key);
        bar.advance(count as u64);
        made
    });
    bar.finish();
    let (mut ids, mut classes, mut evaluations, mut network_calls) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for part in made {
        let part = part?;
        ids.extend_from_slice(part.tokens.ids());
        classes.extend(part.classes);
        evaluations.extend(part.evaluations);
        network_calls += part.network_calls;
    }
    Ok(Samples { tokens: Tokens::new(ids, request.length), classes, evaluations, network_calls })
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
