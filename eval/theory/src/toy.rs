//! The toy file: a small discrete distribution and a denoiser, as JSON.

use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;

use elbow_base::Key;
use elbow_base::Tokens;
use elbow_base::key::categorical;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use elbow_base::Error;

/// Largest number of patterns, (states + 1)^length, that is enumerated: up to a gigabyte.
const MAX_PATTERNS: u64 = 4_000_000;
/// Largest number of ways to reveal any masks of any pattern, (2 states + 1)^length: about two seconds.
const MAX_REVEALS: u64 = 250_000_000;
/// How far a sum of probabilities may be from 1.
const SUM_TOLERANCE: f64 = 1e-9;

/// A checked toy.
#[derive(Clone, Debug)]
pub struct Toy {
    /// Data values V.
    pub states: usize,
    /// Tokens N.
    pub length: usize,
    /// Outcomes of positive probability, with it.
    pub outcomes: Vec<(Vec<u8>, f64)>,
    pub denoiser: DenoiserKind,
}

/// What the denoiser of a process sees in place of a corrupted token, hence the patterns that a table must list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Values and the mask: every pattern with at least one mask.
    Masked,
    /// Values only (uniform diffusion, any transition among the values): every pattern.
    Values,
}

/// Which denoiser is examined.
#[derive(Clone, Debug)]
pub enum DenoiserKind {
    /// The true posterior of each token.
    Exact,
    /// The uniform distribution.
    Uniform,
    /// The true posterior p, spoilt: (p + floor)^(1/temperature), normalised.
    Tempered { temperature: f64, floor: f64 },
    /// Given rows.
    Table(Vec<TableEntry>),
}

/// A pattern (mask = `states`) and, for each position, the probabilities of the values.
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
    Exact,
    Uniform,
    Tempered { temperature: f64, floor: f64 },
    Table { entries: Pairs<Vec<Vec<f64>>> },
}

/// The members of a JSON object in order, duplicates and all: a map would silently keep the last of two.
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
        serde_json::from_str(text).map_err(|e| {
            let hint = "see `elbow theory masked --help` for the format; JSON has no NaN and no Infinity";
            Error::input(format!("not a toy: {e}"), hint)
        })
    }
}

impl Toy {
    /// Reads and checks a toy file.
    pub fn load(path: &Path, alphabet: Alphabet) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::reading(path))?;
        Self::parse(&text, alphabet).map_err(|bad| bad.in_file(path))
    }

    /// The number of data values that a toy file says it has: it decides which transitions fit.
    pub fn states_of(path: &Path) -> Result<usize, Error> {
        let text = fs::read_to_string(path).map_err(Error::reading(path))?;
        Ok(ToyFile::parse(&text).map_err(|bad| bad.in_file(path))?.states)
    }

    /// Checks a toy file's text.
    pub fn parse(text: &str, alphabet: Alphabet) -> Result<Self, Error> {
        let file = ToyFile::parse(text)?;
        let (states, length) = (file.states, file.length);
        if !(1..=10).contains(&states) || length == 0 {
            let what = format!("states = {states}, length = {length}");
            return Err(Error::input(what, "states must be 1 to 10 and length at least 1"));
        }
        let limits = [(states + 1, MAX_PATTERNS, "patterns"), (2 * states + 1, MAX_REVEALS, "ways to reveal masks")];
        for (base, limit, counted) in limits {
            let count = (base as u64).checked_pow(length.min(64) as u32).unwrap_or(u64::MAX);
            if count > limit {
                let size = if count == u64::MAX { "more than 10^19".to_owned() } else { count.to_string() };
                let what = format!("too large to enumerate: {base}^{length} = {size} {counted}");
                let fix = format!("the limit is {limit}: use fewer states or a shorter length");
                return Err(Error::input(what, fix));
            }
        }
        let outcomes = outcomes(states, length, file.data)?;
        let denoiser = match file.denoiser {
            DenoiserFile::Exact => DenoiserKind::Exact,
            DenoiserFile::Uniform => DenoiserKind::Uniform,
            DenoiserFile::Tempered { temperature, floor } => {
                if !(temperature > 0.0 && temperature.is_finite() && floor >= 0.0 && floor.is_finite()) {
                    let what = format!("tempered denoiser: temperature {temperature}, floor {floor}");
                    return Err(Error::input(what, "temperature must be positive and floor not negative"));
                }
                DenoiserKind::Tempered { temperature, floor }
            }
            DenoiserFile::Table { entries } => DenoiserKind::Table(table(states, length, alphabet, entries)?),
        };
        Ok(Self { states, length, outcomes, denoiser })
    }
}

impl Toy {
    /// Independent draws.
    pub fn draw(&self, count: usize, key: &Key) -> Tokens {
        let mut rng = key.rng();
        let weights: Vec<f64> = self.outcomes.iter().map(|(_, p)| *p).collect();
        let ids = (0..count)
            .flat_map(|_| self.outcomes[categorical(&mut rng, &weights)].0.iter().map(|&d| u32::from(d)))
            .collect();
        Tokens::new(ids, self.length)
    }
}

/// The outcomes with positive probability.
fn outcomes(states: usize, length: usize, data: Pairs<f64>) -> Result<Vec<(Vec<u8>, f64)>, Error> {
    let mut seen = Seen::new(states, length);
    let mut outcomes = Vec::with_capacity(data.0.len());
    let mut total = 0.0;
    for (text, p) in data.0 {
        let word = digits(&text, states, length, false)?;
        if !seen.insert(&word) {
            return Err(Error::input(format!("data: {text:?} is listed twice"), "give each outcome one probability"));
        }
        if !(0.0..=1.0 + SUM_TOLERANCE).contains(&p) {
            return Err(Error::input(format!("data: {text:?} has probability {p}"), "it must lie in [0, 1]"));
        }
        total += p;
        if p > 0.0 {
            outcomes.push((word, p));
        }
    }
    if (total - 1.0).abs() > SUM_TOLERANCE {
        let what = format!("data: the probabilities sum to {total}");
        return Err(Error::input(what, format!("they must sum to 1 within {SUM_TOLERANCE:e}")));
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
            return Err(Error::input(
                format!("denoiser: pattern {text:?} has no '?'"),
                "remove it: nothing is masked there",
            ));
        }
        if !seen.insert(&pattern) {
            return Err(Error::input(format!("denoiser: pattern {text:?} is listed twice"), "keep one"));
        }
        if entry.len() != length {
            let what = format!("denoiser: pattern {text:?} has {} rows", entry.len());
            return Err(Error::input(what, format!("give one row for each of the {length} positions")));
        }
        for (position, row) in entry.iter().enumerate() {
            let total: f64 = row.iter().sum();
            let valid = row.len() == states && row.iter().all(|p| *p >= 0.0) && (total - 1.0).abs() <= SUM_TOLERANCE;
            if !valid {
                let what = format!("denoiser: pattern {text:?}, position {}: {row:?}", position + 1);
                return Err(Error::input(what, format!("a row is {states} probabilities that sum to 1")));
            }
        }
        rows.push((pattern, entry));
    }
    let (values, patterns) = (states.pow(length as u32), (states + 1).pow(length as u32));
    let needed = if masked { patterns - values } else { values };
    if rows.len() != needed {
        let missing = seen.first_missing(states, length, masked);
        let what = format!("denoiser: {} patterns of {needed}; {missing} is missing", rows.len());
        let fix = if masked { "list every pattern with at least one '?'" } else { "list every pattern of values" };
        return Err(Error::input(what, fix));
    }
    Ok(rows)
}

/// Which patterns a file has listed, by number in base `states` + 1.
struct Seen {
    base: usize,
    listed: Vec<bool>,
}

impl Seen {
    fn new(states: usize, length: usize) -> Self {
        Self { base: states + 1, listed: vec![false; (states + 1).pow(length as u32)] }
    }

    /// Whether the pattern is a new one.
    fn insert(&mut self, pattern: &[u8]) -> bool {
        let number = pattern.iter().fold(0, |number, &d| number * self.base + usize::from(d));
        !std::mem::replace(&mut self.listed[number], true)
    }

    /// The first pattern (with a mask, or of values only) that is not listed, as text.
    fn first_missing(&self, states: usize, length: usize, masked: bool) -> String {
        let digits = |number: usize| -> Vec<u8> {
            (0..length).rev().map(|place| (number / self.base.pow(place as u32) % self.base) as u8).collect()
        };
        let mut unlisted = (0..self.listed.len()).filter(|&number| !self.listed[number]).map(digits);
        let missing = unlisted.find(|pattern| pattern.contains(&(states as u8)) == masked);
        missing.map_or_else(String::new, |pattern| format!("{:?}", pattern_text(&pattern, states)))
    }
}

/// A pattern as it is written in a toy file, with `?` for the mask.
pub(super) fn pattern_text(pattern: &[u8], states: usize) -> String {
    pattern.iter().map(|&d| if d as usize == states { '?' } else { (b'0' + d) as char }).collect()
}

/// A word of digits below `states`, and `?` (the mask, value `states`) where that is allowed.
fn digits(text: &str, states: usize, length: usize, masks: bool) -> Result<Vec<u8>, Error> {
    let digit = |c: char| match c.to_digit(10) {
        Some(d) if (d as usize) < states => Ok(d as u8),
        None if masks && c == '?' => Ok(states as u8),
        _ => {
            let also = if masks { " and '?'" } else { "" };
            Err(Error::input(format!("{text:?}: unknown digit {c:?}"), format!("digits are 0 to {}{also}", states - 1)))
        }
    };
    let word = text.chars().map(digit).collect::<Result<Vec<u8>, _>>()?;
    if word.len() != length {
        return Err(Error::input(format!("{text:?} has {} digits", word.len()), format!("length is {length}")));
    }
    Ok(word)
}

/// p -> (p + floor)^(1/temperature), normalised.
pub(super) fn temper(row: &mut [f64], temperature: f64, floor: f64) {
    let normalise = |row: &mut [f64]| {
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= total);
    };
    row.iter_mut().for_each(|p| *p += floor);
    normalise(row);
    row.iter_mut().for_each(|p| *p = p.powf(1.0 / temperature));
    normalise(row);
}
