//! Numbering of sequences: every combination of symbols at every position has one integer.

use rayon::prelude::*;

/// The numbering of all sequences of `length` positions over `symbols` symbols, the first position most significant.
///
/// An array over all sequences is then a tensor with one axis of size `symbols` per position. In masked diffusion
/// ([`PatternIndex::with_mask`]) the symbols are the data values 0..V and, last, the mask V.
///
/// ```
/// let index = elbow_theory::PatternIndex::with_mask(2, 3);
/// let pattern = index.number([1, index.mask(), 0]);
/// assert_eq!(pattern, 1 * 9 + 2 * 3 + 0);
/// assert_eq!(index.digits(index.with_digit(pattern, 1, 0)).collect::<Vec<_>>(), [1, 0, 0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternIndex {
    /// Symbols per position, the mask included where there is one.
    pub(crate) symbols: usize,
    /// Positions per sequence, L.
    pub(crate) length: usize,
    /// symbols^(length - 1 - n), the weight of position n in a number.
    pub(crate) places: Vec<usize>,
}

impl PatternIndex {
    /// The numbering of sequences without a special symbol.
    pub fn new(symbols: usize, length: usize) -> Self {
        let symbols = symbols.max(1);
        let places = (0..length).rev().map(|place| symbols.saturating_pow(place as u32)).collect();
        Self { symbols, length, places }
    }

    /// The numbering of partially masked sequences of `values` data values.
    pub fn with_mask(values: usize, length: usize) -> Self {
        Self::new(values + 1, length)
    }

    /// Number of sequences, symbols^length.
    pub fn count(&self) -> usize {
        self.symbols.saturating_pow(self.length as u32)
    }

    /// The number of the sequence with these symbols.
    pub fn number(&self, digits: impl IntoIterator<Item = usize>) -> usize {
        digits.into_iter().zip(&self.places).map(|(digit, place)| digit * place).sum()
    }

    /// The symbol at one position of a sequence.
    pub fn digit(&self, pattern: usize, position: usize) -> usize {
        pattern / self.places[position] % self.symbols
    }

    /// The symbols of a sequence, first position first.
    pub fn digits(&self, pattern: usize) -> impl Iterator<Item = usize> + '_ {
        self.places.iter().map(move |place| pattern / place % self.symbols)
    }

    /// The sequence with another symbol at one position.
    pub fn with_digit(&self, pattern: usize, position: usize, digit: usize) -> usize {
        pattern - self.digit(pattern, position) * self.places[position] + digit * self.places[position]
    }

    /// The mask symbol V, the last one; it is also the number of data values.
    pub fn mask(&self) -> usize {
        self.symbols - 1
    }

    /// Whether a position of a sequence is masked.
    pub fn is_masked(&self, pattern: usize, position: usize) -> bool {
        self.digit(pattern, position) == self.mask()
    }

    /// Number of masked positions of a sequence.
    pub fn masks(&self, pattern: usize) -> usize {
        (0..self.length).filter(|&n| self.is_masked(pattern, n)).count()
    }

    /// Number of pairs (z_t, z_s) that a reverse step of masked diffusion can connect, (2V + 1)^length: a position is
    /// visible, stays masked, or is revealed to one of V values.
    pub fn pairs(&self) -> f64 {
        (2.0 * self.mask() as f64 + 1.0).powi(self.length as i32)
    }

    /// The sequence with the mask at `position` replaced by `value`.
    pub(crate) fn reveal(&self, pattern: usize, position: usize, value: usize) -> usize {
        pattern - (self.mask() - value) * self.places[position]
    }

    /// Applies `mix` along one axis of `array` after the other: it gets the entries of all values, value after value,
    /// and those of the mask, all other positions being equal.
    pub(crate) fn sweep(&self, array: &mut [f64], mix: impl Fn(&mut [f64], &mut [f64]) + Sync) {
        for &place in &self.places {
            array.par_chunks_mut(place * self.symbols).for_each(|block| {
                let (values, mask) = block.split_at_mut(place * self.mask());
                mix(values, mask);
            });
        }
    }
}
