//! The state of a sampler of tokens: the sequences being drawn.

use rand_chacha::ChaCha8Rng;

use crate::data::Tokens;
use crate::key::{Key, categorical};
pub use crate::predictor::{Predictor, TokenPredictions, time_of_mask_rate};

/// Sequences being drawn: the state of a sampler of tokens.
///
/// Each has its own stream of random numbers, so that its law and its numbers do not depend on how many are drawn beside it.
pub struct TokenState {
    /// z, row after row; the mask has the id V.
    pub z: Vec<u32>,
    /// Tokens per row.
    pub length: usize,
    /// V, the mask's id.
    pub mask: u32,
    /// One stream of random numbers per row.
    pub rngs: Vec<ChaCha8Rng>,
}

impl TokenState {
    /// `count` sequences of `length` masks.
    pub fn all_masks(count: usize, length: usize, mask: usize, key: &Key) -> Self {
        let rngs = (0..count).map(|i| key.fold(i as u64).rng()).collect();
        Self { z: vec![mask as u32; count * length], length, mask: mask as u32, rngs }
    }

    /// Infilling: the state with some tokens known. `known` holds one entry per position for each of the first
    /// sequences, and begins again for the rest; samplers of masked diffusion only ever change masks, so that known
    /// tokens stay.
    pub fn with_known(mut self, known: &[Vec<Option<u32>>]) -> Self {
        for (row, known) in self.z.chunks_mut(self.length).zip(known.iter().cycle()) {
            for (token, known) in row.iter_mut().zip(known) {
                *token = known.unwrap_or(*token);
            }
        }
        self
    }

    /// Number of sequences.
    pub fn rows(&self) -> usize {
        self.rngs.len()
    }

    /// One sequence.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.z[row * self.length..(row + 1) * self.length]
    }

    /// Positions of a sequence that are still masked.
    pub fn masked(&self, row: usize) -> Vec<usize> {
        (0..self.length).filter(|&n| self.row(row)[n] == self.mask).collect()
    }

    /// The masked positions of every sequence.
    pub fn all_masked(&self) -> Vec<Vec<usize>> {
        (0..self.rows()).map(|row| self.masked(row)).collect()
    }

    /// Writes a token.
    pub fn set(&mut self, row: usize, position: usize, token: u32) {
        self.z[row * self.length + position] = token;
    }

    /// Draws a value with these probabilities and writes it.
    pub fn draw(&mut self, row: usize, position: usize, probabilities: &[f64]) {
        let token = categorical(&mut self.rngs[row], probabilities) as u32;
        self.set(row, position, token);
    }
}

/// Finished sequences, with the network evaluations that they took.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The sequences.
    pub tokens: Tokens,
    /// Class of each sequence, counted from 0; empty without classes.
    pub classes: Vec<u32>,
    /// Network evaluations per sequence (NFE). A guided evaluation counts twice: it runs the network twice.
    pub evaluations: Vec<u64>,
    /// Calls of the network, each over the sequences that needed one.
    pub network_calls: u64,
}

impl Samples {
    /// Mean number of network evaluations per sequence.
    pub fn nfe(&self) -> f64 {
        self.evaluations.iter().sum::<u64>() as f64 / self.evaluations.len() as f64
    }
}
