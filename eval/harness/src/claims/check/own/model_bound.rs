//! Check: the likelihood bound of a user's model.

use schemars::JsonSchema;

use super::super::prelude::*;
use super::{OwnCheck, faults, files, in_range};
use crate::likelihood::{Bound, Estimator};
use crate::models::{AnyModel, DataChoice};
use crate::provenance;

/// The likelihood bound of a model on data, or its likelihood where that is exact, with the standard error over sequences,
/// as `elbow likelihood` computes it. At most a value: relation at-most. A published value: relation equals, with the
/// tolerance that does not matter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelBound {
    /// The folder of a training run, or a model file (TOML), relative to the claim's file.
    model: String,
    /// The unit of the number.
    unit: Unit,
    /// Another data set than the model's own, by name, or a file relative to the claim's.
    dataset: Option<String>,
    /// The part of the data: train, test, ... [default: test].
    split: Option<String>,
    /// Tokens per sequence of a text, for a model that takes any, 1 or more.
    #[schemars(range(min = 1))]
    length: Option<usize>,
    /// Only the first sequences, 2 or more.
    #[schemars(range(min = 2))]
    sequences: Option<usize>,
    /// Stratified draws of the noise per sequence, 1 to 100000.
    #[serde(default = "usual_draws")]
    #[schemars(range(min = 1, max = 100_000))]
    draws: usize,
    /// The estimator: auto, objective or k-dce [default: auto].
    estimator: Option<String>,
}

pub fn usual_draws() -> usize {
    8
}

/// The unit of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    /// Bits per dimension.
    BitsPerDim,
    /// Bits per token, the same number for text.
    BitsPerToken,
    /// Bits per character of a text.
    BitsPerCharacter,
    /// Bits per byte of a text.
    BitsPerByte,
    /// exp of the nats per token.
    Perplexity,
    /// Nats per sequence.
    Nats,
}

impl Unit {
    /// The number in this unit, with the unit's name.
    fn of(self, bound: &Bound) -> Option<(Estimate, &'static str)> {
        let text = bound.text.as_ref();
        Some(match self {
            Self::BitsPerDim => (bound.bits_per_dim, "bits/dim"),
            Self::BitsPerToken => (bound.bits_per_dim, "bits/token"),
            Self::BitsPerCharacter => (text?.bits_per_character?, "bits/char"),
            Self::BitsPerByte => (text?.bits_per_byte?, "bits/byte"),
            Self::Perplexity => (bound.perplexity, "per token"),
            Self::Nats => (bound.nats, "nats"),
        })
    }
}

impl OwnCheck for ModelBound {
    const NAME: &'static str = "model-bound";
    const FILES: &'static [&'static str] = &["denoiser.toml", "denoiser.onnx", "pairs.txt", "tokenizer.json"];
}

/// The data that a claim names, or the models' own.
pub fn choice(
    context: &Context,
    dataset: Option<&str>,
    split: Option<&str>,
    length: Option<usize>,
) -> Result<DataChoice, Error> {
    let dataset = dataset.map(|name| context.named(name));
    Ok(DataChoice { dataset, length, ..DataChoice::new(split.unwrap_or("test").parse()?) })
}

/// The model of a run or of a model file.
pub fn open(context: &Context, name: &str) -> Result<AnyModel, Error> {
    AnyModel::open(&context.beside(name), &context.device, || context.runtime())
}

/// What a number of a model depends on: its weights, its settings or its model file, its data.
pub fn inputs_of(context: &Context, name: &str, choice: &DataChoice) -> Result<Vec<Input>, Error> {
    let (model, place) = (open(context, name)?, context.beside(name));
    let settings = if place.is_dir() { place.join("config.toml") } else { place };
    let mut inputs = model.inputs(model.data(context, choice)?.set.as_ref());
    inputs.push(provenance::file_input(&settings)?);
    Ok(inputs)
}

impl ModelBound {
    fn estimator(&self) -> Result<Estimator, Error> {
        Ok(self.estimator.as_deref().unwrap_or("auto").parse()?)
    }

    fn choice(&self, context: &Context) -> Result<DataChoice, Error> {
        choice(context, self.dataset.as_deref(), self.split.as_deref(), self.length)
    }
}

impl Check for ModelBound {
    fn faults(&self, context: &Context) -> Vec<Error> {
        faults([
            files::check_model(context, &self.model),
            self.dataset.as_ref().map_or(Ok(()), |name| files::check_data(context, name)),
            self.choice(context).map(drop),
            self.estimator().map(drop),
            in_range("draws", self.draws, 1, 100_000),
            in_range("sequences", self.sequences.unwrap_or(2), 2, usize::MAX),
            in_range("length", self.length.unwrap_or(1), 1, 1_000_000),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs_of(context, &self.model, &self.choice(context)?)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let model = open(context, &self.model)?;
        let data = model.data(context, &self.choice(context)?)?;
        let estimation =
            model.bound_estimation(data.set.as_ref(), self.estimator()?, self.draws, self.sequences, context.seed)?;
        let bound = model.calls(|| estimation.run(&context.device, context.bar.as_ref()))?;
        let Some((found, unit)) = self.unit.of(&bound) else {
            let what = format!("{}: no bits per character or byte of {}", self.model, bound.dataset);
            return Err(Error::input(what, "take bits-per-token, or a text that its tokens give back"));
        };
        let name = if model.diffusion()?.is_exact() { "NLL" } else { "NELBO" };
        let mut outcome = Outcome::estimated(&format!("{name} of {}", bound.dataset), found, unit, "sequences");
        outcome.estimate_detail("bits per token", &bound.bits_per_dim, "bits/token");
        outcome.detail("its reconstruction term", bound.reconstruction, None, "bits/token");
        outcome.detail("its prior term", bound.prior, None, "bits/token");
        outcome.estimate_detail("its diffusion term", &bound.diffusion, "bits/token");
        outcome.detail(format!("draws per sequence, {} estimator", bound.estimator), bound.draws as f64, None, "1");
        Ok(outcome)
    }
}
