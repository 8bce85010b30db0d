//! Check: one network, one data set, one budget, one set of seeds, trained under many weightings.

mod figures;
mod member;
mod profile;

use impls::Workers;
use impls::data::Split;
use impls::train::Settings;
use reports::record::Input;
use serde::Deserialize;

use super::distances::Ruler;
use super::{Outcome, trained_name};
use crate::failure::Failure;
use crate::images::of_dataset;
use crate::likelihood::Estimate;
use crate::networks::bundled_network;
use crate::provenance;
use crate::claims::context::{Check, Context};
use member::Measured;

/// Trainings of one family of diffusion that differ in their weighting alone, and what is claimed of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weightings {
    /// What is compared, and of whom: `lower` is claimed to be below `than`, each of the one below each of the other.
    quantity: Quantity,
    lower: Vec<String>,
    than: Vec<String>,
    /// Whether this claim carries the study's figures.
    figures: bool,
    preset: String,
    /// Changes to the preset, common to all.
    set: Vec<String>,
    /// Names, and the changes that make them.
    arms: Vec<Arm>,
    /// Independent trainings of each; seed k gives every arm the same initial weights, batches and noise.
    seeds: u64,
    /// Draws of the noise for each test image, and the first test images, or all.
    draws: usize,
    sequences: Option<usize>,
    /// Samples of each training, and steps of the sampler.
    samples: usize,
    steps: usize,
    /// The bundled network whose features are compared, and the first training images that samples are compared with, or all.
    network: String,
    references: Option<usize>,
}

/// One way to train.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm {
    name: String,
    set: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Quantity {
    /// Frechet distance of samples to the training images.
    Distance,
    /// The NELBO of test images, bits/dim: the true bound, whatever weighting trained.
    Nelbo,
}

impl Quantity {
    fn of(self, run: &Measured) -> f64 {
        match self {
            Self::Distance => run.distance,
            Self::Nelbo => run.nelbo,
        }
    }

    fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::Distance => ("Frechet distance", "1"),
            Self::Nelbo => ("NELBO", "bits/dim"),
        }
    }
}

/// What was measured of one arm, a training each.
struct Trained {
    name: String,
    is_gaussian: bool,
    runs: Vec<Measured>,
}

impl Trained {
    /// Mean and standard error over trainings.
    fn mean(&self, of: impl Fn(&Measured) -> f64) -> Estimate {
        Estimate::of(&self.runs.iter().map(of).collect::<Vec<_>>())
    }
}

impl Weightings {
    /// The settings of every training, seed after seed within an arm.
    fn settings(&self, context: &Context) -> Result<Vec<Settings>, Failure> {
        let mut all = Vec::new();
        for arm in &self.arms {
            for seed in 0..self.seeds {
                let seed = format!("seed={}", context.seed + seed);
                let set: Vec<String> = self.set.iter().chain(&arm.set).cloned().chain([seed]).collect();
                all.push(Settings::resolve(&self.preset, &set)?);
            }
        }
        Ok(all)
    }

    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        let settings = self.settings(context)?;
        let all: Vec<String> = settings.iter().map(Settings::to_toml).collect();
        let data = context.open(&settings[0].data(Split::Train))?;
        let network = bundled_network(context, &self.network)?;
        Ok(vec![
            Input { name: format!("{} trainings", all.len()), sha256: impls::hash::sha256(all.join("\n").as_bytes()) },
            provenance::data_input(data.as_ref()),
            Input { name: network.metric_name(), sha256: network.hash().to_owned() },
        ])
    }

    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let arms = self.measure(context)?;
        let arm = |name: &String| {
            let found = arms.iter().find(|arm| arm.name == *name);
            found.ok_or_else(|| Failure::internal(format!("the claim names no arm {name:?}")))
        };
        let mut pairs = Vec::new();
        for low in &self.lower {
            for high in &self.than {
                let values = arm(low)?.runs.iter().zip(&arm(high)?.runs);
                let paired: Vec<f64> = values.map(|(a, b)| self.quantity.of(a) - self.quantity.of(b)).collect();
                pairs.push((format!("{low} − {high}"), Estimate::of(&paired)));
            }
        }
        // Every pair must hold, so the one that is furthest from it decides.
        let (quantity, unit) = self.quantity.name_and_unit();
        let which = if pairs.len() > 1 { format!(", the least clear of {}", pairs.len()) } else { String::new() };
        let named = |name: &str| format!("{quantity}: {name}{which}");
        let mut outcome = Outcome::worst_of(&pairs, named, "paired trainings", unit)?;
        if pairs.len() > 1 {
            for (name, pair) in &pairs {
                outcome.detail(format!("{quantity}: {name}"), pair.value, Some(pair.standard_error), unit);
            }
        }
        for arm in &arms {
            let found = arm.mean(|run| self.quantity.of(run));
            outcome.detail(format!("{}: {quantity}", arm.name), found.value, Some(found.standard_error), unit);
        }
        let weights: Vec<&str> = arms.iter().flat_map(|arm| &arm.runs).map(|run| run.weights.as_str()).collect();
        let name = format!("averaged weights of {} trainings", weights.len());
        outcome.made.push(Input { name, sha256: impls::hash::sha256(weights.join("\n").as_bytes()) });
        if self.figures {
            let metric = bundled_network(context, &self.network)?.metric_name();
            outcome.figures = figures::draw(self, &arms, &metric);
        }
        Ok(outcome)
    }

    /// Trains and measures every arm, two or more trainings side by side.
    fn measure(&self, context: &Context) -> Result<Vec<Trained>, Failure> {
        let settings = self.settings(context)?;
        if (1..settings.len()).any(|i| settings[..i].contains(&settings[i])) {
            return Err(Failure::internal("two arms of the claim are the same training"));
        }
        let train = context.open(&settings[0].data(Split::Train))?;
        let test = context.open(&settings[0].data(Split::Test))?;
        let network = bundled_network(context, &self.network)?;
        let count = self.references.unwrap_or(usize::MAX).min(train.len());
        let images = of_dataset(train.as_ref())?.select(&(0..count).collect::<Vec<_>>());
        let ruler = Ruler { reference: network.features(&images, context.bar.as_ref())?, network };
        let quiet = context.hushed();
        let bar = context.bar.as_ref();
        bar.start(settings.len() as u64, &format!("weightings of {}", self.preset));
        let done = Workers::new(usize::MAX).map(&settings, |_, settings| {
            let name = trained_name(context, &self.preset, settings, train.as_ref());
            let measured = self.member(&quiet, settings, &name, [train.as_ref(), test.as_ref()], &ruler);
            bar.advance(1);
            measured
        });
        bar.finish();
        let mut done = done.into_iter();
        let arm = |arm: &Arm| -> Result<Trained, Failure> {
            let runs = done.by_ref().take(self.seeds as usize).collect::<Result<_, _>>()?;
            Ok(Trained { name: arm.name.clone(), is_gaussian: settings[0].is_gaussian(), runs })
        };
        self.arms.iter().map(arm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Protocol;
    use crate::claims::all;

    #[test]
    fn claims_of_one_family_share_their_trainings() {
        let claims = all().expect("the bundled claims");
        let studies = claims.iter().filter_map(|claim| match &claim.protocol {
            Protocol::Weighting(study) => Some((&claim.id, study)),
            _ => None,
        });
        let mut known: Vec<(&String, &super::Weightings)> = Vec::new();
        for (id, study) in studies {
            if let Some((first, other)) = known.iter().find(|(_, other)| other.preset == study.preset) {
                let same = (&study.set, &study.arms, study.seeds) == (&other.set, &other.arms, other.seeds);
                let measured =
                    |s: &super::Weightings| (s.draws, s.sequences, s.samples, s.steps, s.network.clone(), s.references);
                assert!(same && measured(study) == measured(other), "{id} trains other networks than {first}");
                assert!(!(study.figures && other.figures), "{id} and {first} draw the same figures");
            }
            known.push((id, study));
        }
        assert!(known.len() >= 6);
    }
}
