//! Check: the losses of another program against the exact numbers of a toy.

use std::collections::BTreeMap;
use std::f64::consts::LN_2;
use std::path::Path;

use elbow_arrays::NpzReader;
use elbow_impls::Weighting;
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::masked::{Enumeration, neg_elbo_of_each, weighted_loss_of_each};
use elbow_theory::{Alphabet, Toy};
use schemars::JsonSchema;

use super::super::prelude::*;
use super::{OwnCheck, faults, files, in_range, without_effect};
use crate::provenance;

/// The losses that another program computes on the sequences of a toy of masked diffusion with the toy's denoiser, against
/// the exact ones, in nats per sequence. The number is loss minus exact: the largest in size over the sequences for
/// expected losses, the mean over the data for draws and for a mean.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramLosses {
    /// The toy file (JSON), relative to the claim's file.
    toy: String,
    /// The file of losses, relative to the claim's file: JSON {"unit": "nats", "losses": {"00": 1.05, "01": [1.2, 0.7]}} or
    /// {"unit": "nats", "mean": 1.33, "standard_error": 0.01, "n": 1000}; or npz with sequences [n, length] and losses [n].
    losses: String,
    /// What the losses are.
    numbers: Numbers,
    /// The schedule by its name in `elbow theory masked`, or table:FILE [default: linear].
    schedule: Option<String>,
    /// T, the number of steps, 1 or more; without it the loss is that of continuous time.
    #[schemars(range(min = 1))]
    steps: Option<usize>,
    /// The weighting of the loss by its name in `elbow theory`, or table:FILE. With elbo it is the whole bound, with
    /// reconstruction and prior; with another one the reweighted loss in continuous time [default: elbo].
    weighting: Option<String>,
}

/// What the losses of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Numbers {
    /// The expected loss of each sequence over all noise.
    Expected,
    /// Losses under random noise, two or more of each sequence.
    Draws,
    /// The mean over the data, with its standard error.
    Mean,
}

/// The unit of losses.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    #[default]
    Nats,
    Bits,
}

/// A file of losses.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LossFile {
    #[serde(default)]
    unit: Unit,
    losses: Option<BTreeMap<String, OneOrMany>>,
    mean: Option<f64>,
    standard_error: Option<f64>,
    n: Option<u64>,
}

/// One loss of a sequence, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(f64),
    Many(Vec<f64>),
}

/// The form of the file, as errors say it.
const FORMAT: &str = "docs/claims.md has the form of the file";

impl OwnCheck for ProgramLosses {
    const NAME: &'static str = "program-losses";
    const FILES: &'static [&'static str] = &["toy.json", "losses.json"];
}

impl ProgramLosses {
    fn schedule(&self, context: &Context) -> Result<MaskedSchedule, Error> {
        context.tabled(self.schedule.as_deref().unwrap_or("linear")).parse()
    }

    fn weighting(&self, context: &Context) -> Result<Weighting, Error> {
        context.tabled(self.weighting.as_deref().unwrap_or("elbo")).parse()
    }

    fn check_steps(&self, context: &Context) -> Result<(), Error> {
        let Some(steps) = self.steps else { return Ok(()) };
        in_range("steps", steps, 1, 100_000)?;
        match self.weighting(context) {
            Ok(Weighting::Elbo) | Err(_) => Ok(()),
            Ok(_) => without_effect(&[("steps", true)], "a reweighted loss is one of continuous time"),
        }
    }

    /// The exact loss of each sequence of the toy's data, nats.
    fn exact(&self, context: &Context, toy: &Toy) -> Result<Vec<f64>, Error> {
        let (all, schedule) = (Enumeration::new(toy)?, self.schedule(context)?);
        Ok(match self.weighting(context)? {
            Weighting::Elbo => neg_elbo_of_each(&all, &schedule, self.steps),
            weighting => weighted_loss_of_each(&all, &schedule, &weighting),
        })
    }
}

impl Check for ProgramLosses {
    fn faults(&self, context: &Context) -> Vec<Error> {
        let toy = Toy::load(&context.beside(&self.toy), Alphabet::Masked).map_err(Error::from);
        let path = context.beside(&self.losses);
        let losses = match &toy {
            Ok(toy) => Losses::read(&path, toy, self.numbers).map(drop),
            Err(_) => provenance::file_input(&path).map(drop),
        };
        faults([
            toy.map(drop),
            losses,
            self.schedule(context).map(drop),
            self.weighting(context).map(drop),
            self.check_steps(context),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = [&self.toy, &self.losses]
            .map(|file| provenance::file_input(&context.beside(file)))
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let names = [&self.schedule, &self.weighting].into_iter().filter_map(|name| name.as_deref());
        inputs.extend(files::tables(context, names)?);
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        self.numbers != Numbers::Expected
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = Toy::load(&context.beside(&self.toy), Alphabet::Masked)?;
        let exact = self.exact(context, &toy)?;
        let mean: f64 = toy.outcomes.iter().zip(&exact).map(|((_, q), exact)| q * exact).sum();
        let mut outcome = Losses::read(&context.beside(&self.losses), &toy, self.numbers)?.compare(&toy, &exact, mean);
        outcome.detail("exact mean over the data", mean, None, "nats");
        Ok(outcome)
    }
}

/// The losses of a program, in nats.
enum Losses {
    /// One or more per outcome of the toy, in their order.
    PerOutcome(Numbers, Vec<Vec<f64>>),
    /// The mean over the data.
    Mean(Estimate),
}

impl Losses {
    /// Reads a file, and refuses one that does not hold what the claim says.
    fn read(path: &Path, toy: &Toy, numbers: Numbers) -> Result<Self, Error> {
        let bad = |what: String| Error::input(format!("{}: {what}", path.display()), FORMAT);
        let is_npz = path.extension().is_some_and(|ending| ending == "npz");
        let file = if is_npz { of_npz(path, toy)? } else { of_json(path)? };
        let nats = match file.unit {
            Unit::Nats => 1.0,
            Unit::Bits => LN_2,
        };
        let read = if numbers == Numbers::Mean {
            let (Some(value), Some(standard_error), Some(n @ 2..)) = (file.mean, file.standard_error, file.n) else {
                return Err(bad("no mean with standard_error and n of 2 or more".into()));
            };
            if standard_error < 0.0 {
                return Err(bad(format!("standard_error is {standard_error}")));
            }
            Self::Mean(Estimate { value, standard_error, n }.scaled(nats))
        } else {
            let mut losses = file.losses.ok_or_else(|| bad("no losses per sequence".into()))?;
            let mut of_outcome = |word: &[u8]| {
                let key: String = word.iter().map(|value| char::from(b'0' + value)).collect();
                let found = losses.remove(&key).ok_or_else(|| bad(format!("no loss of {key}")))?;
                let found = match found {
                    OneOrMany::One(loss) => vec![loss],
                    OneOrMany::Many(losses) => losses,
                };
                match (numbers, found.len()) {
                    (Numbers::Expected, 1) | (Numbers::Draws, 2..) => {
                        Ok(found.iter().map(|loss| nats * loss).collect())
                    }
                    (Numbers::Expected, n) => Err(bad(format!("{n} losses of {key}, not one"))),
                    (_, n) => Err(bad(format!("{n} draws of {key}: an error needs two or more"))),
                }
            };
            let found = toy.outcomes.iter().map(|(word, _)| of_outcome(word)).collect::<Result<_, _>>()?;
            if let Some(key) = losses.keys().next() {
                return Err(bad(format!("a loss of {key}, which the toy's data does not have")));
            }
            Self::PerOutcome(numbers, found)
        };
        Ok(read)
    }

    fn compare(&self, toy: &Toy, exact: &[f64], mean: f64) -> Outcome {
        let (numbers, losses) = match self {
            Self::Mean(found) => {
                let difference = Estimate { value: found.value - mean, ..*found };
                return Outcome::estimated("mean loss − exact", difference, "nats", "draws");
            }
            Self::PerOutcome(numbers, losses) => (*numbers, losses),
        };
        // The data's own weights: a mean over draws alone would carry the noise of which sequences were drawn.
        let of_each: Vec<Estimate> = losses.iter().map(|losses| Estimate::of(losses)).collect();
        let weighted = || toy.outcomes.iter().map(|(_, q)| *q).zip(&of_each).zip(exact);
        let difference: f64 = weighted().map(|((q, found), exact)| q * (found.value - exact)).sum();
        let mut outcome = if numbers == Numbers::Expected {
            let sizes = weighted().map(|((_, found), exact)| (found.value - exact).abs());
            Outcome::exact("largest |loss − exact|", largest(sizes), "nats").over(exact.len(), "sequences")
        } else {
            let variance: f64 = weighted().map(|((q, found), _)| (q * found.standard_error).powi(2)).sum();
            let n = of_each.iter().map(|found| found.n).sum();
            let found = Estimate { value: difference, standard_error: variance.sqrt(), n };
            Outcome::estimated("mean loss − exact", found, "nats", "draws")
        };
        for (((word, _), found), exact) in toy.outcomes.iter().zip(&of_each).zip(exact).take(20) {
            let key: String = word.iter().map(|value| char::from(b'0' + value)).collect();
            let error = (numbers == Numbers::Draws).then_some(found.standard_error);
            outcome.detail(format!("{key}: loss − exact"), found.value - exact, error, "nats");
        }
        outcome
    }
}

fn of_json(path: &Path) -> Result<LossFile, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
    serde_json::from_str(&text).map_err(|e| Error::input(format!("{}: {e}", path.display()), FORMAT))
}

/// Losses of single sequences, nats: `sequences` \[n, length\] and `losses` \[n\].
fn of_npz(path: &Path, toy: &Toy) -> Result<LossFile, Error> {
    let bad = |what: String| Error::input(format!("{}: {what}", path.display()), FORMAT);
    let mut archive = NpzReader::open(path)?;
    let (sequences, losses) = (archive.integers("sequences")?, archive.floats("losses")?);
    if sequences.shape != [losses.data.len(), toy.length] || losses.shape.len() != 1 {
        let what = format!("sequences {:?} and losses {:?}", sequences.shape, losses.shape);
        return Err(bad(format!("{what}, not [n, {}] and [n]", toy.length)));
    }
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (word, loss) in sequences.data.chunks(toy.length).zip(&losses.data) {
        if let Some(value) = word.iter().find(|value| !(0..toy.states as i64).contains(value)) {
            return Err(bad(format!("the value {value} is none of 0 to {}", toy.states - 1)));
        }
        found.entry(word.iter().map(i64::to_string).collect()).or_default().push(*loss);
    }
    let losses = found.into_iter().map(|(word, losses)| (word, OneOrMany::Many(losses))).collect();
    Ok(LossFile { losses: Some(losses), ..LossFile::default() })
}
