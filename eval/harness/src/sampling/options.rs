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
    /// Gumbel temperature.
    Temperature,
    /// Probability mass of the values kept.
    Nucleus,
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
    Temperature = "temperature", Nucleus = "nucleus", Length = "length", Stride = "stride", Infill = "infill",
    Class = "class", Guidance = "guidance");

use SampleOption::{Churn, Class, Grid, Guidance, Infill, Length, Nucleus, Schedule, Steps, Stride, Temperature};

/// The options that a sampler's own algorithm has.
fn of_sampler(sampler: Sampler) -> &'static [SampleOption] {
    match sampler {
        Sampler::Ancestral | Sampler::Ddim => &[Steps, Grid, Schedule],
        Sampler::Heun => &[Steps, Grid, Schedule, Churn],
        Sampler::Vector => &[Steps, Grid],
        Sampler::Confidence => &[Steps, Temperature],
        Sampler::Cached | Sampler::D3pm => &[Steps],
        Sampler::FirstHitting | Sampler::OneByOne | Sampler::LeftToRight => &[],
    }
}

/// The options that have an effect on the samples of this model by this sampler.
pub fn options(sampler: Sampler, model: &dyn Sampled) -> Vec<SampleOption> {
    let of_model: &[SampleOption] = match model.objective() {
        ObjectiveConfig::D3pmUniform(_) => &[Schedule],
        objective if objective.gaussian().is_some() => &[],
        ObjectiveConfig::Block(_) if model.has_last_position() => &[Nucleus, Infill],
        ObjectiveConfig::Block(_) => &[Nucleus, Length, Infill],
        // A token that is drawn stays.
        _ => &[Nucleus, Length, Stride, Infill],
    };
    let of_classes: &[SampleOption] = match (model.has_classes(), model.objective()) {
        (false, _) => &[],
        (true, ObjectiveConfig::D3pmUniform(_)) => &[Class],
        (true, _) => &[Class, Guidance],
    };
    [of_sampler(sampler), of_model, of_classes].concat()
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
        _ if !here.is_empty() => format!("--sampler {}", names(&here)),
        Class | Guidance => {
            "a model trained with class_conditioning = true, or with inputs.class in its file".to_owned()
        }
        Length | Stride if matches!(model.objective(), ObjectiveConfig::Block(_)) => {
            "a model with positions = \"rotary\", whose blocks follow one another without a stride".to_owned()
        }
        Nucleus | Length | Stride | Infill => "a model of masked diffusion, or ar".to_owned(),
        _ => format!("--sampler {} of another implementation", names(&anywhere)),
    };
    Err(Error::input(what, format!("leave it out, or use {takers}")))
}

/// Samplers in words.
pub(super) fn names(samplers: &[Sampler]) -> String {
    samplers.iter().map(Sampler::to_string).collect::<Vec<_>>().join(" or ")
}
