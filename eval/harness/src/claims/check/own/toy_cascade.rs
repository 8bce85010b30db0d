//! Check: an exact number of the cascade of bounds of a user's toy.

use std::path::PathBuf;
use std::slice::from_ref;

use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_theory::gaussian::GaussianToy;
use elbow_theory::{Alphabet, Cascade, Toy};
use schemars::JsonSchema;

use super::super::cascade::{Process, draw};
use super::super::prelude::*;
use super::{OwnCheck, faults, files, in_range, without_effect};
use crate::provenance;

/// An exact number of the cascade of bounds of a toy distribution, in nats, as `elbow theory` computes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToyCascade {
    /// The toy file (JSON), relative to the claim's file.
    toy: String,
    /// The diffusion process.
    #[serde(default)]
    process: Diffusion,
    /// The noise schedule by its name in `elbow theory`, or table:FILE [default: linear; for gaussian fixed-linear:-6:5].
    schedule: Option<String>,
    /// T, the number of steps, 1 or more, up to a limit that depends on the toy.
    #[schemars(range(min = 1))]
    steps: usize,
    /// The weighting w of the loss by its name in `elbow theory`, or table:FILE [default: elbo].
    weighting: Option<String>,
    /// The number, by its name in `elbow theory --json`.
    quantity: Quantity,
    /// i, from 1 on, where the quantity has one number per step.
    #[schemars(range(min = 1))]
    step: Option<usize>,
    /// Uniform process: uniform, absorbing, or a file with a matrix, relative to the claim's file [default: uniform].
    transition: Option<String>,
    /// Uniform process: how a prediction becomes a reverse kernel, d3pm or mixture [default: d3pm].
    parameterization: Option<String>,
}

/// The diffusion process of a toy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Diffusion {
    /// Tokens that are masked.
    #[default]
    Masked,
    /// Tokens that are replaced by others.
    Uniform,
    /// Points with Gaussian noise.
    Gaussian,
}

/// A number of the cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Quantity {
    /// H, the entropy of the data.
    Entropy,
    /// E L^(i), i = 1 to T + 1.
    Elbo,
    /// The gap g_i, i = 1 to T.
    Gap,
    /// The part of g_i that is the total correlation of tokens that change together, i = 1 to T.
    Factorization,
    /// The part of a Gaussian g_i that no denoiser removes, i = 1 to T.
    KernelMismatch,
    /// E l_i, the KL of step i = 1 to T.
    KlStep,
    /// E D_i, i = 1 to T + 1.
    Decoder,
    /// E K, the KL at t = 1.
    Prior,
    /// KL(q || p~(i)), i = 1 to T + 1.
    DataModelKl,
    /// E log p~(1)(x) - E L^(1).
    Slack,
    /// w~(t(i)), i = 1 to T.
    WTilde,
    /// The weight w_i of Theorem 2, i = 1 to T.
    CascadeWeights,
    /// max over i of |E L^(i+1) - E L^(i) - g_i|.
    Theorem1Residual,
    /// max over x of |sum w_i L^(i)(x) - C(x) + sum w~(t(j)) l_j(x)|.
    Theorem2Residual,
    /// E of the sum over i of w_i L^(i).
    WeightedElboSum,
    /// The NELBO in continuous time.
    NegElboContinuous,
    /// The reweighted loss in continuous time; no bound unless the weighting is elbo.
    WeightedContinuous,
    /// The any-order autoregressive NLL of a masked denoiser.
    AnyOrderArNll,
}

impl Quantity {
    /// Its name, and its numbers in a cascade.
    fn of(self, c: &Cascade) -> (&'static str, &[f64]) {
        match self {
            Self::Entropy => ("entropy H", from_ref(&c.entropy)),
            Self::Elbo => ("E L^(i)", &c.elbo),
            Self::Gap => ("gap g_i", &c.gap),
            Self::Factorization => ("total correlation in g_i", &c.factorization),
            Self::KernelMismatch => ("part of g_i that no denoiser removes", &c.kernel_mismatch),
            Self::KlStep => ("E l_i", &c.kl_step),
            Self::Decoder => ("E D_i", &c.decoder),
            Self::Prior => ("prior K", from_ref(&c.prior)),
            Self::DataModelKl => ("KL(q‖p̃^(i))", &c.data_model_kl),
            Self::Slack => ("slack of E L^(1)", c.slack.as_slice()),
            Self::WTilde => ("w̃(t(i))", &c.w_tilde),
            Self::CascadeWeights => ("w_i", &c.cascade_weights),
            Self::Theorem1Residual => ("Theorem 1 residual", from_ref(&c.theorem1_residual)),
            Self::Theorem2Residual => ("Theorem 2 residual", from_ref(&c.theorem2_residual)),
            Self::WeightedElboSum => ("Σ w_i E L^(i)", from_ref(&c.weighted_elbo_sum)),
            Self::NegElboContinuous => ("NELBO in continuous time", from_ref(&c.neg_elbo_continuous)),
            Self::WeightedContinuous => ("reweighted loss in continuous time", from_ref(&c.weighted_continuous)),
            Self::AnyOrderArNll => ("any-order autoregressive NLL", c.any_order_ar_nll.as_slice()),
        }
    }

    /// How many more numbers there are than steps, where there is one per step.
    fn beyond_steps(self) -> Option<usize> {
        match self {
            Self::Elbo | Self::Decoder | Self::DataModelKl => Some(1),
            Self::Gap
            | Self::Factorization
            | Self::KernelMismatch
            | Self::KlStep
            | Self::WTilde
            | Self::CascadeWeights => Some(0),
            _ => None,
        }
    }
}

impl OwnCheck for ToyCascade {
    const NAME: &'static str = "toy-cascade";
    const FILES: &'static [&'static str] = &["toy.json"];
}

impl ToyCascade {
    fn schedule(&self, context: &Context) -> String {
        let usual = if self.process == Diffusion::Gaussian { "fixed-linear:-6:5" } else { "linear" };
        context.tabled(self.schedule.as_deref().unwrap_or(usual))
    }

    fn weighting(&self, context: &Context) -> Result<Weighting, Error> {
        context.tabled(self.weighting.as_deref().unwrap_or("elbo")).parse()
    }

    /// The file of a transition that is not built in.
    fn transition_file(&self) -> Option<&str> {
        self.transition.as_deref().filter(|name| !["uniform", "absorbing"].contains(name))
    }

    fn check_schedule(&self, context: &Context) -> Result<(), Error> {
        let name = self.schedule(context);
        match self.process {
            Diffusion::Gaussian => name.parse::<GaussianSchedule>().map(drop),
            _ => name.parse::<MaskedSchedule>().map(drop),
        }
    }

    fn check_toy(&self, context: &Context) -> Result<(), Error> {
        let path = context.beside(&self.toy);
        match self.process {
            Diffusion::Masked => Toy::load(&path, Alphabet::Masked).map(drop)?,
            // A transition with a mask takes a denoiser that sees it.
            Diffusion::Uniform => Toy::states_of(&path).map(drop)?,
            Diffusion::Gaussian => GaussianToy::load(&path).map(drop)?,
        }
        Ok(())
    }

    fn check_step(&self) -> Result<(), Error> {
        match (self.quantity.beyond_steps(), self.step) {
            (Some(beyond), Some(step)) => in_range("step", step, 1, self.steps + beyond),
            (None, Some(_)) => without_effect(&[("step", true)], "this quantity is one number"),
            (Some(_), None) => Err(Error::input("no step", "this quantity has one number per step: write step = 1")),
            (None, None) => Ok(()),
        }
    }

    fn check_transition(&self, context: &Context) -> Result<(), Error> {
        let keys = [("transition", self.transition.is_some()), ("parameterization", self.parameterization.is_some())];
        if self.process != Diffusion::Uniform {
            return without_effect(&keys, "it is one of process = \"uniform\"");
        }
        self.transition_file().map_or(Ok(()), |file| provenance::file_input(&context.beside(file)).map(drop))
    }
}

impl Check for ToyCascade {
    fn faults(&self, context: &Context) -> Vec<Error> {
        faults([
            self.check_toy(context),
            self.check_schedule(context),
            self.weighting(context).map(drop),
            in_range("steps", self.steps, 1, u32::MAX as usize),
            self.check_step(),
            self.check_transition(context),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = vec![provenance::file_input(&context.beside(&self.toy))?];
        let names = [&self.schedule, &self.weighting].into_iter().filter_map(|name| name.as_deref());
        inputs.extend(files::tables(context, names)?);
        let transition = self.transition_file().map(|file| provenance::file_input(&context.beside(file)));
        inputs.extend(transition.transpose()?);
        Ok(inputs)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let process = match self.process {
            Diffusion::Masked => Process::Masked,
            Diffusion::Gaussian => Process::Gaussian,
            Diffusion::Uniform => Process::Discrete {
                transition: self.transition.clone().unwrap_or_else(|| "uniform".to_owned()),
                parameterization: self.parameterization.clone().unwrap_or_else(|| "d3pm".to_owned()),
            },
        };
        let locate = |file: &str| -> Result<PathBuf, Error> { Ok(context.beside(file)) };
        let schedule = self.schedule(context);
        let path = context.beside(&self.toy);
        let cascade = process.cascade(&path, locate, &schedule, self.steps, &self.weighting(context)?)?;
        let (name, numbers) = self.quantity.of(&cascade);
        let place = self.step.unwrap_or(1);
        let Some(&value) = numbers.get(place - 1) else {
            let notes = cascade.notes.join("; ");
            let fix = if notes.is_empty() { "choose a quantity that this process has".to_owned() } else { notes };
            return Err(Error::input(format!("{}: no {name}", self.toy), fix));
        };
        let quantity = self.step.map_or(name.to_owned(), |step| format!("{name}, i = {step}"));
        let unit = if matches!(self.quantity, Quantity::WTilde | Quantity::CascadeWeights) { "1" } else { "nats" };
        let mut outcome = Outcome::exact(&quantity, value, unit).over(1, "cascade");
        outcome.detail("entropy H", cascade.entropy, None, "nats");
        outcome.detail("NELBO", -cascade.elbo[0], None, "nats");
        outcome.detail("NELBO in continuous time", cascade.neg_elbo_continuous, None, "nats");
        if let Some(error) = cascade.quadrature_error {
            outcome.detail("quadrature error, estimated", error, None, "nats");
        }
        outcome.figures.push(draw(&cascade, context.id, &self.toy));
        Ok(outcome)
    }
}
