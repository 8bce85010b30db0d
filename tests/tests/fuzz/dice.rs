//! Keyed draws.

use elbow_base::Key;
use elbow_base::key::open_uniform;

/// A stream of draws that the key alone decides.
pub struct Dice(Box<dyn FnMut() -> f64>);

impl Dice {
    pub fn new(key: &Key) -> Self {
        let mut rng = key.rng();
        Self(Box::new(move || open_uniform(&mut rng)))
    }

    /// A whole number below n; 0 where n is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.0() * n as f64) as usize
    }

    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A place of a file: in half of the draws among the first bytes, where headers are.
    pub fn place(&mut self, length: usize) -> usize {
        let within = if self.one_in(2) { length.min(64) } else { length };
        self.below(within)
    }
}
