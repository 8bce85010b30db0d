//! Check: models trained on texts.

mod generative_perplexity;
mod models;
mod nucleus;

use std::collections::BTreeMap;

use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::Settings;

use super::independent_pixels_baseline::IndependentBaseline;
use super::prelude::*;
use crate::likelihood::Bound;
use crate::provenance;
use crate::runs::Trained;

/// Models of letters, trained on one text and evaluated on it and on another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    measure: Measure,
    /// Presets: `ar-shakespeare` is the judge of samples.
    presets: Vec<String>,
    /// Texts to train on and to evaluate on; every model is evaluated on all of them.
    texts: Vec<String>,
    /// Texts to evaluate on only.
    #[serde(default)]
    tests: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise per window, and windows per test split.
    draws: usize,
    windows: usize,
    /// Nucleus masses of the sampled texts.
    #[serde(default)]
    nuclei: Vec<f64>,
    /// Sampled texts per mass.
    #[serde(default)]
    samples: usize,
    /// A text whose gaps `_` are filled by the first model, for the figure.
    infill: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The worst model's bound on its own text minus the cost of independent letters, paired over windows.
    WorstMinusLetters,
    /// The smallest loss of a model on the other text against a model trained on that text.
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

impl Cell {
    /// Whether the model was trained on the text.
    fn is_at_home(&self) -> bool {
        self.trained == self.text
    }
}

impl Check for Texts {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        for text in &self.texts {
            inputs.extend(inputs::presets(context, &self.presets, &self.set_for(text))?);
        }
        for (text, preset) in self.tests.iter().zip(self.presets.iter().cycle()) {
            let settings = Settings::resolve(preset, &self.set_for(text))?;
            inputs.push(provenance::data_input(context.open(&settings.data(Split::Test))?.as_ref()));
        }
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        match self.measure {
            Measure::NucleusEntropy => self.nucleus(context),
            _ => self.likelihood(context),
        }
    }
}

impl Texts {
    /// The preset's changes for a text.
    fn set_for(&self, text: &str) -> Vec<String> {
        self.set.iter().cloned().chain([format!("dataset={text}")]).collect()
    }

    fn likelihood(&self, context: &Context) -> Result<Outcome, Error> {
        let (cells, made) = self.cells(context)?;
        let (letters, length) = self.letters(context)?;
        let (differences, quantity): (_, fn(&str) -> String) = match self.measure {
            Measure::WorstMinusLetters => {
                (at_home(&cells, &letters), |name| format!("worst ({name}): bound − independent letters"))
            }
            _ => (away(&cells), |name| format!("smallest loss ({name}): native − zero-shot bound")),
        };
        let mut outcome = Outcome::worst_of(&differences, context.confidence, quantity, "bits/char", "windows")?;
        let mut rows = Vec::new();
        for Cell { preset, trained, text, bound } in &cells {
            let implementation = implementation(preset);
            let name = format!("{implementation}, trained on {trained}, test of {text}");
            outcome.estimate_detail(&name, &bound.bits_per_dim, "bits/char");
            outcome.estimate_detail(format!("{name}: perplexity per letter"), &bound.perplexity, "1");
            rows.push((format!("{implementation}: {trained} → {text}"), bound.bits_per_dim));
        }
        for (text, costs) in &letters {
            let estimate = Estimate::of(costs).bits_per(length);
            outcome.estimate_detail(format!("independent letters of {text}"), &estimate, "bits/char");
            rows.push((format!("letters: {text} → {text}"), estimate));
        }
        outcome.made = made;
        let figure = match self.measure {
            Measure::WorstMinusLetters => self.models(context, &cells)?,
            _ => self.zero_shot(&rows),
        };
        outcome.figures.push(figure);
        Ok(outcome)
    }

    /// The bound of every model on every text, and the weights of the models.
    fn cells(&self, context: &Context) -> Result<(Vec<Cell>, Vec<Input>), Error> {
        let (mut cells, mut made) = (Vec::new(), Vec::new());
        for preset in &self.presets {
            for trained in &self.texts {
                let model = context.trained(preset, &self.set_for(trained))?;
                for text in self.texts.iter().chain(&self.tests) {
                    let data = self.test(context, &model, text)?;
                    let bound = context.bound(&model, data.as_ref(), self.draws, Some(self.windows))?;
                    cells.push(Cell { preset: preset.clone(), trained: trained.clone(), text: text.clone(), bound });
                }
                made.push(inputs::weights(&model));
            }
        }
        Ok((cells, made))
    }

    fn zero_shot(&self, rows: &[(String, Estimate)]) -> Figure {
        figure(
            "zero-shot",
            "Letters of one text, and of another",
            &format!(
                "Bound on {} held-out windows of each text in the 27-letter alphabet, every letter scored, after a short training \
                 on one of the texts (left of the arrow: trained on; right: tested on). Autoregressive numbers are likelihoods; \
                 masked ones are bounds by k-DCE with {} draws. Mean and standard error over windows; one training seed each.",
                self.windows, self.draws
            ),
            vec![ranking("", "bits/char", rows)],
        )
    }

    /// The test split of a text, in a model's alphabet and window.
    fn test(&self, context: &Context, model: &Trained, text: &str) -> Result<Box<dyn Dataset>, Error> {
        let mut spec = model.settings.data(Split::Test);
        text.clone_into(&mut spec.set);
        let data = context.open(&spec)?;
        model.check_fits(data.as_ref())?;
        Ok(data)
    }

    /// Nats of each test window with independent letters of the same text, by text, and the letters of a window.
    fn letters(&self, context: &Context) -> Result<(BTreeMap<String, Vec<f64>>, usize), Error> {
        let preset = self.presets.first().ok_or_else(|| Error::internal("the claim names no preset"))?;
        let (mut costs, mut length) = (BTreeMap::new(), 0);
        for text in &self.texts {
            let settings = Settings::resolve(preset, &self.set_for(text))?;
            let (train, test) =
                (context.open(&settings.data(Split::Train))?, context.open(&settings.data(Split::Test))?);
            length = test.length();
            let first: Vec<usize> = (0..self.windows.min(test.len())).collect();
            costs.insert(text.clone(), IndependentBaseline::pooled(train.as_ref())?.nats(&test.select(&first)?));
        }
        Ok((costs, length))
    }
}

/// Each model's bound on its own text minus the cost of independent letters, bits per letter.
fn at_home(cells: &[Cell], letters: &BTreeMap<String, Vec<f64>>) -> Vec<(String, Estimate)> {
    let difference = |cell: &Cell| {
        let paired = paired_bits(&cell.bound.per_sequence, &letters[&cell.text], cell.bound.dims);
        (format!("{} on {}", cell.preset, cell.text), paired)
    };
    cells.iter().filter(|cell| cell.is_at_home()).map(difference).collect()
}

/// The bound of a model trained on each text minus that of a model trained on the other one, bits per letter: the
/// negative of the loss, so that the worst case is the largest number.
fn away(cells: &[Cell]) -> Vec<(String, Estimate)> {
    let difference = |away: &Cell| {
        let is_native = |cell: &&Cell| cell.preset == away.preset && cell.text == away.text && cell.is_at_home();
        let native = cells.iter().find(is_native)?;
        let paired = paired_bits(&native.bound.per_sequence, &away.bound.per_sequence, away.bound.dims);
        Some((format!("{} from {} to {}", away.preset, away.trained, away.text), paired))
    };
    cells.iter().filter(|cell| !cell.is_at_home()).filter_map(difference).collect()
}

/// `md4` of `md4-shakespeare`.
fn implementation(preset: &str) -> &str {
    preset.rsplit_once('-').map_or(preset, |(name, _)| name)
}
