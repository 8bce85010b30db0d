//! Toys: a small discrete distribution and a denoiser, read from JSON.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::Path;

use elbow_base::key::categorical;
use elbow_base::{Key, Tokens};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::error::Error;
use crate::pattern_index::PatternIndex;

/// Largest number of patterns, (states + 1)^length, that is enumerated: up to a gigabyte of memory.
const MAX_PATTERNS: u64 = 5_000_000;
/// The form of a toy file.
const FORMAT: &str =
    r#"it holds {"states": V, "length": L, "data": {"00": 0.5, ...}, "denoiser": {"kind": "exact"}}; JSON has no NaN"#;
/// Temperatures whose powers of probabilities stay numbers.
const TEMPERATURES: RangeInclusive<f64> = 0.01..=1e6;
/// Tolerance of sums of probabilities against 1.
const SUM_TOLERANCE: f64 = 1e-9;

/// A discrete data distribution that can be enumerated, with the denoiser whose bounds are computed.
#[derive(Clone, Debug)]
pub struct Toy {
    /// Number of data values per token, V.
    pub states: usize,
    /// Tokens per sequence, L.
    pub length: usize,
    /// The sequences of positive probability, as values 0..V, and their probabilities.
    pub outcomes: Vec<(Vec<u8>, f64)>,
    /// The denoiser.
    pub denoiser: DenoiserKind,
}

/// The symbols that a denoiser can see, which decide the patterns that a table must list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Values and the mask: a table lists every pattern with at least one mask.
    Masked,
    /// Values only (uniform diffusion, any transition among the values): a table lists every pattern.
    Values,
}

/// The denoiser mu_theta of a toy.
#[derive(Clone, Debug)]
pub enum DenoiserKind {
    /// The exact posterior of each token.
    Exact,
    /// The uniform distribution.
    Uniform,
    /// The exact posterior p made worse: (p + floor)^(1/temperature), normalised.
    Tempered {
        /// Above 1 flattens the posterior, below 1 sharpens it.
        temperature: f64,
        /// Probability added to every value before normalisation.
        floor: f64,
    },
    /// Given rows, one entry per pattern.
    Table(Vec<TableEntry>),
}

/// A pattern (the mask is the symbol V) and the probabilities of the values per position, shape \[L\]\[V\].
pub type TableEntry = (Vec<u8>, Vec<Vec<f64>>);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ToyFile {
    states: usize,
    length: usize,
    data: Pairs<f64>,
    denoiser: DenoiserFile,
}

#[derive(serde::Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum DenoiserFile {
    // Without braces serde would ignore other keys here.
    Exact {},
    Uniform {},
    Tempered { temperature: f64, floor: f64 },
    Table { entries: Pairs<Vec<Vec<f64>>> },
}

/// The members of a JSON object in order, duplicates included: a map would silently keep the last of two.
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Pairs<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl ToyFile {
    fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|source| Error::Malformed { kind: "toy", source, format: FORMAT })
    }
}

impl Toy {
    /// Reads and checks a toy file.
    pub fn load(path: &Path, alphabet: Alphabet) -> Result<Self, Error> {
        Self::parse(&Error::read(path)?, alphabet).map_err(|error| error.in_file(path))
    }

    /// The number of data values V in a toy file's header, which decides the transitions that fit. Refuses sizes that
    /// are not enumerated.
    pub fn states_of(path: &Path) -> Result<usize, Error> {
        let header = |text: &str| {
            let file = ToyFile::parse(text)?;
            check_size(file.states, file.length).map(|()| file.states)
        };
        header(&Error::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Checks the text of a toy file.
    pub fn parse(text: &str, alphabet: Alphabet) -> Result<Self, Error> {
        let file = ToyFile::parse(text)?;
        let (states, length) = (file.states, file.length);
        check_size(states, length)?;
        let outcomes = outcomes(states, length, file.data)?;
        let denoiser = match file.denoiser {
            DenoiserFile::Exact {} => DenoiserKind::Exact,
            DenoiserFile::Uniform {} => DenoiserKind::Uniform,
            DenoiserFile::Tempered { temperature, floor } => {
                if !(TEMPERATURES.contains(&temperature) && (0.0..=1.0).contains(&floor)) {
                    let what = format!("tempered denoiser: temperature {temperature:?}, floor {floor:?}");
                    let rule = "temperature must lie in [0.01, 1e6], and floor, a probability, in [0, 1]";
                    return Err(Error::invalid(what, rule));
                }
                DenoiserKind::Tempered { temperature, floor }
            }
            DenoiserFile::Table { entries } => DenoiserKind::Table(table(states, length, alphabet, entries)?),
        };
        Ok(Self { states, length, outcomes, denoiser })
    }

    /// Refuses a toy, put together in code, whose sequences or table do not have its shape, or that is too large.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (states, length) = (self.states, self.length);
        check_size(states, length)?;
        let word = |word: &[u8], most: usize| word.len() == length && word.iter().all(|&d| usize::from(d) <= most);
        let entry = |(pattern, rows): &TableEntry| {
            word(pattern, states) && rows.len() == length && rows.iter().all(|row| row.len() == states)
        };
        let table = match &self.denoiser {
            DenoiserKind::Table(entries) => entries.iter().all(entry),
            _ => true,
        };
        if !table || !self.outcomes.iter().all(|(outcome, _)| word(outcome, states - 1)) {
            let what = format!("a sequence or a table that is not of {length} tokens of {states} values");
            return Err(Error::invalid(what, "give every outcome and every row of the table the toy's shape"));
        }
        Ok(())
    }

    /// `count` independent sequences from the data distribution; the key fixes them.
    pub fn draw(&self, count: usize, key: &Key) -> Tokens {
        let mut rng = key.rng();
        let weights: Vec<f64> = self.outcomes.iter().map(|(_, p)| *p).collect();
        let ids = (0..count)
            .flat_map(|_| self.outcomes[categorical(&mut rng, &weights)].0.iter().map(|&d| u32::from(d)))
            .collect();
        Tokens::new(ids, self.length)
    }
}

/// Refuses sizes that are not enumerated.
fn check_size(states: usize, length: usize) -> Result<(), Error> {
    if !(1..=10).contains(&states) || length == 0 {
        let what = format!("states = {states}, length = {length}");
        return Err(Error::invalid(what, "states must be 1 to 10 and length at least 1"));
    }
    let base = states as u64 + 1;
    let count = base.checked_pow(length.min(64) as u32).unwrap_or(u64::MAX);
    if count > MAX_PATTERNS {
        let size = if count == u64::MAX { "more than 10^19".to_owned() } else { count.to_string() };
        let what = format!("too large to enumerate: {base}^{length} = {size} patterns");
        return Err(Error::TooLarge { what, limit: MAX_PATTERNS });
    }
    Ok(())
}

/// The sequences of positive probability.
fn outcomes(states: usize, length: usize, data: Pairs<f64>) -> Result<Vec<(Vec<u8>, f64)>, Error> {
    let mut seen = Seen::new(states, length);
    let mut outcomes = Vec::with_capacity(data.0.len());
    let mut total = 0.0;
    for (text, p) in data.0 {
        let word = digits(&text, states, length, false)?;
        if !seen.insert(&word) {
            return Err(Error::invalid(format!("data: {text:?} is listed twice"), "give each outcome one probability"));
        }
        if !(0.0..=1.0 + SUM_TOLERANCE).contains(&p) {
            return Err(Error::invalid(format!("data: {text:?} has probability {p}"), "it must lie in [0, 1]"));
        }
        total += p;
        if p > 0.0 {
            outcomes.push((word, p));
        }
    }
    if (total - 1.0).abs() > SUM_TOLERANCE {
        let what = format!("data: the probabilities sum to {total}");
        return Err(Error::invalid(what, format!("they must sum to 1 within {SUM_TOLERANCE:e}")));
    }
    Ok(outcomes)
}

/// The rows of a table denoiser: every pattern of the alphabet exactly once, every row a distribution.
fn table(
    states: usize,
    length: usize,
    alphabet: Alphabet,
    entries: Pairs<Vec<Vec<f64>>>,
) -> Result<Vec<TableEntry>, Error> {
    let masked = alphabet == Alphabet::Masked;
    let mut seen = Seen::new(states, length);
    let mut rows = Vec::new();
    for (text, entry) in entries.0 {
        let pattern = digits(&text, states, length, masked)?;
        if masked && !pattern.contains(&(states as u8)) {
            return Err(Error::invalid(
                format!("denoiser: pattern {text:?} has no '?'"),
                "remove it: nothing is masked there",
            ));
        }
        if !seen.insert(&pattern) {
            return Err(Error::invalid(format!("denoiser: pattern {text:?} is listed twice"), "keep one"));
        }
        if entry.len() != length {
            let what = format!("denoiser: pattern {text:?} has {} rows", entry.len());
            return Err(Error::invalid(what, format!("give one row for each of the {length} positions")));
        }
        for (position, row) in entry.iter().enumerate() {
            let total: f64 = row.iter().sum();
            let valid = row.len() == states && row.iter().all(|p| *p >= 0.0) && (total - 1.0).abs() <= SUM_TOLERANCE;
            if !valid {
                let what = format!("denoiser: pattern {text:?}, position {}: {row:?}", position + 1);
                return Err(Error::invalid(what, format!("a row is {states} probabilities that sum to 1")));
            }
        }
        rows.push((pattern, entry));
    }
    let values = states.pow(length as u32);
    let needed = if masked { seen.listed.len() - values } else { values };
    if rows.len() != needed {
        let missing = seen.first_missing(masked);
        let what = format!("denoiser: {} patterns of {needed}; {missing} is missing", rows.len());
        let fix = if masked { "list every pattern with at least one '?'" } else { "list every pattern of values" };
        return Err(Error::invalid(what, fix));
    }
    Ok(rows)
}

/// The patterns that a file has listed so far.
struct Seen {
    index: PatternIndex,
    listed: Vec<bool>,
}

impl Seen {
    fn new(states: usize, length: usize) -> Self {
        let index = PatternIndex::with_mask(states, length);
        Self { listed: vec![false; index.count()], index }
    }

    /// Marks a pattern as listed; false if it was already.
    fn insert(&mut self, pattern: &[u8]) -> bool {
        let number = self.index.number(pattern.iter().map(|&digit| usize::from(digit)));
        !std::mem::replace(&mut self.listed[number], true)
    }

    /// The text of the first pattern, with a mask or of values only, that is not listed.
    fn first_missing(&self, masked: bool) -> String {
        let missing =
            (0..self.listed.len()).find(|&number| !self.listed[number] && (self.index.masks(number) > 0) == masked);
        let text = |number| self.index.digits(number).map(|digit| digit as u8).collect::<Vec<u8>>();
        missing.map_or_else(String::new, |number| format!("{:?}", pattern_text(&text(number), self.index.mask())))
    }
}

/// A pattern as it is written in a toy file, with `?` for the mask.
pub(crate) fn pattern_text(pattern: &[u8], states: usize) -> String {
    pattern.iter().map(|&d| if d as usize == states { '?' } else { (b'0' + d) as char }).collect()
}

/// The symbols of a text of digits below `states` and, with `masks`, of `?` for the mask.
fn digits(text: &str, states: usize, length: usize, masks: bool) -> Result<Vec<u8>, Error> {
    let digit = |c: char| match c.to_digit(10) {
        Some(d) if (d as usize) < states => Ok(d as u8),
        None if masks && c == '?' => Ok(states as u8),
        _ => {
            let also = if masks { " and '?'" } else { "" };
            Err(Error::invalid(
                format!("{text:?}: unknown digit {c:?}"),
                format!("digits are 0 to {}{also}", states - 1),
            ))
        }
    };
    let word = text.chars().map(digit).collect::<Result<Vec<u8>, _>>()?;
    if word.len() != length {
        return Err(Error::invalid(format!("{text:?} has {} digits", word.len()), format!("length is {length}")));
    }
    Ok(word)
}

/// Replaces a row of probabilities p by (p + floor)^(1/temperature), normalised.
pub(crate) fn temper(row: &mut [f64], temperature: f64, floor: f64) {
    let normalise = |row: &mut [f64]| {
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= total);
    };
    row.iter_mut().for_each(|p| *p += floor);
    normalise(row);
    row.iter_mut().for_each(|p| *p = p.powf(1.0 / temperature));
    normalise(row);
}
