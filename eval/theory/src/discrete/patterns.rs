//! Arrays over all joint states of a few tokens.

use faer::Mat;

/// The joint states of `length` tokens of `states` states, numbered with the first token most significant.
#[derive(Clone, Copy, Debug)]
pub struct Patterns {
    pub states: usize,
    pub length: usize,
}

impl Patterns {
    /// Number of joint states.
    pub fn count(&self) -> usize {
        self.states.pow(self.length as u32)
    }

    fn place(&self, position: usize) -> usize {
        self.states.pow((self.length - 1 - position) as u32)
    }

    /// The state of the token at `position`.
    pub fn digit(&self, pattern: usize, position: usize) -> usize {
        pattern / self.place(position) % self.states
    }

    /// The states of all tokens.
    pub fn digits(&self, pattern: usize) -> Vec<usize> {
        (0..self.length).map(|n| self.digit(pattern, n)).collect()
    }

    /// The pattern with the token at `position` in another state.
    pub fn with_digit(&self, pattern: usize, position: usize, state: usize) -> usize {
        pattern - self.digit(pattern, position) * self.place(position) + state * self.place(position)
    }

    /// The number of a word.
    pub fn number(&self, word: &[u8]) -> usize {
        word.iter().fold(0, |number, &d| number * self.states + usize::from(d))
    }

    /// Moves the token at `position` by a transition: the law of the patterns after it.
    pub fn moved(&self, law: &[f64], position: usize, transition: &Mat<f64>) -> Vec<f64> {
        let mut next = vec![0.0; law.len()];
        for (pattern, &p) in law.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let from = self.digit(pattern, position);
            for to in 0..self.states {
                next[self.with_digit(pattern, position, to)] += p * transition[(from, to)];
            }
        }
        next
    }

    /// Moves every token.
    pub fn all_moved(&self, law: &[f64], transition: &Mat<f64>) -> Vec<f64> {
        (0..self.length).fold(law.to_vec(), |law, n| self.moved(&law, n, transition))
    }

    /// The product over the tokens of their transition probabilities from one pattern to another.
    pub fn transition(&self, from: usize, to: usize, matrix: &Mat<f64>) -> f64 {
        (0..self.length).map(|n| matrix[(self.digit(from, n), self.digit(to, n))]).product()
    }
}
