//! Sequences of tokens.

/// Equally long sequences of tokens, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u32>,
    length: usize,
}

impl Tokens {
    /// `ids` holds whole rows of `length` tokens.
    pub fn new(ids: Vec<u32>, length: usize) -> Self {
        assert!(length > 0 && ids.len().is_multiple_of(length), "{} ids in rows of {length}", ids.len());
        Self { ids, length }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.ids.len() / self.length
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tokens per sequence.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The sequences with these numbers.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self::new(self.ids[range.start * self.length..range.end * self.length].to_vec(), self.length)
    }

    /// Every token, row after row.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The sequences, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.ids.chunks(self.length)
    }
}
