//! A toy cut into blocks: an enumeration of each block given what comes before it.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::masked::Enumeration;
use crate::pattern_index::PatternIndex;
use crate::toy::{DenoiserKind, Toy};

/// A toy as a chain of blocks of K tokens, left to right.
pub struct BlockEnumeration {
    /// K, tokens per block.
    pub size: usize,
    /// Tokens per sequence.
    pub length: usize,
    /// For each block the sequences before it that the data have.
    pub(super) blocks: Vec<Vec<Context>>,
    /// The outcomes of the toy.
    pub(super) outcomes: Vec<Outcome>,
}

/// A block given the tokens before it.
pub(super) struct Context {
    /// q(x^<b), the probability of the tokens before it.
    pub probability: f64,
    /// q(x^b | x^<b), with the denoiser that sees x^<b before the block and masks after it.
    pub given: Enumeration,
}

/// A sequence of the data.
pub(super) struct Outcome {
    /// q(x).
    pub probability: f64,
    /// For each block the number of its context, and the number of the block among the context's outcomes.
    pub places: Vec<[usize; 2]>,
}

impl BlockEnumeration {
    /// The toy with its own denoiser in blocks of `size` tokens, a divisor of its length.
    pub fn new(toy: &Toy, size: usize) -> Result<Self, Error> {
        Self::of(toy, &Enumeration::new(toy)?, size)
    }

    /// The same with another denoiser, given as for [`Enumeration::with_probabilities`].
    pub fn with_probabilities(toy: &Toy, mu: &[f64], size: usize) -> Result<Self, Error> {
        Self::of(toy, &Enumeration::with_probabilities(toy, mu)?, size)
    }

    fn of(toy: &Toy, whole: &Enumeration, size: usize) -> Result<Self, Error> {
        if size == 0 || !toy.length.is_multiple_of(size) {
            let what = format!("blocks of {size} tokens in a toy of {}", toy.length);
            return Err(Error::invalid(what, "choose a divisor of the length"));
        }
        let mut outcomes: Vec<Outcome> =
            toy.outcomes.iter().map(|(_, p)| Outcome { probability: *p, places: Vec::new() }).collect();
        let mut blocks = Vec::new();
        for first in (0..toy.length).step_by(size) {
            let mut after: BTreeMap<&[u8], BTreeMap<&[u8], f64>> = BTreeMap::new();
            for (word, p) in &toy.outcomes {
                let block = &word[first..first + size];
                *after.entry(&word[..first]).or_default().entry(block).or_default() += p;
            }
            for (outcome, (word, _)) in outcomes.iter_mut().zip(&toy.outcomes) {
                let before = after.keys().position(|before| *before == &word[..first]);
                let block = after[&word[..first]].keys().position(|block| *block == &word[first..first + size]);
                outcome.places.extend(before.zip(block).map(|(before, block)| [before, block]));
            }
            let context = |(before, block): (&&[u8], &BTreeMap<&[u8], f64>)| Context::new(whole, before, block, size);
            blocks.push(after.iter().map(context).collect::<Result<Vec<_>, Error>>()?);
        }
        Ok(Self { size, length: toy.length, blocks, outcomes })
    }

    /// Number of data values per token, V.
    pub fn states(&self) -> usize {
        self.blocks[0][0].given.states()
    }

    /// The expectation over what comes before of the sum over blocks of `value`.
    pub(super) fn sum(&self, value: impl Fn(&Enumeration) -> f64) -> f64 {
        self.contexts().map(|context| context.probability * value(&context.given)).sum()
    }

    /// The same of several numbers.
    pub(super) fn sums(&self, values: impl Fn(&Enumeration) -> Vec<f64>) -> Vec<f64> {
        let mut sums: Vec<f64> = Vec::new();
        for context in self.contexts() {
            let values = values(&context.given);
            sums.resize(values.len(), 0.0);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += context.probability * value);
        }
        sums
    }

    pub(super) fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.blocks.iter().flatten()
    }
}

impl Context {
    /// The block whose words after `before` have these joint probabilities.
    fn new(whole: &Enumeration, before: &[u8], words: &BTreeMap<&[u8], f64>, size: usize) -> Result<Self, Error> {
        let (states, probability) = (whole.states(), words.values().sum::<f64>());
        let outcomes = words.iter().map(|(word, p)| (word.to_vec(), p / probability)).collect();
        let toy = Toy { states, length: size, outcomes, denoiser: DenoiserKind::Exact };
        let index = PatternIndex::with_mask(states, size);
        let masks = whole.length() - before.len() - size;
        let mu_of = |pattern: usize| {
            let digits = before.iter().map(|&d| usize::from(d)).chain(index.digits(pattern));
            let z = whole.index().number(digits.chain(std::iter::repeat_n(states, masks)));
            // Rows of visible positions are not read.
            let mu = |n: usize, v: usize| {
                if index.is_masked(pattern, n) { whole.mu(z, before.len() + n, v) } else { 1.0 }
            };
            (0..size * states).map(|at| mu(at / states, at % states)).collect::<Vec<f64>>()
        };
        let mu: Vec<f64> = (0..index.count()).flat_map(mu_of).collect();
        Ok(Self { probability, given: Enumeration::with_probabilities(&toy, &mu)? })
    }
}
