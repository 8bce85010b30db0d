//! The optimal loss of masked diffusion on a set of sequences: sequences that agree with the visible tokens are counted.

use std::collections::HashMap;

use elbow_base::key::permutation;
use elbow_base::{Estimate, Tokens};

use super::Draws;

/// A set of sequences, whose empirical law is the data.
///
/// Two sequences of two tokens that differ in both: the first token to be revealed costs ln 2, the other nothing.
///
/// ```
/// use elbow_base::{Key, Tokens};
/// use elbow_theory::optimal_loss::{Draws, TokenFloor};
///
/// let floor = TokenFloor::new(Tokens::new(vec![0, 0, 1, 1], 2));
/// let draws = Draws { count: 4, others: None, key: Key::new(0, "floor") };
/// assert_eq!(floor.loss(2, &draws).value, 2.0 * 2f64.ln());
/// assert_eq!(floor.loss(1, &draws).value, 0.0);
/// assert!((floor.entropy() - 2f64.ln()).abs() < 1e-15);
/// ```
pub struct TokenFloor {
    data: Tokens,
}

impl TokenFloor {
    /// The floor of at least one sequence.
    pub fn new(data: Tokens) -> Self {
        assert!(!data.is_empty(), "the floor of no sequences");
        Self { data }
    }

    /// H, the entropy of the empirical law, nats per sequence: ln N where no sequence is there twice.
    ///
    /// It is the floor of every bound on the mean of -log p over these sequences, and the sum over k of 1/k times the
    /// loss with k hidden tokens [Optimal loss, masked].
    pub fn entropy(&self) -> f64 {
        let mut counts = HashMap::<&[u32], usize>::new();
        self.data.rows().for_each(|row| *counts.entry(row).or_default() += 1);
        let total = self.data.len() as f64;
        // Sorted, since a sum over the map would have another order in every run.
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable();
        counts.iter().map(|&count| count as f64 / total * (total / count as f64).ln()).sum()
    }

    /// The expected cost of `hidden` hidden tokens, the others visible, nats per sequence: a mean over sequences and
    /// uniformly random sets of positions [Optimal loss, masked].
    pub fn loss(&self, hidden: usize, draws: &Draws) -> Estimate {
        let length = self.data.length();
        assert!((1..=length).contains(&hidden), "{hidden} hidden tokens of {length}");
        draws.mean(self.data.len(), |x, among, key| {
            let mut is_hidden = vec![false; length];
            permutation(&mut key.rng(), length)[..hidden].iter().for_each(|&n| is_hidden[n] = true);
            self.cost(x, among, &is_hidden)
        })
    }

    /// The cost of the hidden tokens of sequence `x` given the visible ones, nats: the sum of -log of the share of the
    /// token among the sequences `among`, x being one of them, that agree with all visible tokens.
    pub fn cost(&self, x: usize, among: &[usize], is_hidden: &[bool]) -> f64 {
        let row = |i: usize| &self.data.ids()[i * self.data.length()..(i + 1) * self.data.length()];
        let own = row(x);
        let agrees = |other: &[u32]| own.iter().zip(other).zip(is_hidden).all(|((a, b), hidden)| *hidden || a == b);
        let agreeing: Vec<&[u32]> = among.iter().map(|&i| row(i)).filter(|other| agrees(other)).collect();
        let cost = |n: usize| {
            let same = agreeing.iter().filter(|other| other[n] == own[n]).count();
            (agreeing.len() as f64 / same as f64).ln()
        };
        (0..own.len()).filter(|&n| is_hidden[n]).map(cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use elbow_base::Key;

    use super::*;
    use crate::masked::Enumeration;
    use crate::{DenoiserKind, Toy};

    /// Six sequences of four tokens of three values, one of them twice.
    const ROWS: [[u32; 4]; 6] = [[0, 1, 2, 0], [0, 1, 2, 0], [0, 2, 2, 1], [1, 1, 0, 0], [2, 1, 2, 1], [1, 0, 0, 2]];

    fn floor() -> TokenFloor {
        TokenFloor::new(Tokens::new(ROWS.concat(), 4))
    }

    /// The expected cost of the exact posterior at each number of hidden tokens, from the enumeration.
    fn exact() -> Vec<f64> {
        let mut outcomes: Vec<(Vec<u8>, f64)> = Vec::new();
        for row in ROWS {
            let word = row.map(|v| v as u8).to_vec();
            match outcomes.iter_mut().find(|(known, _)| *known == word) {
                Some((_, p)) => *p += 1.0 / 6.0,
                None => outcomes.push((word, 1.0 / 6.0)),
            }
        }
        let toy = Toy { states: 3, length: 4, outcomes, denoiser: DenoiserKind::Exact };
        let all = Enumeration::new(&toy).expect("small");
        let choose = [1.0, 4.0, 6.0, 4.0];
        let loss = |hidden: usize| -> f64 {
            let visible = 4 - hidden;
            let sum: f64 = toy.outcomes.iter().enumerate().map(|(x, (_, p))| p * all.cross_entropy(x)[visible]).sum();
            sum / choose[visible]
        };
        (1..=4).map(loss).collect()
    }

    #[test]
    fn the_loss_is_that_of_the_exact_posterior_and_sums_to_the_entropy() {
        let (floor, exact) = (floor(), exact());
        let total: f64 = exact.iter().zip(1..).map(|(loss, k)| loss / f64::from(k)).sum();
        assert!((total - floor.entropy()).abs() < 1e-14, "{total} against {}", floor.entropy());
        for (k, exact) in (1..).zip(exact) {
            let draws = Draws { count: 4000, others: None, key: Key::new(k as u64, "floor") };
            let found = floor.loss(k, &draws);
            let off = (found.value - exact).abs();
            assert!(off < 4.0 * found.standard_error + 1e-14, "{k} hidden: {found:?} against {exact}");
        }
    }

    #[test]
    fn fewer_sequences_give_a_lower_floor_and_one_without_itself_none() {
        let floor = floor();
        let draws = |others| Draws { count: 4000, others, key: Key::new(3, "floor") };
        let [all, some] = [None, Some(2)].map(|others| floor.loss(3, &draws(others)));
        assert!(all.value - some.value > 5.0 * all.standard_error.hypot(some.standard_error), "{all:?} {some:?}");
        assert_eq!(floor.loss(3, &draws(Some(5))), all);
        // Witness: a posterior that leaves the sequence itself out has never seen its second token.
        assert_eq!(floor.cost(2, &[0, 1, 3, 4, 5], &[true; 4]), f64::INFINITY);
    }
}
