//! Samples of a trained model by any of its samplers.

mod draw;
mod infilling;
mod options;
mod placement;
mod sampled;
mod save;

use elbow_impls::gaussian::{Churn, LevelGrid};
use elbow_impls::md4::{Corrector, Grid};
use elbow_impls::mdlm::Remask;
use elbow_impls::network::Denoiser;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_impls::tempering::Tempering;
use elbow_impls::train::ObjectiveConfig;

pub use draw::{draw, draw_in};
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
    /// The step of the predictor-corrector sampler's corrector.
    pub corrector: Corrector,
    /// Number of corrector steps after each step.
    pub corrector_steps: usize,
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
            corrector: Corrector::Parallel(0.05),
            corrector_steps: 1,
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
