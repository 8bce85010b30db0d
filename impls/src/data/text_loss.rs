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
pub(super) struct Comparison {
    differs: bool,
    changed: u64,
    bytes: u64,
    unknown: u64,
    /// How often each byte is in the text, less how often it comes back, since the last piece.
    counts: [i64; 256],
}

impl Default for Comparison {
    fn default() -> Self {
        Self { differs: false, changed: 0, bytes: 0, unknown: 0, counts: [0; 256] }
    }
}

impl Comparison {
    /// Adds a piece, what its known tokens give back, and the number of unknown ones.
    pub fn add(&mut self, original: &[u8], again: &[u8], unknown: u64) {
        self.unknown += unknown;
        if original == again && unknown == 0 {
            self.bytes += original.len() as u64;
        } else {
            self.count(original, again);
            self.add_counted();
        }
    }

    /// Counts the bytes of a part of a piece.
    pub fn count(&mut self, original: &[u8], again: &[u8]) {
        self.bytes += original.len() as u64;
        original.iter().for_each(|&byte| self.counts[usize::from(byte)] += 1);
        again.iter().for_each(|&byte| self.counts[usize::from(byte)] -= 1);
    }

    /// Adds the piece whose parts were counted, which does not come back as it was.
    pub fn add_counted(&mut self) {
        self.differs = true;
        let lost: i64 = self.counts.iter().filter(|count| **count > 0).sum();
        let added: i64 = -self.counts.iter().filter(|count| **count < 0).sum::<i64>();
        self.changed += lost.max(added).unsigned_abs();
        self.counts = [0; 256];
    }

    /// Adds the pieces of another comparison.
    pub fn join(&mut self, other: &Self) {
        self.differs |= other.differs;
        self.changed += other.changed;
        self.bytes += other.bytes;
        self.unknown += other.unknown;
    }

    /// The loss, where there is one.
    pub fn loss(&self) -> Option<TextLoss> {
        // What is put in may be longer than the text.
        let share = (self.changed as f64 / self.bytes.max(1) as f64).min(1.0);
        self.differs.then_some(TextLoss { share, unknown_tokens: self.unknown })
    }
}
