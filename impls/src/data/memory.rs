//! A data set made in memory: draws from a known distribution, for checks against exact numbers.

use sha2::{Digest, Sha256};

use super::{Dataset, Tokens};

/// Sequences held in memory.
pub struct InMemory {
    name: String,
    values: usize,
    tokens: Tokens,
    hash: String,
}

impl InMemory {
    pub fn new(name: &str, values: usize, tokens: Tokens) -> Self {
        let mut hash = Sha256::new();
        for row in tokens.rows() {
            for id in row {
                hash.update(id.to_le_bytes());
            }
        }
        Self { name: name.to_owned(), values, tokens, hash: crate::hash::hex(&hash.finalize()) }
    }
}

impl Dataset for InMemory {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn values(&self) -> usize {
        self.values
    }

    fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    fn image(&self) -> Option<[usize; 3]> {
        None
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
