//! Drawing samples from a trained model with any of the samplers.

mod infilling;
mod placement;
mod save;

use impls::any_order::{first_hitting, one_by_one};
use impls::autoregressive::left_to_right;
use impls::canvas::{Canvas, Predictor, Samples};
use impls::d3pm::{Uniform, absorbing_ancestral, uniform_ancestral};
use impls::data::Tokens;
use impls::gaussian::{self, Churn, Cloud, EpsPredictor, LevelGrid, ddim, heun};
use impls::genmd4::vector_ancestral;
use impls::maskgit::confidence;
use impls::md4::{Grid, ancestral};
use impls::mdlm::{cached, semi_autoregressive};
use impls::network::{Denoiser, Model};
use impls::schedule::{GaussianSchedule, MaskedSchedule, Unclipped};
use impls::train::Settings;
use impls::{Key, Workers};

use crate::failure::Failure;
use crate::workspace::Workspace;
use elbow_base::Progress;

pub use infilling::infilling;
pub use placement::{StepGrid, StepSchedule};
pub use save::save;

/// The samplers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// Ancestral steps on a grid: MD4's, or VDM's.
    Ancestral,
    /// MDLM's ancestral steps with a cache.
    Cached,
    /// The continuous-time process without a grid.
    FirstHitting,
    /// A uniformly random order.
    OneByOne,
    /// MaskGIT's confident values first.
    Confidence,
    /// GenMD4's ancestral steps, a schedule for each value.
    Vector,
    /// D3PM's ancestral steps, absorbing or uniform.
    D3pm,
    /// The autoregressive order.
    LeftToRight,
    /// DDIM without noise: Euler's method for the probability-flow ODE, of flow matching too.
    Ddim,
    /// EDM's: Heun's method for the same ODE, with churn or without.
    Heun,
}

impls::names!(Sampler, "sampler":
    Ancestral = "ancestral",
    Cached = "cached",
    FirstHitting = "first-hitting",
    OneByOne = "one-by-one",
    Confidence = "confidence",
    Vector = "vector",
    D3pm = "d3pm",
    LeftToRight = "left-to-right",
    Ddim = "ddim",
    Heun = "heun",
);

impl Sampler {
    /// The samplers that draw from what an implementation trains; the first is its own.
    pub fn of(implementation: &str) -> &'static [Self] {
        use Sampler::{Ancestral, Cached, Confidence, D3pm, Ddim, FirstHitting, Heun, LeftToRight, OneByOne, Vector};
        match implementation {
            "mdlm" => &[Cached, Ancestral, FirstHitting, OneByOne, Confidence],
            "maskgit" => &[Confidence, Ancestral, Cached, FirstHitting, OneByOne],
            "any-order" => &[OneByOne, Ancestral, Cached, FirstHitting, Confidence],
            "genmd4" => &[Vector],
            "d3pm-absorbing" => &[D3pm],
            "d3pm-uniform" => &[D3pm],
            "ar" => &[LeftToRight],
            "vdm" => &[Ancestral, Ddim, Heun],
            "flow" => &[Ddim, Heun, Ancestral],
            "edm" => &[Heun, Ddim, Ancestral],
            _ => &[Ancestral, Cached, FirstHitting, OneByOne, Confidence],
        }
    }
}

/// What is to be drawn.
#[derive(Clone, Debug)]
pub struct Request {
    pub sampler: Sampler,
    /// Steps of the samplers that have steps.
    pub steps: usize,
    pub grid: Grid,
    /// The ancestral sampler's schedule.
    pub schedule: MaskedSchedule,
    /// The noise levels of Gaussian diffusion.
    pub levels: LevelGrid,
    /// Noise that Heun's sampler adds.
    pub churn: Churn,
    pub count: usize,
    /// Tokens a sequence; more than the network's window is drawn window after window.
    pub length: usize,
    /// New tokens a window, where there is more than one.
    pub stride: usize,
    /// Gumbel temperature of the confidence sampler.
    pub temperature: f64,
    /// Probability mass of the values kept.
    pub nucleus: f64,
    /// The class of every sample; none: classes in turn, where the model has classes.
    pub class: Option<u32>,
    /// w of p_cond^w p_uncond^(1-w).
    pub guidance: f64,
    /// Known tokens, by position.
    pub known: Option<Vec<Option<u32>>>,
    pub seed: u64,
}

impl Request {
    /// An implementation's own sampler with 64 steps.
    pub fn new(settings: &Settings, model: &Model, count: usize, length: usize, seed: u64) -> Self {
        let schedule = settings.schedule.as_ref().and_then(|name| name.parse().ok()).unwrap_or(MaskedSchedule::Linear);
        Self {
            sampler: Sampler::of(&settings.implementation)[0],
            steps: 64,
            grid: grid_under(&schedule),
            schedule,
            levels: level_grid(settings, model),
            churn: Churn::NONE,
            count,
            length,
            stride: length,
            temperature: 4.5,
            nucleus: 1.0,
            class: None,
            guidance: 1.0,
            known: None,
            seed,
        }
    }

    /// Where the steps lie, in words: grid and schedule, or noise levels.
    pub fn placement(&self, settings: &Settings) -> String {
        match (settings.is_gaussian(), self.levels) {
            (false, _) => format!("{} grid, {} schedule", self.grid, self.schedule),
            (true, LevelGrid::Times(schedule)) => format!("uniform grid, {schedule} schedule"),
            (true, LevelGrid::Edm { rho, sigma_min, sigma_max }) => {
                format!("edm grid, rho {rho}, sigma/alpha from {sigma_max:.4} to {sigma_min:.4}, then 0")
            }
        }
    }

    /// Samples drawn by one call of the sampler: so few that memory does not grow with their number and that the cores share a
    /// page of them, and the same on any machine, for each batch has a stream of its own.
    fn batch(&self, values: usize) -> usize {
        ((1 << 24) / self.length.saturating_mul(values)).clamp(1, 32)
    }
}

/// Where the steps of masked diffusion lie unless it is said: on the cosine grid under the linear schedule, on the uniform one
/// under any other (the cosine grid on the cosine schedule would warp time twice).
pub fn grid_under(schedule: &MaskedSchedule) -> Grid {
    match schedule {
        MaskedSchedule::Linear | MaskedSchedule::Clipped(Unclipped::Linear) => Grid::Cosine,
        _ => Grid::Uniform,
    }
}

/// The grid that an implementation's authors use, under the model's schedule.
fn level_grid(settings: &Settings, model: &Model) -> LevelGrid {
    let objective = settings.gaussian().ok().flatten();
    let schedule = objective.map_or(GaussianSchedule::VDM, |gaussian| gaussian.schedule_of(model));
    match schedule.ends() {
        Some(ends) if settings.implementation == "edm" => LevelGrid::edm(ends),
        _ => LevelGrid::Times(schedule),
    }
}

/// Draws samples in batches, side by side.
pub fn draw(
    workspace: &Workspace,
    settings: &Settings,
    model: &Model,
    request: &Request,
    bar: &dyn Progress,
) -> Result<Samples, Failure> {
    let known = Sampler::of(&settings.implementation);
    if !known.contains(&request.sampler) {
        let names: Vec<String> = known.iter().map(|s| s.to_string()).collect();
        let what = format!("sampler {} does not draw from {}", request.sampler, settings.implementation);
        return Err(Failure::input(what, format!("use {}", names.join(" or "))));
    }
    let long = settings.sequence_length.is_some_and(|window| request.length > window);
    let masks_only = request.known.is_some() || request.nucleus < 1.0 || long;
    let uniform = settings.implementation == "d3pm-uniform" && (masks_only || model.classes().is_some());
    if uniform || (settings.is_gaussian() && masks_only) {
        let what =
            format!("{} changes every token: it has no infilling, nucleus or long texts", settings.implementation);
        return Err(Failure::input(what, "leave these options out, and classes with d3pm-uniform"));
    }
    bar.start(request.count as u64, "samples");
    let batch = request.batch(model.values());
    let batches: Vec<usize> = (0..request.count).step_by(batch).collect();
    let made = Workers::new(usize::MAX).map(&batches, |_, &first| {
        let count = batch.min(request.count - first);
        let key = Key::new(request.seed, "sample").fold(first as u64);
        let made = one_batch(workspace, settings, model, request, [first, count], &key);
        bar.advance(count as u64);
        made
    });
    bar.finish();
    let mut all =
        Samples { tokens: Tokens::new(Vec::new(), request.length), evaluations: Vec::new(), network_calls: 0 };
    let mut ids = Vec::new();
    for part in made {
        let part = part?;
        ids.extend_from_slice(part.tokens.ids());
        all.evaluations.extend(part.evaluations);
        all.network_calls += part.network_calls;
    }
    all.tokens = Tokens::new(ids, request.length);
    Ok(all)
}

fn one_batch(
    workspace: &Workspace,
    settings: &Settings,
    model: &Model,
    request: &Request,
    [first, count]: [usize; 2],
    key: &Key,
) -> Result<Samples, Failure> {
    let window = settings.sequence_length.unwrap_or(request.length);
    let device = &workspace.device;
    let clock = settings.clock()?;
    if settings.implementation == "d3pm-uniform" {
        let objective = Uniform {
            schedule: request.schedule,
            steps: None,
            kernel: settings.kernel.clone().unwrap_or_default().parse()?,
            hybrid: 0.0,
        };
        let made = uniform_ancestral(model, &objective, request.steps, [count, window], key, device);
        return Ok(cut(made, request.length));
    }
    let classes = |classes: usize| {
        (first..first + count).map(|i| request.class.unwrap_or((i % classes) as u32)).collect::<Vec<u32>>()
    };
    if let Some(objective) = settings.gaussian()? {
        let predictor = EpsPredictor::new(model, objective.prediction, device);
        let predictor = match model.classes() {
            Some(known) => predictor.guided(classes(known), request.guidance),
            None => predictor,
        };
        return points(predictor, request, Cloud::prior(count, window, key));
    }
    let predictor = || {
        let plain = Predictor::new(model, device).with_nucleus(request.nucleus).trained_under(clock);
        let Some(known) = model.classes() else { return plain };
        plain.guided(classes(known), request.guidance)
    };
    let fill = |canvas: Canvas| match request.sampler {
        Sampler::Ancestral => ancestral(predictor(), &request.schedule, request.grid, request.steps, canvas),
        Sampler::Cached => cached(predictor(), request.steps, canvas),
        Sampler::FirstHitting => first_hitting(predictor(), canvas),
        Sampler::OneByOne => one_by_one(predictor(), canvas),
        Sampler::Confidence => confidence(predictor(), request.steps, request.temperature, canvas),
        Sampler::Vector => vector_ancestral(predictor(), request.grid, request.steps, canvas),
        Sampler::D3pm => absorbing_ancestral(predictor(), request.steps, canvas),
        Sampler::LeftToRight => left_to_right(predictor(), canvas),
        Sampler::Ddim | Sampler::Heun => unreachable!("checked: these draw points"),
    };
    if request.length > window {
        let windows = [window, request.stride.min(window)];
        return Ok(semi_autoregressive(count, request.length, windows, model.values(), key, fill));
    }
    let canvas = Canvas::masked(count, window, model.values(), key);
    let made = fill(match &request.known {
        Some(known) => canvas.with_known(known),
        None => canvas,
    });
    Ok(cut(made, request.length))
}

/// Points of Gaussian diffusion, from noise to tokens.
fn points(mut predictor: EpsPredictor, request: &Request, mut cloud: Cloud) -> Result<Samples, Failure> {
    let log_snrs = request.levels.log_snrs(request.steps);
    match request.sampler {
        Sampler::Heun => heun(&mut predictor, &log_snrs, request.churn, &mut cloud),
        Sampler::Ddim => ddim(&mut predictor, &log_snrs, &mut cloud),
        _ => gaussian::ancestral(&mut predictor, &log_snrs, &mut cloud),
    }
    if !cloud.is_finite() {
        let what = "the network answered with what is no number: its training has diverged";
        return Err(Failure::input(what, "train with a smaller learning_rate"));
    }
    Ok(cloud.decode(predictor, log_snrs[request.steps]))
}

/// The first `length` tokens of each sample: a network draws whole windows.
fn cut(samples: Samples, length: usize) -> Samples {
    let ids = samples.tokens.rows().flat_map(|row| &row[..length.min(row.len())]).copied().collect();
    Samples { tokens: Tokens::new(ids, length.min(samples.tokens.length())), ..samples }
}
