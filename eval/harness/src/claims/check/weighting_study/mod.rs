//! Check: one network, one data set, one budget, one set of seeds, trained under many weightings.

mod figures;
mod measured_run;
mod profile;

use elbow_impls::Workers;
use elbow_impls::data::{DataShape, Split};
use elbow_impls::train::{Plan, Settings};

use super::prelude::*;
use super::reference_distance::ReferenceDistance;
use crate::images::of_dataset;
use crate::networks::bundled_network;
use crate::provenance;
use measured_run::MeasuredRun;

/// Trainings of one family of diffusion that differ in their weighting alone, with the claim about them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightingStudy {
    /// The compared number, and the arms: each arm of `lower` is claimed to lie below each arm of `than`.
    quantity: Quantity,
    lower: Vec<String>,
    than: Vec<String>,
    /// Whether this claim carries the study's figures.
    figures: bool,
    preset: String,
    /// Changes to the preset, common to all.
    set: Vec<String>,
    /// The arms: names, and the changes that make them.
    arms: Vec<Arm>,
    /// Independent trainings per arm; seed k gives every arm the same initial weights, batches and noise.
    seeds: u64,
    /// Draws of the noise per test image, and the number of test images, from the first; absent: all.
    draws: usize,
    sequences: Option<usize>,
    /// Samples per training, and steps of the sampler.
    samples: usize,
    steps: usize,
    /// The bundled network whose features are compared, and the number of reference images, from the first training
    /// image; absent: all.
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
    /// The NELBO of test images, bits/dim: the bound itself, with the same weights for every arm.
    Nelbo,
}

impl Quantity {
    fn of(self, run: &MeasuredRun) -> f64 {
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

/// The measurements of one arm, one per training.
struct MeasuredArm {
    name: String,
    is_gaussian: bool,
    /// Steps of a training.
    steps: u64,
    /// Parameters of the network.
    parameters: usize,
    runs: Vec<MeasuredRun>,
}

impl MeasuredArm {
    /// Mean and standard error over trainings.
    fn mean(&self, of: impl Fn(&MeasuredRun) -> f64) -> Estimate {
        Estimate::of(&self.runs.iter().map(of).collect::<Vec<_>>())
    }
}

impl Check for WeightingStudy {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let settings = self.settings(context)?;
        let all: Vec<String> = settings.iter().map(Settings::to_toml).collect();
        let data = context.open(&settings[0].data(Split::Train))?;
        Ok(vec![
            Input {
                name: format!("{} trainings", all.len()),
                sha256: elbow_impls::hash::sha256(all.join("\n").as_bytes()),
            },
            provenance::data_input(data.as_ref()),
            inputs::network(&bundled_network(context, &self.network)?),
        ])
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let arms = self.measure(context)?;
        let pairs = self.pairs(&arms)?;
        // Every pair must hold, so the one that is furthest from it decides.
        let (quantity, unit) = self.quantity.name_and_unit();
        let which = if pairs.len() > 1 { format!(", the least clear of {}", pairs.len()) } else { String::new() };
        let named = |name: &str| format!("{quantity}: {name}{which}");
        let mut outcome = Outcome::worst_of(&pairs, context.confidence, named, unit, "paired trainings")?;
        if pairs.len() > 1 {
            for (name, pair) in &pairs {
                outcome.estimate_detail(format!("{quantity}: {name}"), pair, unit);
            }
        }
        for arm in &arms {
            let found = arm.mean(|run| self.quantity.of(run));
            outcome.estimate_detail(format!("{}: {quantity}", arm.name), &found, unit);
        }
        let weights: Vec<&str> = arms.iter().flat_map(|arm| &arm.runs).map(|run| run.weights.as_str()).collect();
        let name = format!("averaged weights of {} trainings", weights.len());
        outcome.made.push(Input { name, sha256: elbow_impls::hash::sha256(weights.join("\n").as_bytes()) });
        if self.figures {
            let metric = bundled_network(context, &self.network)?.metric_name();
            outcome.figures = figures::draw(self, &arms, &metric);
        }
        Ok(outcome)
    }
}

impl WeightingStudy {
    /// The settings of every training, seed after seed within an arm.
    fn settings(&self, context: &Context) -> Result<Vec<Settings>, Error> {
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

    /// The paired difference of each arm of `lower` from each arm of `than`, over trainings.
    fn pairs(&self, arms: &[MeasuredArm]) -> Result<Vec<(String, Estimate)>, Error> {
        let values = |name: &String| -> Result<Vec<f64>, Error> {
            let arm = arms.iter().find(|arm| arm.name == *name);
            let arm = arm.ok_or_else(|| Error::internal(format!("the claim names no arm {name:?}")))?;
            Ok(arm.runs.iter().map(|run| self.quantity.of(run)).collect())
        };
        let mut pairs = Vec::new();
        for low in &self.lower {
            for high in &self.than {
                pairs.push((format!("{low} − {high}"), Estimate::of_pairs(&values(low)?, &values(high)?)));
            }
        }
        Ok(pairs)
    }

    /// Trains and measures every arm, two or more trainings side by side.
    fn measure(&self, context: &Context) -> Result<Vec<MeasuredArm>, Error> {
        let settings = self.settings(context)?;
        if (1..settings.len()).any(|i| settings[..i].contains(&settings[i])) {
            return Err(Error::internal("two arms of the claim are the same training"));
        }
        let train = context.open(&settings[0].data(Split::Train))?;
        let test = context.open(&settings[0].data(Split::Test))?;
        let network = bundled_network(context, &self.network)?;
        let count = self.references.unwrap_or(usize::MAX).min(train.len());
        let images = of_dataset(train.as_ref())?.select(&(0..count).collect::<Vec<_>>());
        let reference = ReferenceDistance::new(network, &images, context.bar.as_ref())?;
        let quiet = context.hushed();
        let bar = context.bar.as_ref();
        bar.start(settings.len() as u64, &format!("weightings of {}", self.preset));
        let done = Workers::new(usize::MAX).map(&settings, |_, settings| {
            let name = context.trained_name(&self.preset, settings, train.as_ref());
            let measured = self.measured_run(&quiet, settings, &name, [train.as_ref(), test.as_ref()], &reference);
            bar.advance(1);
            measured
        });
        bar.finish();
        let mut done = done.into_iter();
        let shape = DataShape::of(train.as_ref());
        let arm = |(arm, settings): (&Arm, &[Settings])| -> Result<MeasuredArm, Error> {
            let runs = done.by_ref().take(settings.len()).collect::<Result<_, _>>()?;
            let Plan { steps, parameters, .. } = Plan::new(&settings[0], &shape)?;
            Ok(MeasuredArm { name: arm.name.clone(), is_gaussian: settings[0].is_gaussian(), steps, parameters, runs })
        };
        self.arms.iter().zip(settings.chunks(self.seeds.max(1) as usize)).map(arm).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use super::WeightingStudy;
    use crate::claims::bundled;

    #[test]
    fn claims_of_one_family_share_their_trainings() {
        let claims = bundled().expect("the bundled claims");
        let studies = claims.iter().filter_map(|claim| {
            let check: &dyn Any = claim.check.as_ref();
            Some((&claim.id, check.downcast_ref::<WeightingStudy>()?))
        });
        let mut known: Vec<(&String, &WeightingStudy)> = Vec::new();
        for (id, study) in studies {
            if let Some((first, other)) = known.iter().find(|(_, other)| other.preset == study.preset) {
                let same = (&study.set, &study.arms, study.seeds) == (&other.set, &other.arms, other.seeds);
                let measured =
                    |s: &WeightingStudy| (s.draws, s.sequences, s.samples, s.steps, s.network.clone(), s.references);
                assert!(same && measured(study) == measured(other), "{id} trains other networks than {first}");
                assert!(!(study.figures && other.figures), "{id} and {first} draw the same figures");
            }
            known.push((id, study));
        }
        assert!(known.len() >= 6);
    }
}
