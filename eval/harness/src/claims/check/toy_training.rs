//! Check: networks trained on a toy whose entropy is known; no bound may fall below it.

use elbow_impls::Key;
use elbow_impls::data::InMemory;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::Settings;
use elbow_theory::masked::kl_halves::kl_halves;
use elbow_theory::masked::sampler_law::any_order_law;
use elbow_theory::masked::{Enumeration, neg_elbo};
use elbow_theory::{Alphabet, Toy};

use super::prelude::*;
use crate::denoisers::network_probabilities;
use crate::likelihood::{BoundEstimation, Estimator};

/// Trains small networks on draws from a toy and compares three numbers: the Monte-Carlo NELBO, the exact NELBO
/// (every pattern through the network), and the entropy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToyTraining {
    measure: Measure,
    toy: String,
    /// Number of independent runs, each with its own weights, data and noise.
    seeds: u64,
    /// Sequences drawn from the toy for training, and again for evaluation.
    sequences: usize,
    /// Time draws per sequence in the evaluation.
    draws: usize,
    /// Changes to the preset `md4-digits`.
    set: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Exact NELBO of the trained network minus the entropy.
    Excess,
    /// Monte-Carlo NELBO minus the exact NELBO on the same sequences' law.
    EstimatorBias,
}

/// The two NELBOs of one run, and the code length that they bound, nats.
struct Run {
    exact: f64,
    /// E -log p(x) under the law of sequences drawn one token at a time in a random order, the limit of many steps.
    code_length: f64,
    monte_carlo: f64,
}

impl Check for ToyTraining {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, [&self.toy])
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = context.toy(&self.toy, Alphabet::Masked)?;
        let entropy = Enumeration::new(&toy)?.entropy();
        let runs = (0..self.seeds).map(|seed| self.train(context, &toy, seed)).collect::<Result<Vec<Run>, Error>>()?;
        let of = |f: &dyn Fn(&Run) -> f64| Estimate::of(&runs.iter().map(f).collect::<Vec<_>>());
        let (quantity, measured) = match self.measure {
            Measure::Excess => ("exact NELBO − entropy", of(&|r| r.exact - entropy)),
            Measure::EstimatorBias => ("Monte-Carlo NELBO − exact NELBO", of(&|r| r.monte_carlo - r.exact)),
        };
        let mut outcome = Outcome::estimated(quantity, measured, "nats", "seeds");
        let exact = of(&|r| r.exact);
        let monte_carlo = of(&|r| r.monte_carlo);
        outcome.detail("entropy", entropy, None, "nats");
        outcome.estimate_detail("exact NELBO", &exact, "nats");
        outcome.estimate_detail("Monte-Carlo NELBO", &monte_carlo, "nats");
        let slack = of(&|r| r.exact - r.code_length);
        outcome.estimate_detail("slack of the exact NELBO: above the sampler's own code length", &slack, "nats");
        let uniform = toy.length as f64 * (toy.states as f64).ln();
        outcome.detail("NELBO of the untrained network", uniform, None, "nats");
        Ok(outcome)
    }
}

impl ToyTraining {
    fn train(&self, context: &Context, toy: &Toy, seed: u64) -> Result<Run, Error> {
        let seed = Key::new(context.seed, "toy training").fold(seed);
        let number = seed.number();
        let mut overrides = self.set.clone();
        overrides.push(format!("seed={number}"));
        let settings = Settings::resolve("md4-digits", &overrides)?;
        let data = |purpose: u64| InMemory::new(&self.toy, toy.states, toy.draw(self.sequences, &seed.fold(purpose)));
        let (known, test) = (data(0), data(1));
        let trainer = context.train(&settings, &known, &self.toy)?;
        let probabilities = network_probabilities(trainer.ema().tokens()?, toy, &context.device);
        let all = Enumeration::with_probabilities(toy, &probabilities)?;
        let objective = settings.objective();
        let estimation = BoundEstimation {
            estimator: Estimator::Objective,
            ..BoundEstimation::new(objective.with(trainer.ema())?, &test, self.draws, number)
        };
        let estimate = estimation.run(&context.device, context.bar.as_ref())?;
        let mut data = vec![0.0; all.patterns()];
        for (word, q) in &toy.outcomes {
            data[all.index().number(word.iter().map(|&value| usize::from(value)))] = *q;
        }
        Ok(Run {
            exact: neg_elbo(&all, &MaskedSchedule::Linear),
            code_length: kl_halves(&data, &any_order_law(&all)).cross_entropy,
            monte_carlo: estimate.nats.value,
        })
    }
}
