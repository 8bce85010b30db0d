//! A data set in memory, such as draws from a known distribution for checks against exact numbers.

use super::{DataShape, Dataset, Tokens};
use crate::error::Result;
use crate::hash::sha256;

/// Sequences held in memory.
#[derive(Clone)]
pub struct InMemory {
    name: String,
    values: usize,
    tokens: Tokens,
    labels: Vec<u32>,
    classes: usize,
    hash: String,
}

impl InMemory {
    /// `tokens` over the values 0..`values`, without labels.
    pub fn new(name: &str, values: usize, tokens: Tokens) -> Self {
        let hash = sha256(&little_endian(tokens.ids()));
        Self { name: name.to_owned(), values, tokens, labels: Vec::new(), classes: 0, hash }
    }

    /// With a class 0..`classes` for each sequence; they enter the hash.
    pub fn with_labels(self, labels: Vec<u32>, classes: usize) -> Self {
        assert_eq!(labels.len(), self.tokens.len(), "a label for each sequence");
        assert!(labels.iter().all(|&label| (label as usize) < classes), "labels below {classes}");
        let hash = super::file::combine([self.hash, sha256(&little_endian(&labels))]);
        Self { labels, classes, hash, ..self }
    }
}

fn little_endian(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

impl Dataset for InMemory {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> DataShape {
        DataShape { values: self.values, length: self.tokens.length(), classes: self.classes, image: None }
    }

    fn len(&self) -> usize {
        self.tokens.len()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let length = self.tokens.length();
        let rows = indices.iter().flat_map(|&i| &self.tokens.ids()[i * length..(i + 1) * length]);
        Ok(Tokens::new(rows.copied().collect(), length))
    }

    fn labels(&self, indices: &[usize]) -> Vec<u32> {
        match self.classes {
            0 => Vec::new(),
            _ => indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
