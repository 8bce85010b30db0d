//! How patterns are numbered: arrays over all of them have an axis a position, the mask last on each.

use rayon::prelude::*;

/// The shape of an array over all patterns, first position most significant.
pub(super) struct Axes {
    pub states: usize,
    pub length: usize,
    /// (states + 1)^(length - 1 - n), the weight of position n in a pattern's number.
    pub places: Vec<usize>,
}

impl Axes {
    pub fn new(states: usize, length: usize) -> Self {
        Self { states, length, places: (0..length).rev().map(|place| (states + 1).pow(place as u32)).collect() }
    }

    /// Digits of an axis: the values and the mask.
    pub fn base(&self) -> usize {
        self.states + 1
    }

    /// Number of patterns.
    pub fn patterns(&self) -> usize {
        self.base().pow(self.length as u32)
    }

    /// The number of the pattern with these digits.
    pub fn number(&self, digits: impl IntoIterator<Item = usize>) -> usize {
        digits.into_iter().zip(&self.places).map(|(digit, place)| digit * place).sum()
    }

    pub fn digit(&self, pattern: usize, position: usize) -> usize {
        pattern / self.places[position] % self.base()
    }

    pub fn is_masked(&self, pattern: usize, position: usize) -> bool {
        self.digit(pattern, position) == self.states
    }

    /// Number of masked positions.
    pub fn masks(&self, pattern: usize) -> usize {
        (0..self.length).filter(|&n| self.is_masked(pattern, n)).count()
    }

    /// The pattern with the mask at `position` replaced by `value`.
    pub fn reveal(&self, pattern: usize, position: usize, value: usize) -> usize {
        pattern - (self.states - value) * self.places[position]
    }

    /// Length of an array whose axis at one position has the values only, without the mask.
    pub fn answers(&self) -> usize {
        self.states * self.base().pow(self.length as u32 - 1)
    }

    /// Where such an array has the pattern in which the mask at `position` is replaced by `value`.
    pub fn answer(&self, pattern: usize, position: usize, value: usize) -> usize {
        let place = self.places[position];
        self.reveal(pattern, position, value) - pattern / (place * self.base()) * place
    }

    /// The index of a word without masks among all words, in base `states`.
    pub fn word(&self, pattern: usize) -> usize {
        (0..self.length).fold(0, |word, n| word * self.states + self.digit(pattern, n))
    }

    /// Sweeps `array`, an axis at a time: `mix` gets the entries of each value, one value after another, and those of
    /// the mask, all else being equal.
    pub fn sweep(&self, array: &mut [f64], mix: impl Fn(&mut [f64], &mut [f64]) + Sync) {
        for &place in &self.places {
            let blocks = array.par_chunks_mut(place * self.base());
            blocks.for_each(|block| {
                let (values, mask) = block.split_at_mut(place * self.states);
                mix(values, mask);
            });
        }
    }
}
