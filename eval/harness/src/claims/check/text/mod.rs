//! Check: models trained on texts.

mod judged;
mod models;
mod nucleus;

use std::collections::BTreeMap;

use impls::data::{Dataset, Split};
use impls::train::Settings;
use reports::record::Input;
use serde::Deserialize;

use super::independent::Independent;
use super::{Outcome, figure, ranking, run_inputs, trained_run, weights_of};
use crate::failure::Failure;
use crate::likelihood::{Bound, Estimate, Estimator};
use crate::provenance;
use crate::runs::Trained;
use crate::claims::context::{Check, Context};

/// Models of letters, trained on one text and evaluated on it and on another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    measure: Measure,
    /// Presets: `ar-shakespeare` is the judge of samples.
    presets: Vec<String>,
    /// Texts to train on and to evaluate on, each on each.
    texts: Vec<String>,
    /// Texts to evaluate on only.
    #[serde(default)]
    tests: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise for each window, and windows of each test split.
    draws: usize,
    windows: usize,
    /// Nucleus masses of the sampled texts.
    #[serde(default)]
    nuclei: Vec<f64>,
    /// Sampled texts for each mass.
    #[serde(default)]
    samples: usize,
    /// A text whose gaps `_` the first model fills, for the figure.
    infill: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The worst model's bound on its own text minus the cost of independent letters, paired over windows.
    WorstMinusLetters,
    /// The smallest loss of a model by going to the other text.
    ZeroShotLoss,
    /// Entropy of samples cut to the smallest nucleus minus that of the largest; the perplexity falls with it.
    NucleusEntropy,
}

/// One model on one text.
struct Cell {
    preset: String,
    trained: String,
    text: String,
    bound: Bound,
}

impl Texts {
    /// The preset's changes for a text.
    fn set_for(&self, text: &str) -> Vec<String> {
        self.set.iter().cloned().chain([format!("dataset={text}")]).collect()
    }

    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        let mut inputs = Vec::new();
        for text in &self.texts {
            for preset in &self.presets {
                inputs.extend(run_inputs(context, preset, &self.set_for(text))?);
            }
        }
        for (text, preset) in self.tests.iter().zip(self.presets.iter().cycle()) {
            let settings = Settings::resolve(preset, &self.set_for(text))?;
            inputs.push(provenance::data_input(context.open(&settings.data(Split::Test))?.as_ref()));
        }
        Ok(inputs)
    }

    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        match self.measure {
            Measure::NucleusEntropy => self.nucleus(context),
            _ => self.likelihood(context),
        }
    }

    fn likelihood(&self, context: &Context) -> Result<Outcome, Failure> {
        let mut cells = Vec::new();
        let mut made = Vec::new();
        for preset in &self.presets {
            for trained in &self.texts {
                let (model, _) = trained_run(context, preset, &self.set_for(trained))?;
                for text in self.texts.iter().chain(&self.tests) {
                    let data = self.test(context, &model, text)?;
                    let bound = model
                        .question(data.as_ref(), Estimator::Auto, self.draws, Some(self.windows), context.seed)
                        .answer(&context.device, context.bar.as_ref())?;
                    cells.push(Cell { preset: preset.clone(), trained: trained.clone(), text: text.clone(), bound });
                }
                made.push(weights_of(&model));
            }
        }
        let (letters, to_bits) = self.letters(context)?;
        let home = |cell: &&Cell| cell.trained == cell.text;
        let differences: Vec<(String, Estimate)> = match self.measure {
            Measure::WorstMinusLetters => cells
                .iter()
                .filter(home)
                .map(|cell| {
                    let pairs = cell.bound.per_sequence.iter().zip(&letters[&cell.text]);
                    let paired: Vec<f64> = pairs.map(|(a, b)| (a - b) * to_bits).collect();
                    (format!("{} on {}", cell.preset, cell.text), Estimate::of(&paired))
                })
                .collect(),
            _ => cells
                .iter()
                .filter(|cell| cell.trained != cell.text)
                .filter_map(|away| {
                    let same = |cell: &&Cell| cell.preset == away.preset && cell.text == away.text && home(cell);
                    let native = cells.iter().find(same)?;
                    let pairs = away.bound.per_sequence.iter().zip(&native.bound.per_sequence);
                    // Negative of the loss, so that the worst case of both measures is the largest number.
                    let paired: Vec<f64> = pairs.map(|(a, b)| (b - a) * to_bits).collect();
                    Some((format!("{} from {} to {}", away.preset, away.trained, away.text), Estimate::of(&paired)))
                })
                .collect(),
        };
        let quantity = |name: &str| match self.measure {
            Measure::WorstMinusLetters => format!("worst ({name}): bound − independent letters"),
            _ => format!("smallest loss ({name}): native − zero-shot bound"),
        };
        let mut outcome = Outcome::worst_of(&differences, quantity, "windows", "bits/char")?;
        let mut rows = Vec::new();
        for cell in &cells {
            let name = format!("{}, trained on {}, test of {}", implementation(&cell.preset), cell.trained, cell.text);
            let b = &cell.bound.bits_per_dim;
            outcome.detail(&name, b.value, Some(b.standard_error), "bits/char");
            let p = &cell.bound.perplexity;
            outcome.detail(format!("{name}: perplexity a letter"), p.value, Some(p.standard_error), "1");
            rows.push((format!("{}: {} → {}", implementation(&cell.preset), cell.trained, cell.text), *b));
        }
        for (text, costs) in &letters {
            let estimate = Estimate::of(costs).scaled(to_bits);
            outcome.detail(
                format!("independent letters of {text}"),
                estimate.value,
                Some(estimate.standard_error),
                "bits/char",
            );
            rows.push((format!("letters: {text} → {text}"), estimate));
        }
        outcome.made = made;
        if let Measure::WorstMinusLetters = self.measure {
            outcome.figures.push(self.models(context, &cells)?);
            return Ok(outcome);
        }
        outcome.figures.push(figure(
            "zero-shot",
            "Letters of one text, and of another",
            &format!(
                "Bound on {} held-out windows of each text in the 27-letter alphabet, every letter scored, after a short training \
                 on one of the texts (left of the arrow: trained on; right: tested on). Autoregressive numbers are likelihoods; \
                 masked ones are bounds by k-DCE with {} draws. Mean and standard error over windows; one training seed each.",
                self.windows, self.draws
            ),
            vec![ranking("", "bits/char", &rows)],
        ));
        Ok(outcome)
    }

    /// The test split of a text, in a model's alphabet and window.
    fn test(&self, context: &Context, model: &Trained, text: &str) -> Result<Box<dyn Dataset>, Failure> {
        let mut spec = model.settings.data(Split::Test);
        text.clone_into(&mut spec.set);
        let data = context.open(&spec)?;
        model.check_fits(data.as_ref())?;
        Ok(data)
    }

    /// Nats of each test window with independent letters (of the same text), and what makes them bits a letter.
    fn letters(&self, context: &Context) -> Result<(BTreeMap<String, Vec<f64>>, f64), Failure> {
        let preset = self.presets.first().ok_or_else(|| Failure::internal("the claim names no preset"))?;
        let mut costs = BTreeMap::new();
        let mut to_bits = 0.0;
        for text in &self.texts {
            let settings = Settings::resolve(preset, &self.set_for(text))?;
            let (train, test) =
                (context.open(&settings.data(Split::Train))?, context.open(&settings.data(Split::Test))?);
            to_bits = 1.0 / (test.length() as f64 * std::f64::consts::LN_2);
            let first: Vec<usize> = (0..self.windows.min(test.len())).collect();
            costs.insert(text.clone(), Independent::pooled(train.as_ref())?.nats(&test.select(&first)?));
        }
        Ok((costs, to_bits))
    }
}

/// `md4` of `md4-shakespeare`.
fn implementation(preset: &str) -> &str {
    preset.rsplit_once('-').map_or(preset, |(name, _)| name)
}
