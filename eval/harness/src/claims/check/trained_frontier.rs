//! Check: generative frontiers of trained models of letters.

use elbow_impls::Key;
use elbow_impls::data::{Split, Tokens};
use elbow_impls::tempering::Tempering;
use elbow_impls::train::Settings;

use super::prelude::*;
use crate::frontier::{self, Curve, Numbers};
use crate::likelihood::generative;
use crate::provenance;
use crate::sampling::Request;

/// Models of one text over temperatures under a judge: what the lowest temperature takes from the cross-entropy of each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedFrontier {
    presets: Vec<String>,
    /// The preset of the judge.
    judge: String,
    /// Changes to each preset.
    set: Vec<String>,
    /// Rising, with 1 among them.
    temperatures: Vec<f64>,
    /// Samples per temperature.
    samples: usize,
    /// Steps of samplers that have steps.
    steps: usize,
}

/// Sets of samples that the bootstrap draws.
const REPLICATES: usize = 1000;

impl Check for TrainedFrontier {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = inputs::presets(context, self.presets.iter().chain([&self.judge]), &self.set)?;
        let settings = Settings::resolve(&self.judge, &self.set)?;
        inputs.push(provenance::data_input(context.open(&settings.data(Split::Test))?.as_ref()));
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let judge = context.trained(&self.judge, &self.set)?;
        let data = context.open(&judge.settings.data(Split::Test))?;
        let (data, bar) = (data.as_ref(), context.bar.as_ref());
        let numbers = |tokens: &Tokens| generative(judge.diffusion()?, data, tokens, &context.device, bar);
        let (mut curves, mut made) = (Vec::new(), vec![inputs::weights(&judge)]);
        for (number, preset) in self.presets.iter().enumerate() {
            let model = context.trained(preset, &self.set)?;
            model.check_fits(data)?;
            let own = context.request(&model, self.samples, data.length());
            let draw = |temperature, seed| {
                let tempering = Tempering { temperature, ..Tempering::NONE };
                context.sample(&model, &Request { steps: self.steps, tempering, seed, ..own.clone() })
            };
            let key = Key::new(context.seed, "frontier").fold(number as u64);
            let name = preset.rsplit_once('-').map_or(preset.as_str(), |(name, _)| name);
            curves.push(frontier::sweep(name, &self.temperatures, &key, draw, numbers)?);
            made.push(inputs::weights(&model));
        }
        let held_out = Numbers::of(&numbers(&frontier::reference(data, self.samples)?)?);
        let quantity = |model: &str| format!("least clear ({model}): cross-entropy at the lowest temperature − at 1");
        let moved = self.moved(&curves)?;
        let mut outcome = Outcome::worst_of(&moved, context.confidence, quantity, "nats/char", "samples")?;
        self.describe(context, &curves, &held_out, &mut outcome);
        outcome.made = made;
        Ok(outcome)
    }
}

impl TrainedFrontier {
    /// The cross-entropy of each model at the lowest temperature minus that at 1.
    fn moved(&self, curves: &[Curve]) -> Result<Vec<(String, Estimate)>, Error> {
        let Some(plain) = self.temperatures.iter().position(|&temperature| temperature == 1.0) else {
            return Err(Error::internal("the claim's temperatures leave out 1"));
        };
        let difference = |curve: &Curve| {
            let [cold, plain] = [0, plain].map(|point| curve.points[point].numbers.cross_entropy);
            // The samples are independent, and as many: Welch's degrees of freedom are at least n - 1.
            let standard_error = cold.standard_error.hypot(plain.standard_error);
            (curve.name.clone(), Estimate { value: cold.value - plain.value, standard_error, n: cold.n })
        };
        Ok(curves.iter().map(difference).collect())
    }

    fn describe(&self, context: &Context, curves: &[Curve], held_out: &Numbers, outcome: &mut Outcome) {
        let named = curves.iter().flat_map(|curve| {
            let name = |temperature| format!("{}, temperature {temperature}", curve.name);
            curve.points.iter().map(move |point| (name(point.temperature), &point.numbers))
        });
        for (name, numbers) in named.chain([("held-out text".to_owned(), held_out)]) {
            outcome.estimate_detail(format!("{name}: perplexity under the judge"), &numbers.perplexity, "1");
            outcome.estimate_detail(format!("{name}: unigram entropy"), &numbers.entropy, "nats");
        }
        let comparisons = frontier::compare(curves, REPLICATES, &Key::new(context.seed, "bootstrap of frontiers"));
        for pair in &comparisons {
            if let Some(mean) = pair.mean {
                let name = format!("{} − {} at equal entropy, mean", pair.a, pair.b);
                outcome.detail(name, mean.value, Some(mean.standard_error), "nats/char");
            }
        }
        let with_judge = |pair: &&frontier::Comparison| pair.b == curves[curves.len() - 1].name;
        let shown: Vec<frontier::Comparison> = comparisons.iter().filter(with_judge).cloned().collect();
        let caption = format!(
            "{} samples per point, {} steps where the sampler has steps, temperatures {} to {}; standard errors over \
             samples. On the right the differences from the last model, with the bootstrap's standard errors.",
            self.samples,
            self.steps,
            self.temperatures[0],
            self.temperatures[self.temperatures.len() - 1],
        );
        outcome.figures.push(frontier::figure(context.id, &caption, curves, Some(("held-out text", held_out)), &shown));
    }
}
