//! A toy tabulated over all partially masked sequences: marginal probabilities, denoiser, and the sums over sets of
//! masked positions from which every bound follows.
//!
//! Nothing here depends on time. A sequence z (values and masks) has, at mask probability m = 1 - alpha, q(z_t = z) =
//! alpha^(visible) m^(masked) Q(z), with Q(z) the marginal probability of its visible values. So every expectation over
//! q(z_t) is a polynomial in alpha whose coefficients are sums over the sequences with k visible tokens, computed once
//! for all schedules and numbers of steps.

use rayon::prelude::*;

use super::denoiser_table::DenoiserTable;
use super::reveal_kl::RevealKl;
use super::visible_set_sums;
use crate::error::Error;
use crate::pattern_index::PatternIndex;
use crate::toy::{Toy, pattern_text};

/// Largest number of pairs (z_t, z_s), (2V + 1)^L, that are walked: about three seconds on two cores. The gaps of larger
/// toys come from sums over single sequences.
const MAX_PAIRS: f64 = 3e8;

/// A toy with everything that does not depend on the schedule. L is the number of tokens, V that of data values.
pub struct Enumeration {
    index: PatternIndex,
    /// Pattern number and probability of each outcome.
    pub(super) outcomes: Vec<(usize, f64)>,
    /// Q(z), one probability per pattern.
    pub(super) marginal: Vec<f64>,
    denoiser: DenoiserTable,
    /// [`Enumeration::visible_log`] and [`Enumeration::cross_entropy`], one row per outcome.
    visible_log: Vec<f64>,
    cross_entropy: Vec<f64>,
    reveal: RevealKl,
    is_walked: bool,
}

impl Enumeration {
    /// Tabulates `toy` with its own denoiser.
    ///
    /// Cost: O((2V + 1)^L) time where these are at most 3e8, else O((V + 1)^L V L); O((V + 1)^L L) memory.
    pub fn new(toy: &Toy) -> Result<Self, Error> {
        toy.check()?;
        Self::with_denoiser(toy, MAX_PAIRS, |index, marginal| DenoiserTable::of_toy(toy, index, marginal))
    }

    /// Tabulates `toy` with another denoiser, given as probabilities mu_theta(z)\[n, v\], shape \[(V + 1)^L, L, V\]
    /// with the patterns z in the order of [`Enumeration::index`]. Rows of visible positions are ignored.
    pub fn with_probabilities(toy: &Toy, mu: &[f64]) -> Result<Self, Error> {
        toy.check()?;
        let (length, count) = (toy.length, PatternIndex::with_mask(toy.states, toy.length).count());
        let expected = count * length * toy.states;
        if mu.len() != expected {
            let what = format!("{} probabilities for {count} patterns of {length} tokens", mu.len());
            return Err(Error::invalid(what, format!("give {expected}: one per pattern, position and value")));
        }
        let rows = mu.chunks(toy.states).enumerate().map(|(row, mu)| (row / length, row % length, mu));
        Self::with_denoiser(toy, MAX_PAIRS, |index, marginal| DenoiserTable::from_rows(rows, index, marginal))
    }

    /// Walks the pairs (z_t, z_s) where they are at most `most_pairs`.
    pub(super) fn with_denoiser(
        toy: &Toy,
        most_pairs: f64,
        denoiser: impl FnOnce(&PatternIndex, &[f64]) -> DenoiserTable,
    ) -> Result<Self, Error> {
        let index = PatternIndex::with_mask(toy.states, toy.length);
        let number = |word: &[u8]| index.number(word.iter().map(|&d| usize::from(d)));
        let outcomes: Vec<(usize, f64)> = toy.outcomes.iter().map(|(word, p)| (number(word), *p)).collect();
        let marginal = marginals(&index, &outcomes);
        let denoiser = denoiser(&index, &marginal);
        check_support(&index, &marginal, &denoiser)?;
        let log_marginal: Vec<f64> = marginal.par_iter().map(|q| if *q > 0.0 { q.ln() } else { 0.0 }).collect();
        // The sums are over all words; the rows of the outcomes are kept.
        let word = |pattern: usize| index.digits(pattern).fold(0, |word, digit| word * toy.states + digit);
        let rows = |words: Vec<f64>, coefficients: usize| -> Vec<f64> {
            let mut rows = vec![0.0; outcomes.len() * coefficients];
            rows.par_chunks_mut(coefficients).zip(&outcomes).for_each(|(row, (x, _))| {
                row.copy_from_slice(&words[word(*x) * coefficients..][..coefficients]);
            });
            rows
        };
        let visible_log = rows(visible_set_sums::visible_log(&index, &log_marginal), index.length + 1);
        let cross_entropy = rows(visible_set_sums::cross_entropy(&index, &denoiser), index.length);
        let is_walked = index.pairs() <= most_pairs;
        let reveal = match is_walked {
            true => RevealKl::new(&index, &marginal, &log_marginal, &denoiser),
            false => RevealKl::from_single_sequences(&index, &marginal, &log_marginal, &denoiser),
        };
        Ok(Self { index, outcomes, marginal, denoiser, visible_log, cross_entropy, reveal, is_walked })
    }

    /// The numbering of partially masked sequences.
    pub fn index(&self) -> &PatternIndex {
        &self.index
    }

    /// Number of data values per token, V.
    pub fn states(&self) -> usize {
        self.index.mask()
    }

    /// Tokens per sequence, L.
    pub fn length(&self) -> usize {
        self.index.length
    }

    /// Number of patterns, (V + 1)^L.
    pub fn patterns(&self) -> usize {
        self.marginal.len()
    }

    /// The symbols of a pattern; V is the mask.
    pub fn pattern(&self, number: usize) -> Vec<u8> {
        self.index.digits(number).map(|digit| digit as u8).collect()
    }

    /// The number of a pattern.
    pub fn number(&self, pattern: &[u32]) -> usize {
        self.index.number(pattern.iter().map(|&d| d as usize))
    }

    /// The law of the data, one probability per pattern.
    pub fn data_law(&self) -> Vec<f64> {
        let mut law = vec![0.0; self.patterns()];
        self.outcomes.iter().for_each(|&(x, p)| law[x] = p);
        law
    }

    /// The entropy of the data, nats.
    pub fn entropy(&self) -> f64 {
        self.outcomes.iter().map(|(_, p)| -p * p.ln()).sum()
    }

    /// For outcome number `x` and k = 0..=L: the sum over the visible sets U of size k of log Q(x_U), nats.
    pub fn visible_log(&self, x: usize) -> &[f64] {
        let size = self.index.length + 1;
        &self.visible_log[x * size..][..size]
    }

    /// For outcome number `x` and k = 0..L: the sum over the visible sets U of size k, and over the positions n not in
    /// U, of the cross-entropy -log mu_theta(x_U)\[n, x_n\], nats.
    pub fn cross_entropy(&self, x: usize) -> &[f64] {
        &self.cross_entropy[x * self.index.length..][..self.index.length]
    }

    /// Sums of Q(z) KL(q(x_R | z) || product of mu_theta), the learned reverse kernel against the exact one, over the
    /// patterns z with n masks and the sets R of r of the masks; index \[n\]\[r\], each 0..=L, nats.
    pub fn reveal_kl(&self) -> &[Vec<f64>] {
        &self.reveal.learned
    }

    /// The same sums with the product of the exact posteriors: the total correlation of the revealed tokens, nats.
    pub fn reveal_correlation(&self) -> &[Vec<f64>] {
        &self.reveal.correlation
    }

    /// Whether [`Enumeration::reveal_kl`] is summed from its terms over all pairs (z_t, z_s). For larger toys it comes
    /// from single sequences, and Theorem 1 shows rounding errors alone.
    pub fn is_walked(&self) -> bool {
        self.is_walked
    }

    /// Refuses a toy whose pairs are too many to walk, for what has no other way.
    pub fn check_walked(&self) -> Result<(), Error> {
        if self.is_walked {
            return Ok(());
        }
        let (base, length) = (2 * self.states() + 1, self.length());
        let what =
            format!("too large: {base}^{length} = {:.1e} pairs of sequences of a reverse step", self.index.pairs());
        Err(Error::TooLarge { what, limit: MAX_PAIRS as u64 })
    }

    /// The denoiser's probabilities, shaped as in [`Enumeration::with_probabilities`]; 1 at visible positions.
    pub fn probabilities(&self) -> Vec<f64> {
        let (length, states) = (self.index.length, self.states());
        let entry = |at: usize| {
            let (row, value) = (at / states, at % states);
            let (z, n) = (row / length, row % length);
            if self.index.is_masked(z, n) { self.mu(z, n, value) } else { 1.0 }
        };
        (0..self.patterns() * length * states).into_par_iter().map(entry).collect()
    }

    pub(super) fn denoiser(&self) -> &DenoiserTable {
        &self.denoiser
    }

    /// mu_theta(z)\[n, v\] at the masked `position` n of `pattern` z.
    pub(super) fn mu(&self, pattern: usize, position: usize, value: usize) -> f64 {
        self.denoiser.mu(position)[self.index.table_entry(pattern, position, value)]
    }

    /// Outcome `x` with all positions masked but those in the set `visible` (bit n).
    fn partially_masked(&self, x: usize, visible: u32) -> usize {
        let hidden = (0..self.index.length).filter(|n| visible >> n & 1 == 0);
        hidden.fold(x, |z, n| self.index.with_digit(z, n, self.index.mask()))
    }

    /// -log mu_theta(x_U)\[n, x_n\] of position `n` given the visible set U, nats.
    pub(super) fn token_loss(&self, x: usize, visible: u32, n: usize) -> f64 {
        -self.mu(self.partially_masked(x, visible), n, self.index.digit(x, n)).ln()
    }

    /// The same for every position that is not in U.
    pub(super) fn token_losses(&self, x: usize, visible: u32) -> Vec<f64> {
        let pattern = self.partially_masked(x, visible);
        let hidden = (0..self.index.length).filter(|n| visible >> n & 1 == 0);
        hidden.map(|n| -self.mu(pattern, n, self.index.digit(x, n)).ln()).collect()
    }
}

/// Q of all patterns: on each axis the mask has the sum over the values.
fn marginals(index: &PatternIndex, outcomes: &[(usize, f64)]) -> Vec<f64> {
    let mut marginal = vec![0.0; index.count()];
    for &(x, p) in outcomes {
        marginal[x] = p;
    }
    index.sweep(&mut marginal, |values, mask| {
        for value in values.chunks(mask.len()) {
            mask.iter_mut().zip(value).for_each(|(sum, q)| *sum += q);
        }
    });
    marginal
}

/// Refuses a denoiser that gives probability 0 to what the data have: every bound would be infinite.
fn check_support(index: &PatternIndex, marginal: &[f64], denoiser: &DenoiserTable) -> Result<(), Error> {
    let mask = index.mask();
    let ruled_out = |n: usize| {
        let place = index.places[n];
        let block = mask * place;
        let occurring = marginal.chunks(block + place).flat_map(move |joint| &joint[..block]);
        let bad = occurring.zip(denoiser.log_mu(n)).enumerate().filter(|(_, (q, log))| **q > 0.0 && !log.is_finite());
        bad.map(move |(entry, _)| {
            let (above, value, below) = (entry / block, entry / place % mask, entry % place);
            ((above * (mask + 1) + mask) * place + below, n, value)
        })
    };
    let Some((pattern, position, value)) = (0..index.length).flat_map(ruled_out).min() else { return Ok(()) };
    let p = denoiser.mu(position)[index.table_entry(pattern, position, value)];
    let digits: Vec<u8> = index.digits(pattern).map(|digit| digit as u8).collect();
    let word = pattern_text(&digits, mask);
    let position = position + 1;
    Err(Error::NoSupport(format!(
        "the denoiser gives probability {p} to value {value} at position {position} of pattern {word:?}, \
         which the data has"
    )))
}
