//! Check: the law of the sequences that a sampler draws on a user's toy.

use std::path::Path;

use elbow_arrays::{NpzReader, Rows};
use elbow_impls::Key;
use elbow_impls::any_order::first_hitting;
use elbow_impls::md4::{Grid, ancestral};
use elbow_impls::sampler_state::{Predictor, TokenState};
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::masked::Enumeration;
use elbow_theory::masked::sampler_law::{any_order_law, sampler_law};
use elbow_theory::{Alphabet, Toy};
use schemars::JsonSchema;

use super::super::prelude::*;
use super::{OwnCheck, faults, files, in_range, without_effect};
use crate::denoisers::table_denoiser;
use crate::provenance;

/// The law of the sequences that a sampler of masked diffusion draws on a toy, against an exact law: the mean over blocks
/// of draws of Pearson's chi-square per degree of freedom, which is 1 where they are the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplerLaw {
    /// The toy file (JSON), relative to the claim's file. Its denoiser is the sampler's.
    toy: String,
    /// The exact law.
    law: Law,
    /// Law ancestral: the schedule by its name in `elbow theory masked`, or table:FILE [default: linear].
    schedule: Option<String>,
    /// Law ancestral: the placement of the steps, uniform or cosine [default: uniform].
    grid: Option<String>,
    /// Law ancestral: T, the number of steps, 1 or more.
    #[schemars(range(min = 1))]
    steps: Option<usize>,
    /// Sequences that your own sampler drew, independent of each other: npy or npz (one array) of values [n, length], or a
    /// text with one sequence of digits per line. Without it elbow's own sampler draws.
    draws: Option<String>,
    /// Disjoint blocks of draws, over which the error is, 2 or more.
    #[serde(default = "usual_blocks")]
    #[schemars(range(min = 2))]
    blocks: usize,
    /// Sequences per block where elbow draws, 10 or more [default: 1000].
    #[schemars(range(min = 10))]
    block_size: Option<usize>,
}

fn usual_blocks() -> usize {
    20
}

/// An exact law of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Law {
    /// The data of the toy; needs draws.
    Data,
    /// Ancestral sampling in T steps.
    Ancestral,
    /// One token per step in a uniformly random order, as first hitting draws.
    AnyOrder,
}

/// The probability that is given to all impossible sequences together, so that drawing one is refuted and has a number.
const IMPOSSIBLE: f64 = 1e-9;

/// The largest number of blocks and of sequences per block.
const MOST: usize = 1_000_000;

impl OwnCheck for SamplerLaw {
    const NAME: &'static str = "sampler-law";
    const EXAMPLE: &'static str = "law-of-sampler";
    const FILES: &'static [&'static str] = &["toy.json"];
}

impl SamplerLaw {
    fn schedule(&self, context: &Context) -> Result<MaskedSchedule, Error> {
        context.tabled(self.schedule.as_deref().unwrap_or("linear")).parse()
    }

    fn grid(&self) -> Result<Grid, Error> {
        Ok(self.grid.as_deref().unwrap_or("uniform").parse()?)
    }

    fn check_steps(&self) -> Result<(), Error> {
        let keys =
            [("steps", self.steps.is_some()), ("schedule", self.schedule.is_some()), ("grid", self.grid.is_some())];
        match (self.law, self.steps) {
            (Law::Ancestral, Some(steps)) => in_range("steps", steps, 1, 100_000),
            (Law::Ancestral, None) => Err(Error::input("no steps", "write the sampler's number of steps: steps = 4")),
            _ => without_effect(&keys, "it is one of law = \"ancestral\""),
        }
    }

    fn check_draws(&self, context: &Context) -> Result<(), Error> {
        match &self.draws {
            Some(file) => {
                without_effect(&[("block_size", self.block_size.is_some())], "the draws are those of the file")?;
                provenance::file_input(&context.beside(file)).map(drop)
            }
            None if self.law == Law::Data => {
                Err(Error::input("no draws", "elbow has no sampler of this law: name a file, draws = \"FILE\""))
            }
            None => in_range("block_size", self.block_size.unwrap_or(1000), 10, MOST),
        }
    }

    /// The probability of every pattern.
    fn law(&self, context: &Context, toy: &Toy, all: &Enumeration) -> Result<Vec<f64>, Error> {
        Ok(match self.law {
            Law::Data => {
                let mut law = vec![0.0; all.patterns()];
                toy.outcomes.iter().for_each(|(word, q)| law[number(all, word)] = *q);
                law
            }
            Law::AnyOrder => any_order_law(all),
            Law::Ancestral => {
                all.check_walked()?;
                let (grid, steps) = (self.grid()?, self.steps.unwrap_or(1));
                let times: Vec<f64> = (0..=steps).map(|i| grid.time(i, steps)).collect();
                sampler_law(all, &self.schedule(context)?, &times)
            }
        })
    }

    /// The number of draws of every pattern, per block.
    fn counts(&self, context: &Context, toy: &Toy, all: &Enumeration) -> Result<Vec<Vec<usize>>, Error> {
        let mut blocks = vec![vec![0; all.patterns()]; self.blocks];
        if let Some(file) = &self.draws {
            let path = context.beside(file);
            let drawn = sequences(&path, toy)?;
            if drawn.len() < 10 * self.blocks {
                let what = format!("{}: {} sequences for {} blocks", path.display(), drawn.len(), self.blocks);
                return Err(Error::input(what, "draw ten or more per block"));
            }
            // A remainder that fills no block of the same size is left out.
            let size = drawn.len() / self.blocks;
            for (counts, block) in blocks.iter_mut().zip(drawn.chunks(size)) {
                block.iter().for_each(|word| counts[number(all, word)] += 1);
            }
            return Ok(blocks);
        }
        let (table, size) = (table_denoiser(all, &context.device), self.block_size.unwrap_or(1000));
        context.bar.start(self.blocks as u64, "sequences");
        for (block, counts) in blocks.iter_mut().enumerate() {
            let key = Key::new(context.seed, "law of a sampler").fold(block as u64);
            let state = TokenState::all_masks(size, toy.length, toy.states, &key);
            let predictor = Predictor::new(&table, &context.device);
            let drawn = match self.law {
                Law::Ancestral => {
                    let schedule = self.schedule(context)?;
                    ancestral(predictor, &schedule, self.grid()?, self.steps.unwrap_or(1), state)?
                }
                _ => first_hitting(predictor, state)?,
            };
            drawn.tokens.rows().for_each(|row| counts[all.number(row)] += 1);
            context.bar.advance(1);
        }
        context.bar.finish();
        Ok(blocks)
    }
}

impl Check for SamplerLaw {
    fn faults(&self, context: &Context) -> Vec<Error> {
        faults([
            Toy::load(&context.beside(&self.toy), Alphabet::Masked).map(drop).map_err(Error::from),
            self.schedule(context).map(drop),
            self.grid().map(drop),
            self.check_steps(),
            self.check_draws(context),
            in_range("blocks", self.blocks, 2, MOST),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = vec![provenance::file_input(&context.beside(&self.toy))?];
        inputs.extend(files::tables(context, self.schedule.as_deref())?);
        let draws = self.draws.iter().map(|file| provenance::file_input(&context.beside(file)));
        inputs.extend(draws.collect::<Result<Vec<_>, _>>()?);
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = Toy::load(&context.beside(&self.toy), Alphabet::Masked)?;
        let all = Enumeration::new(&toy)?;
        let law = self.law(context, &toy, &all)?;
        let blocks = self.counts(context, &toy, &all)?;
        let size: usize = blocks[0].iter().sum();
        let possible =
            |counts: &Vec<usize>| -> usize { counts.iter().zip(&law).filter(|(_, p)| **p > 0.0).map(|(n, _)| n).sum() };
        let impossible: usize = blocks.iter().map(|counts| size - possible(counts)).sum();
        let name = "mean χ² per degree of freedom";
        let mut outcome = if impossible > 0 {
            let degrees = law.iter().filter(|p| **p > 0.0).count() as f64;
            let expected = (size * blocks.len()) as f64 * IMPOSSIBLE;
            let quantity = format!("χ² per degree of freedom, with probability {IMPOSSIBLE:e} for the impossible");
            Outcome::exact(&quantity, (impossible as f64 - expected).powi(2) / expected / degrees, "1")
                .over(size * blocks.len(), "sequences")
        } else {
            let scores: Vec<f64> = blocks.iter().map(|counts| chi_square(counts, &law)).collect();
            Outcome::estimated(name, Estimate::of(&scores), "1", &format!("blocks of {size} sequences"))
        };
        outcome.detail("sequences that the law gives probability 0", impossible as f64, None, "1");
        let total = (size * blocks.len()) as f64;
        let share = |z: usize| blocks.iter().map(|counts| counts[z]).sum::<usize>() as f64 / total;
        let distance: f64 = law.iter().enumerate().map(|(z, p)| (share(z) - p).abs()).sum::<f64>() / 2.0;
        outcome.detail("total variation between shares and law", distance, None, "1");
        Ok(outcome)
    }
}

/// The number of a sequence without masks.
fn number(all: &Enumeration, word: &[u8]) -> usize {
    all.number(&word.iter().map(|&value| u32::from(value)).collect::<Vec<_>>())
}

/// The sequences of a file: an array \[n, length\] of values, or a text with one sequence of digits per line.
fn sequences(path: &Path, toy: &Toy) -> Result<Vec<Vec<u8>>, Error> {
    let bad = |what: String| {
        let fix = format!("give sequences of {} values below {}", toy.length, toy.states);
        Error::input(format!("{}: {what}", path.display()), fix)
    };
    let valid = |row: usize, word: Vec<f64>| -> Result<Vec<u8>, Error> {
        let wrong =
            word.len() != toy.length || word.iter().any(|v| v.fract() != 0.0 || !(0.0..toy.states as f64).contains(v));
        if wrong {
            Err(bad(format!("sequence {} is {word:?}", row + 1)))
        } else {
            Ok(word.iter().map(|v| *v as u8).collect())
        }
    };
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let rows = match ending {
        "npy" => Rows::open_npy(path)?,
        "npz" => {
            let mut archive = NpzReader::open(path)?;
            let names = archive.names();
            let [name] = names.as_slice() else { return Err(bad(format!("{} arrays, not one", names.len()))) };
            archive.rows(name)?
        }
        _ => {
            let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
            let digits = |line: &str| line.trim().chars().map(|c| c.to_digit(10).map_or(f64::NAN, f64::from)).collect();
            let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
            return lines.map(|(row, line)| valid(row, digits(line))).collect();
        }
    };
    let count = rows.shape().first().copied().unwrap_or(0);
    (0..count).map(|row| valid(row, rows.numbers(row)?)).collect()
}
