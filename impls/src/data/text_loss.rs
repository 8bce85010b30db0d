//! What is lost of a text: decode(encode(text)) against the text.

use serde::{Deserialize, Serialize};

/// What the tokens of a text do not give back. Their code length is then none of the text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextLoss {
    /// At least this share of the bytes is lost, changed or put in: the difference of the counts of each byte. 0 where the
    /// same bytes come back in another order.
    pub share: f64,
    /// Tokens that stand for text that the vocabulary does not have.
    pub unknown_tokens: u64,
}

/// A comparison of a text with what its tokens give back, piece by piece.
#[derive(Default)]
pub(super) struct Comparison {
    differs: bool,
    changed: u64,
    bytes: u64,
    unknown: u64,
}

impl Comparison {
    /// Adds a piece, what its known tokens give back, and the number of unknown ones.
    pub fn add(&mut self, original: &[u8], again: &[u8], unknown: u64) {
        self.bytes += original.len() as u64;
        self.unknown += unknown;
        if original != again || unknown > 0 {
            self.differs = true;
            let mut counts = [0i64; 256];
            original.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            again.iter().for_each(|&byte| counts[usize::from(byte)] -= 1);
            let lost: i64 = counts.iter().filter(|count| **count > 0).sum();
            let added: i64 = -counts.iter().filter(|count| **count < 0).sum::<i64>();
            self.changed += lost.max(added).unsigned_abs();
        }
    }

    /// The loss, where there is one.
    pub fn loss(&self) -> Option<TextLoss> {
        // What is put in may be longer than the text.
        let share = (self.changed as f64 / self.bytes.max(1) as f64).min(1.0);
        self.differs.then_some(TextLoss { share, unknown_tokens: self.unknown })
    }
}
