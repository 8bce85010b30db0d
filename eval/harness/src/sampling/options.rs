//! Which options of sampling have an effect: a table over samplers and models.

use elbow_base::{Error, Named};
use elbow_impls::train::ObjectiveConfig;

use super::{Sampled, Sampler};

/// An option that only some samplers, or samplers of some models, take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleOption {
    /// Number of steps.
    Steps,
    /// Placement of the steps.
    Grid,
    /// Schedule of the steps.
    Schedule,
    /// Noise that Heun's sampler adds.
    Churn,
    /// Temperature of every draw; of the confidence sampler that of its choice, as the option of the command line is.
    Temperature,
    /// How likely a token is masked again.
    Remask,
    /// The corrector's steps.
    Corrector,
    /// Number of corrector steps after each step.
    CorrectorSteps,
    /// Temperature of every draw of the confidence sampler.
    LogitTemperature,
    /// Number of values kept.
    TopK,
    /// Probability mass of the values kept.
    Nucleus,
    /// The most probable values in the last step.
    GreedyTail,
    /// Tokens per sample.
    Length,
    /// New tokens per window.
    Stride,
    /// Known tokens.
    Infill,
    /// Class of the samples.
    Class,
    /// Strength of the guidance.
    Guidance,
}

elbow_impls::names!(SampleOption, "option": Steps = "steps", Grid = "grid", Schedule = "schedule", Churn = "churn",
    Temperature = "temperature", Remask = "remask", Corrector = "corrector",
    CorrectorSteps = "corrector-steps", LogitTemperature = "logit-temperature", TopK = "top-k", Nucleus = "nucleus",
    GreedyTail = "greedy-tail", Length = "length", Stride = "stride", Infill = "infill", Class = "class",
    Guidance = "guidance");

use SampleOption::{
    Churn, Class, Corrector, CorrectorSteps, GreedyTail, Grid, Guidance, Infill, Length, LogitTemperature, Nucleus,
    Remask, Schedule, Steps, Stride, Temperature, TopK,
};

/// The options that a sampler's own algorithm has.
fn of_sampler(sampler: Sampler) -> &'static [SampleOption] {
    match sampler {
        Sampler::Ancestral | Sampler::Ddim => &[Steps, Grid, Schedule],
        Sampler::Heun => &[Steps, Grid, Schedule, Churn],
        Sampler::Vector => &[Steps, Grid],
        Sampler::Remasking => &[Steps, Grid, Schedule, Remask],
        Sampler::PredictorCorrector => &[Steps, Grid, Schedule, Corrector, CorrectorSteps],
        Sampler::Confidence => &[Steps, LogitTemperature],
        Sampler::Cached | Sampler::D3pm => &[Steps],
        Sampler::FirstHitting | Sampler::OneByOne | Sampler::LeftToRight => &[],
    }
}

/// The options that have an effect on the samples of this model by this sampler.
pub fn options(sampler: Sampler, model: &dyn Sampled) -> Vec<SampleOption> {
    let of_model: &[SampleOption] = match model.objective() {
        ObjectiveConfig::D3pmUniform(_) => &[Schedule, Temperature, TopK, Nucleus],
        objective if objective.gaussian().is_some() => &[],
        ObjectiveConfig::Block(_) if model.has_last_position() => &[Temperature, TopK, Nucleus, Infill],
        ObjectiveConfig::Block(_) => &[Temperature, TopK, Nucleus, Length, Infill],
        // A token that is drawn stays.
        _ => &[Temperature, TopK, Nucleus, Length, Stride, Infill],
    };
    // The cached sampler ends so without being asked; those without steps draw one token at a time. After the last step of the
    // predictor-corrector sampler its corrector draws again.
    let has_tail = matches!(
        sampler,
        Sampler::Ancestral | Sampler::Remasking | Sampler::Vector | Sampler::D3pm | Sampler::Confidence
    );
    let of_both: &[SampleOption] = if has_tail && model.objective().gaussian().is_none() { &[GreedyTail] } else { &[] };
    let of_classes: &[SampleOption] = match (model.has_classes(), model.objective()) {
        (false, _) => &[],
        (true, ObjectiveConfig::D3pmUniform(_)) => &[Class],
        (true, _) => &[Class, Guidance],
    };
    [of_sampler(sampler), of_model, of_both, of_classes].concat()
}

/// Refuses an option that has no effect, and says where it has one.
pub fn check_options(sampler: Sampler, model: &dyn Sampled, given: &[SampleOption]) -> Result<(), Error> {
    let taken = options(sampler, model);
    let Some(&option) = given.iter().find(|option| !taken.contains(option)) else { return Ok(()) };
    let implementation = model.objective().name();
    let what = format!("--{option} has no effect: the {sampler} sampler of {implementation} does not take it");
    let all = Sampler::NAMES.iter().filter_map(|name| name.parse().ok());
    let anywhere: Vec<Sampler> = all.filter(|&sampler| of_sampler(sampler).contains(&option)).collect();
    let own = model.objective().samplers();
    let here: Vec<Sampler> = anywhere.iter().copied().filter(|sampler| own.contains(sampler)).collect();
    let takers = match option {
        LogitTemperature if taken.contains(&Temperature) => "--temperature".to_owned(),
        _ if !here.is_empty() => format!("--sampler {}", names(&here)),
        Class | Guidance => {
            "a model trained with class_conditioning = true, or with inputs.class in its file".to_owned()
        }
        Length | Stride if matches!(model.objective(), ObjectiveConfig::Block(_)) => {
            "a model with positions = \"rotary\", whose blocks follow one another without a stride".to_owned()
        }
        Temperature | TopK | Nucleus => "a model of masked diffusion, d3pm-uniform or ar".to_owned(),
        GreedyTail => "--sampler ancestral, remasking, vector, d3pm or confidence of a model of tokens".to_owned(),
        Length | Stride | Infill => "a model of masked diffusion, or ar".to_owned(),
        _ => format!("--sampler {} of another implementation", names(&anywhere)),
    };
    Err(Error::input(what, format!("leave it out, or use {takers}")))
}

/// Samplers in words.
pub(super) fn names(samplers: &[Sampler]) -> String {
    samplers.iter().map(Sampler::to_string).collect::<Vec<_>>().join(" or ")
}
