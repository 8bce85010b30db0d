//! Data sets of token sequences behind one trait.

pub mod digits;
pub mod memory;

use burn::tensor::{Device, Int, Tensor, TensorData};

pub use digits::{Digits, Split};
pub use memory::InMemory;

/// Equally long sequences of tokens, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<u16>,
    length: usize,
}

impl Tokens {
    /// `ids` holds whole rows of `length` tokens.
    pub fn new(ids: Vec<u16>, length: usize) -> Self {
        assert!(length > 0 && ids.len().is_multiple_of(length), "{} ids in rows of {length}", ids.len());
        Self { ids, length }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.ids.len() / self.length
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tokens a sequence.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The sequences with these numbers.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self::new(self.ids[range.start * self.length..range.end * self.length].to_vec(), self.length)
    }

    pub fn rows(&self) -> impl Iterator<Item = &[u16]> {
        self.ids.chunks(self.length)
    }

    /// \[sequences, length\].
    pub fn to_tensor(&self, device: &Device) -> Tensor<2, Int> {
        let ids: Vec<i64> = self.ids.iter().map(|&id| i64::from(id)).collect();
        Tensor::from_data(TensorData::new(ids, [self.len(), self.length]), device)
    }
}

/// A finite set of equally long sequences over the values 0..V.
pub trait Dataset: Sync {
    /// Name with split: `digits:train`.
    fn name(&self) -> String;

    /// Number of data values V.
    fn values(&self) -> usize;

    /// Every sequence.
    fn tokens(&self) -> &Tokens;

    /// Height, width and channels where a sequence is an image.
    fn image(&self) -> Option<[usize; 3]>;

    /// SHA-256 of what was read, in hexadecimal.
    fn hash(&self) -> &str;

    /// The sequences with these indices, in this order.
    fn select(&self, indices: &[usize]) -> Tokens {
        let all = self.tokens();
        let ids = indices.iter().flat_map(|&i| &all.ids[i * all.length..(i + 1) * all.length]).copied().collect();
        Tokens::new(ids, all.length)
    }
}
