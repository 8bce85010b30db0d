//! Check: the difference of two models' bounds on the same sequences under the same noise.

use schemars::JsonSchema;

use super::super::prelude::*;
use super::model_bound::{choice, inputs_of, open, usual_draws};
use super::{OwnCheck, faults, files, in_range};
use crate::likelihood::{Estimator, PairedEstimation};
use crate::models::DataChoice;

/// The difference A - B of two models' likelihood bounds on the same sequences under the same noise, in bits per token with
/// its error over sequences, as `elbow compare` computes it. "A is better" is the relation at-most with the value 0.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairedComparison {
    /// Model A: the folder of a training run, or a model file (TOML), relative to the claim's file.
    a: String,
    /// Model B.
    b: String,
    /// Another data set than each model's own, by name, or a file relative to the claim's.
    dataset: Option<String>,
    /// The part of the data: train, test, ... [default: test].
    split: Option<String>,
    /// Tokens per sequence of a text, for models that take any, 1 or more.
    #[schemars(range(min = 1))]
    length: Option<usize>,
    /// Only the first sequences, 2 or more.
    #[schemars(range(min = 2))]
    sequences: Option<usize>,
    /// Stratified draws of the noise per sequence, 1 to 100000.
    #[serde(default = "usual_draws")]
    #[schemars(range(min = 1, max = 100_000))]
    draws: usize,
}

impl OwnCheck for PairedComparison {
    const NAME: &'static str = "paired-comparison";
    const FILES: &'static [&'static str] =
        &["denoiser.toml", "denoiser.onnx", "other.toml", "other.onnx", "pairs.txt", "tokenizer.json"];
}

impl PairedComparison {
    fn choice(&self, context: &Context) -> Result<DataChoice, Error> {
        choice(context, self.dataset.as_deref(), self.split.as_deref(), self.length)
    }
}

impl Check for PairedComparison {
    fn faults(&self, context: &Context) -> Vec<Error> {
        faults([
            files::check_model(context, &self.a),
            files::check_model(context, &self.b),
            self.dataset.as_ref().map_or(Ok(()), |name| files::check_data(context, name)),
            self.choice(context).map(drop),
            in_range("draws", self.draws, 1, 100_000),
            in_range("sequences", self.sequences.unwrap_or(2), 2, usize::MAX),
            in_range("length", self.length.unwrap_or(1), 1, 1_000_000),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let of = |name| inputs_of(context, name, &self.choice(context)?);
        Ok([of(&self.a)?, of(&self.b)?].concat())
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let models = [open(context, &self.a)?, open(context, &self.b)?];
        let of = |which: usize| models[which].data(context, &self.choice(context)?).map(|data| data.set);
        let [data, of_b] = [of(0)?, of(1)?];
        if (data.hash(), data.length(), data.len()) != (of_b.hash(), of_b.length(), of_b.len()) {
            let what = format!("A is judged on {}, B on {}", data.name(), of_b.name());
            return Err(Error::input(what, "a difference is over the same sequences: name their data with dataset"));
        }
        let estimation = |which: usize| {
            let model = &models[which];
            model.bound_estimation(data.as_ref(), Estimator::Auto, self.draws, self.sequences, context.seed)
        };
        let paired = PairedEstimation { models: [estimation(0)?, estimation(1)?], target: None };
        let run = || paired.run(&context.device, context.bar.as_ref());
        let found = models[0].calls(|| models[1].calls(run))?;
        let unit = if found.a.text.is_some() { "bits/token" } else { "bits/dim" };
        let quantity = format!("bound of A − bound of B on {}", found.a.dataset);
        let mut outcome = Outcome::estimated(&quantity, found.bits_per_dim, unit, "sequences");
        outcome.estimate_detail(format!("A, {}", self.a), &found.a.bits_per_dim, unit);
        outcome.estimate_detail(format!("B, {}", self.b), &found.b.bits_per_dim, unit);
        outcome.detail("share of corrupted inputs that both see alike", found.shared_inputs, None, "1");
        outcome.detail("standard error, measured apart", found.independent_standard_error, None, unit);
        Ok(outcome)
    }
}
