//! The kinds of checks. A claim file names one under `[protocol]` with its parameters; a new kind is a new file here
//! and a line in [`Protocol`].

mod cascade;
mod devices;
mod digits;
mod distances;
mod drawing;
mod equivalence;
mod estimator;
mod families;
mod frechet;
mod gap_profile;
mod gaussian;
mod gaussian_estimator;
mod grids;
mod gumbel;
mod independent;
mod integrand;
mod objectives;
mod ode;
mod order;
mod parallel;
mod parity;
mod photographs;
mod sample_size;
mod samplers;
mod side_by_side;
mod text;
mod toy_training;
mod weighting;
mod weights;

use std::path::PathBuf;

use impls::data::{Dataset, InMemory, Split};
use impls::network::{self, Denoiser, ids_tensor, softmax};
use impls::train::{Settings, TRAINING, Trainer};
use reports::record::{Detail, Figure, Input, Measured};
use serde::Deserialize;

use crate::claims::definition::family;
use crate::claims::judge::{confidence, least_clear};
use crate::failure::Failure;
use crate::fid::Features;
use crate::likelihood::Estimate;
use crate::provenance;
use crate::runs::Trained;
use crate::runs::run_training;
use crate::theory::{Alphabet, Toy};
use crate::claims::context::{Check, Context};
use drawing::{axis, curve, figure, log_axis, plot, ranking};

/// A check with its parameters.
#[derive(Debug, Deserialize)]
#[serde(tag = "check", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Protocol {
    /// The exact cascade of bounds on toys.
    Cascade(cascade::Cascades),
    /// One bound of masked diffusion in the forms of several papers.
    Equivalence(equivalence::Equivalence),
    /// Costs of one token: published formulas against the general one.
    Integrand(integrand::Integrand),
    /// The forms of a Gaussian loss, and Kingma and Gao's reading of it.
    Gaussian(gaussian::Gaussian),
    /// The order in which tokens are revealed.
    Order(order::Order),
    /// The law of parallel sampling.
    Parallel(parallel::Parallel),
    /// What single precision does to a sampler.
    Gumbel(gumbel::Gumbel),
    /// The gaps of trained networks.
    GapProfile(gap_profile::GapProfile),
    /// Weighting functions and their cascade weights.
    Weights(weights::Weights),
    /// One model on two devices.
    Devices(devices::Devices),
    /// Trainings that differ in their weighting alone.
    Weighting(weighting::Weightings),
    /// Time grids of the sampler.
    Grids(grids::Grids),
    /// The training loss by Monte Carlo against its exact value.
    Estimator(estimator::Estimator),
    /// The same of Gaussian diffusion.
    GaussianEstimator(gaussian_estimator::GaussianEstimator),
    /// The probability-flow ODE on mixtures.
    Ode(ode::Ode),
    /// Masked and Gaussian diffusion side by side.
    Families(families::Families),
    /// Networks trained on a toy of known entropy.
    ToyTraining(toy_training::ToyTraining),
    /// The model trained on the digits.
    Digits(digits::TrainedDigits),
    /// Every implementation trained on the digits, and one model under every estimator.
    Objectives(objectives::Objectives),
    /// Samplers of the model trained on the digits.
    Samplers(samplers::Samplers),
    /// Models trained on texts.
    Text(text::Texts),
    /// Frechet distances of known sets.
    Frechet(frechet::Frechet),
    /// Metrics of images beside the reference tools.
    Parity(parity::Parity),
    /// Distances of disturbed photographs.
    Photographs(photographs::Photographs),
    /// What the number of images does to a distance.
    SampleSize(sample_size::SampleSize),
    /// Our program beside another one.
    SideBySide(side_by_side::SideBySide),
}

/// What a check found.
pub struct Outcome {
    /// The deciding number; its interval is the judge's to add.
    pub measured: Measured,
    pub details: Vec<Detail>,
    pub figures: Vec<Figure>,
    /// Inputs that exist only after the check ran, such as a trained checkpoint.
    pub made: Vec<Input>,
    /// Of how many numbers the deciding one is the worst.
    pub rivals: usize,
}

impl Outcome {
    /// An exact number, of one case.
    pub fn exact(quantity: &str, value: f64, unit: &str) -> Self {
        let measured = Measured {
            quantity: quantity.to_owned(),
            value,
            standard_error: None,
            n: 1,
            n_unit: "cases".to_owned(),
            unit: unit.to_owned(),
            interval: None,
        };
        Self { measured, details: Vec::new(), figures: Vec::new(), made: Vec::new(), rivals: 1 }
    }

    /// The worst of several numbers that are all claimed to be at most some limit, each a mean over such units; `name` makes
    /// the quantity of its name.
    fn worst_of(
        numbers: &[(String, Estimate)],
        name: impl Fn(&str) -> String,
        n_unit: &str,
        unit: &str,
    ) -> Result<Self, Failure> {
        let confidence = confidence(family()?);
        let worst = least_clear(numbers, |(_, number)| *number, confidence);
        let (which, worst) = worst.ok_or_else(|| Failure::internal("the claim compares nothing"))?;
        let outcome = Self::exact(&name(which), worst.value, unit).over(worst.n as usize, n_unit);
        Ok(Self { rivals: numbers.len(), ..outcome.with_error(worst.standard_error) })
    }

    /// The number of cases or independent units behind the number.
    pub fn over(mut self, n: usize, n_unit: &str) -> Self {
        (self.measured.n, self.measured.n_unit) = (n as u64, n_unit.to_owned());
        self
    }

    /// The standard error that makes the claim a statistical one.
    pub fn with_error(mut self, standard_error: f64) -> Self {
        self.measured.standard_error = Some(standard_error);
        self
    }

    /// Adds a number beside the deciding one. JSON has no infinity: an infinite one is left out.
    fn detail(&mut self, name: impl Into<String>, value: f64, standard_error: Option<f64>, unit: &str) {
        if !value.is_finite() {
            return;
        }
        self.details.push(Detail { name: name.into(), value, standard_error, unit: unit.to_owned() });
    }
}

impl Protocol {
    /// What the check reads, with hashes: part of the content key.
    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        match self {
            Self::Cascade(check) => check.inputs(context),
            Self::Equivalence(check) => check.inputs(context),
            Self::Integrand(check) => check.inputs(context),
            Self::Gaussian(check) => check.inputs(context),
            Self::Order(check) => check.inputs(context),
            Self::Parallel(check) => check.inputs(context),
            Self::Gumbel(_) => Ok(Vec::new()),
            Self::GapProfile(check) => check.inputs(context),
            Self::Weights(check) => check.inputs(context),
            Self::Devices(check) => check.inputs(context),
            Self::Weighting(check) => check.inputs(context),
            Self::Grids(_) => Ok(Vec::new()),
            Self::Estimator(check) => check.inputs(context),
            Self::GaussianEstimator(check) => check.inputs(context),
            Self::Ode(check) => check.inputs(context),
            Self::Families(check) => check.inputs(context),
            Self::ToyTraining(check) => check.inputs(context),
            Self::Digits(check) => check.inputs(context),
            Self::Objectives(check) => check.inputs(context),
            Self::Samplers(check) => check.inputs(context),
            Self::Text(check) => check.inputs(context),
            Self::Frechet(check) => check.inputs(context),
            Self::Parity(check) => check.inputs(context),
            Self::Photographs(check) => check.inputs(context),
            Self::SampleSize(_) => Ok(Vec::new()),
            Self::SideBySide(check) => check.inputs(context),
        }
    }

    /// Runs the check.
    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        match self {
            Self::Cascade(check) => check.run(context),
            Self::Equivalence(check) => check.run(context),
            Self::Integrand(check) => check.run(context),
            Self::Gaussian(check) => check.run(context),
            Self::Order(check) => check.run(context),
            Self::Parallel(check) => check.run(context),
            Self::Gumbel(check) => check.run(context),
            Self::GapProfile(check) => check.run(context),
            Self::Weights(check) => check.run(context),
            Self::Devices(check) => check.run(context),
            Self::Weighting(check) => check.run(context),
            Self::Grids(check) => check.run(),
            Self::Estimator(check) => check.run(context),
            Self::GaussianEstimator(check) => check.run(context),
            Self::Ode(check) => check.run(context),
            Self::Families(check) => check.run(context),
            Self::ToyTraining(check) => check.run(context),
            Self::Digits(check) => check.run(context),
            Self::Objectives(check) => check.run(context),
            Self::Samplers(check) => check.run(context),
            Self::Text(check) => check.run(context),
            Self::Frechet(check) => check.run(context),
            Self::Parity(check) => check.run(context),
            Self::Photographs(check) => check.run(context),
            Self::SampleSize(check) => check.run(context),
            Self::SideBySide(check) => check.run(context),
        }
    }

    /// Whether its outcome carries a standard error: such claims share the family's error.
    pub fn is_statistical(&self) -> bool {
        match self {
            Self::Cascade(_) | Self::Devices(_) | Self::Weights(_) | Self::Grids(_) | Self::Equivalence(_) => false,
            Self::Integrand(_) | Self::Gaussian(_) | Self::GapProfile(_) | Self::Ode(_) => false,
            Self::Estimator(_) | Self::ToyTraining(_) | Self::Digits(_) => true,
            Self::Objectives(_) | Self::Text(_) | Self::Families(_) | Self::Weighting(_) => true,
            Self::GaussianEstimator(check) => check.is_statistical(),
            Self::Samplers(check) => check.is_statistical(),
            Self::Order(check) => check.is_statistical(),
            Self::Parallel(check) => check.is_statistical(),
            Self::Gumbel(check) => check.is_statistical(),
            Self::Frechet(_) | Self::Parity(_) | Self::Photographs(_) | Self::SideBySide(_) => false,
            Self::SampleSize(_) => true,
        }
    }
}

/// A bundled toy, `fixtures/NAME.json`.
fn load_toy(context: &Context, name: &str, alphabet: Alphabet) -> Result<Toy, Failure> {
    Toy::load(&context.data_file(&format!("{name}.json"))?, alphabet)
}

/// The files of bundled toys, with hashes.
fn toy_inputs<'a>(context: &Context, names: impl IntoIterator<Item = &'a String>) -> Result<Vec<Input>, Failure> {
    let input = |name| provenance::file_input(&context.data_file(&format!("{name}.json"))?);
    names.into_iter().map(input).collect()
}

/// A file of golden values.
fn load_golden(context: &Context, name: &str) -> Result<serde_json::Value, Failure> {
    let path = context.data_file(name)?;
    let text = std::fs::read_to_string(&path).map_err(Failure::reading(&path))?;
    serde_json::from_str(&text).map_err(|e| Failure::input(format!("{}: {e}", path.display()), "restore the file"))
}

/// Pearson's statistic per degree of freedom of `counts` against a law over the same outcomes; impossible ones are left
/// out.
fn chi_square(counts: &[usize], law: &[f64]) -> f64 {
    let total: f64 = counts.iter().sum::<usize>() as f64;
    let possible = || law.iter().zip(counts).filter(|(p, _)| **p > 0.0);
    let sum: f64 = possible().map(|(p, &count)| (count as f64 - total * p).powi(2) / (total * p)).sum();
    sum / (possible().count() as f64 - 1.0)
}

/// The larger of two numbers, for folds; unlike `f64::max` it does not pass over what is no number.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

/// The smaller of two numbers, for folds; unlike `f64::min` it does not pass over what is no number.
fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || a <= b { a } else { b }
}

/// A feature matrix among the fixtures.
fn load_features(context: &Context, name: &str) -> Result<Features, Failure> {
    Features::load(&context.data_file(name)?)
}

/// Trains a network with a progress bar.
fn train<'a>(
    context: &Context,
    settings: &Settings,
    data: &'a InMemory,
    label: &str,
) -> Result<Trainer<'a>, Failure> {
    let mut trainer = Trainer::new(settings, data, &context.devices)?;
    context.bar.start(settings.steps, &format!("train on {label}"));
    for _ in 0..settings.steps {
        let progress = trainer.advance()?;
        context.bar.set(progress.step, format!("loss {:.3}", progress.weighted_loss));
    }
    context.bar.finish();
    Ok(trainer)
}

/// A preset trained to the end in a folder of its own. The folder's name holds everything that shapes the run, so an
/// older one is never mistaken for it, and claims about one run train it once.
fn trained_run(context: &Context, preset: &str, set: &[String]) -> Result<(Trained, PathBuf), Failure> {
    let settings = Settings::resolve(preset, set)?;
    let data = context.open(&settings.data(Split::Train))?;
    let run = context.out.join("runs").join(trained_name(context, preset, &settings, data.as_ref()));
    run_training(context, &settings, data.as_ref(), &run)?;
    Ok((Trained::load(&run, &context.device)?, run))
}

/// The name of the folder of a run.
fn trained_name(context: &Context, preset: &str, settings: &Settings, data: &dyn Dataset) -> String {
    let device = context.device_name.clone();
    let shape = [settings.to_toml(), data.hash().to_owned(), format!("training {TRAINING}"), device].join("\n");
    format!("{preset}-{}", &impls::hash::sha256(shape.as_bytes())[..12])
}

/// What a trained run depends on: its settings and its data.
fn run_inputs(context: &Context, preset: &str, set: &[String]) -> Result<Vec<Input>, Failure> {
    let settings = Settings::resolve(preset, set)?;
    let data = context.open(&settings.data(Split::Train))?;
    let hash = impls::hash::sha256(settings.to_toml().as_bytes());
    Ok(vec![Input { name: preset.to_owned(), sha256: hash }, provenance::data_input(data.as_ref())])
}

/// The averaged weights of a run, as an input of a row.
fn weights_of(model: &Trained) -> Input {
    Input { name: "ema.safetensors".into(), sha256: model.hash.clone() }
}

/// The network's answer to every pattern of the toy.
fn network_probabilities(denoiser: &dyn Denoiser, toy: &Toy, context: &Context) -> Vec<f64> {
    let base = toy.states + 1;
    let patterns = base.pow(toy.length as u32);
    let digit = |pattern: usize, place: usize| (pattern / base.pow((toy.length - 1 - place) as u32) % base) as u32;
    let ids: Vec<u32> = (0..patterns).flat_map(|p| (0..toy.length).map(move |n| digit(p, n))).collect();
    let input = network::Input::new(ids_tensor(&ids, toy.length, &context.device), &vec![0.5; patterns]);
    let logits: Vec<f32> = denoiser.value_logits(&input).into_data().iter::<f32>().collect();
    logits.chunks(toy.states).flat_map(softmax).collect()
}
