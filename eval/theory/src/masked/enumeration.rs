//! All patterns of a toy: their marginal probabilities, the denoiser's answers, and the sums over sets of
//! masked positions from which every bound follows, for any schedule and any number of steps.
//!
//! Everything here is free of time. A pattern z (values and masks) has, at mask probability m and alpha = 1 - m,
//! q(z_t = z) = alpha^(visible) m^(masked) Q(z), with Q(z) the marginal probability of its visible values. So all
//! expectations over q(z_t) are polynomials in alpha whose coefficients are sums over the patterns with k visible
//! tokens, computed once.

use rayon::prelude::*;

use super::answers::Answers;
use super::axes::Axes;
use super::divergence::Divergences;
use super::sets;
use crate::toy::{Toy, pattern_text};
use elbow_base::Error;

/// A toy with everything that does not depend on the schedule.
pub struct Enumeration {
    pub(super) axes: Axes,
    /// Number and probability of each outcome.
    pub(super) outcomes: Vec<(usize, f64)>,
    /// Q(z) for every pattern.
    pub(super) marginal: Vec<f64>,
    answers: Answers,
    /// See [`Enumeration::visible_log`] and [`Enumeration::cross_entropy`]: a row an outcome.
    visible_log: Vec<f64>,
    cross_entropy: Vec<f64>,
    divergences: Divergences,
}

impl Enumeration {
    /// Enumerates `toy` with its own denoiser.
    pub fn new(toy: &Toy) -> Result<Self, Error> {
        Self::with_answers(toy, |axes, marginal| Answers::of_toy(toy, axes, marginal))
    }

    /// Enumerates `toy` with another denoiser: probabilities, index (pattern * length + position) * states +
    /// value, patterns in the order of [`Enumeration::pattern`]. Rows of visible positions are ignored.
    pub fn with_probabilities(toy: &Toy, mu: &[f64]) -> Result<Self, Error> {
        Self::with_answers(toy, |axes, marginal| {
            assert_eq!(mu.len(), axes.patterns() * axes.length * axes.states, "one row a pattern and position");
            Answers::from_rows(mu, axes, marginal)
        })
    }

    fn with_answers(toy: &Toy, answers: impl FnOnce(&Axes, &[f64]) -> Answers) -> Result<Self, Error> {
        let axes = Axes::new(toy.states, toy.length);
        let number = |word: &[u8]| axes.number(word.iter().map(|&d| usize::from(d)));
        let outcomes: Vec<(usize, f64)> = toy.outcomes.iter().map(|(word, p)| (number(word), *p)).collect();
        let marginal = marginals(&axes, &outcomes);
        let answers = answers(&axes, &marginal);
        check_support(&axes, &marginal, &answers)?;
        let log_marginal: Vec<f64> = marginal.par_iter().map(|q| if *q > 0.0 { q.ln() } else { 0.0 }).collect();
        let rows = |words: Vec<f64>, coefficients: usize| -> Vec<f64> {
            let mut rows = vec![0.0; outcomes.len() * coefficients];
            rows.par_chunks_mut(coefficients).zip(&outcomes).for_each(|(row, (x, _))| {
                row.copy_from_slice(&words[axes.word(*x) * coefficients..][..coefficients]);
            });
            rows
        };
        let visible_log = rows(sets::visible_log(&axes, &log_marginal), axes.length + 1);
        let cross_entropy = rows(sets::cross_entropy(&axes, &answers), axes.length);
        let divergences = Divergences::new(&axes, &marginal, &log_marginal, &answers);
        Ok(Self { axes, outcomes, marginal, answers, visible_log, cross_entropy, divergences })
    }

    /// Data values of a token, N.
    pub fn states(&self) -> usize {
        self.axes.states
    }

    /// Tokens of a sequence.
    pub fn length(&self) -> usize {
        self.axes.length
    }

    /// Number of patterns, (states + 1)^length.
    pub fn patterns(&self) -> usize {
        self.marginal.len()
    }

    /// The digits of a pattern; `states` is the mask.
    pub fn pattern(&self, number: usize) -> Vec<u8> {
        (0..self.axes.length).map(|n| self.axes.digit(number, n) as u8).collect()
    }

    /// The number of a pattern.
    pub fn number(&self, pattern: &[u32]) -> usize {
        self.axes.number(pattern.iter().map(|&d| d as usize))
    }

    /// The entropy of the data, nats.
    pub fn entropy(&self) -> f64 {
        self.outcomes.iter().map(|(_, p)| -p * p.ln()).sum()
    }

    /// For outcome number `x`, k = 0..=length: the sum over the visible sets U of size k of log Q(x_U), nats.
    pub fn visible_log(&self, x: usize) -> &[f64] {
        let size = self.axes.length + 1;
        &self.visible_log[x * size..][..size]
    }

    /// For outcome number `x`, k = 0..length: the sum over the visible sets U of size k of the sum over the positions n
    /// not in U of -log mu_n(x_n | x_U), nats. With all of them visible it would be 0.
    pub fn cross_entropy(&self, x: usize) -> &[f64] {
        &self.cross_entropy[x * self.axes.length..][..self.axes.length]
    }

    /// Index \[n\]\[r\], 0..=length: the sum over the patterns z with n masks of Q(z) times the sum over the sets R of
    /// r among them of KL(q(x_R | z) || product of mu), nats: the learned reverse kernel against the true one.
    pub fn reveal_kl(&self) -> &[Vec<f64>] {
        &self.divergences.learned
    }

    /// The same against the product of the tokens' exact posteriors: their total correlation, nats.
    pub fn reveal_correlation(&self) -> &[Vec<f64>] {
        &self.divergences.exact
    }

    /// The denoiser's probabilities, in the layout of [`Enumeration::with_probabilities`]; 1 at visible positions.
    pub fn probabilities(&self) -> Vec<f64> {
        let entry = |index: usize| {
            let (row, value) = (index / self.axes.states, index % self.axes.states);
            let (z, n) = (row / self.axes.length, row % self.axes.length);
            if self.axes.is_masked(z, n) { self.mu(z, n, value) } else { 1.0 }
        };
        (0..self.patterns() * self.axes.length * self.axes.states).into_par_iter().map(entry).collect()
    }

    /// mu_n(v | z) at the masked `position` n of `pattern` z.
    pub(super) fn mu(&self, pattern: usize, position: usize, value: usize) -> f64 {
        self.answers(position)[self.axes.answer(pattern, position, value)]
    }

    /// mu_n(v | z) of a position for all patterns and values, where [`Axes::answer`] says.
    pub(super) fn answers(&self, position: usize) -> &[f64] {
        self.answers.mu(position)
    }

    /// The pattern of outcome `x` with only the positions in the set `visible` (bit n) shown.
    fn shown(&self, x: usize, visible: u32) -> usize {
        let hidden = (0..self.axes.length).filter(|n| visible >> n & 1 == 0);
        x + hidden.map(|n| (self.axes.states - self.axes.digit(x, n)) * self.axes.places[n]).sum::<usize>()
    }

    /// -log mu_n(x_n | x_U) of position `n`, with the set U shown.
    pub(super) fn token_loss(&self, x: usize, visible: u32, n: usize) -> f64 {
        -self.mu(self.shown(x, visible), n, self.axes.digit(x, n)).ln()
    }

    /// The same for every position that is not shown.
    pub(super) fn token_losses(&self, x: usize, visible: u32) -> Vec<f64> {
        let pattern = self.shown(x, visible);
        let hidden = (0..self.axes.length).filter(|n| visible >> n & 1 == 0);
        hidden.map(|n| -self.mu(pattern, n, self.axes.digit(x, n)).ln()).collect()
    }
}

/// Q of all patterns: on each axis the mask has the sum of the values.
fn marginals(axes: &Axes, outcomes: &[(usize, f64)]) -> Vec<f64> {
    let mut marginal = vec![0.0; axes.patterns()];
    for &(x, p) in outcomes {
        marginal[x] = p;
    }
    axes.sweep(&mut marginal, |values, mask| {
        for value in values.chunks(mask.len()) {
            mask.iter_mut().zip(value).for_each(|(sum, q)| *sum += q);
        }
    });
    marginal
}

/// Every bound is infinite where the denoiser rules out what the data does.
fn check_support(axes: &Axes, marginal: &[f64], answers: &Answers) -> Result<(), Error> {
    let ruled_out = |n: usize| {
        let block = axes.states * axes.places[n];
        let occurring = marginal.chunks(block + axes.places[n]).flat_map(move |joint| &joint[..block]);
        let bad = occurring.zip(answers.log_mu(n)).enumerate().filter(|(_, (q, log))| **q > 0.0 && !log.is_finite());
        bad.map(move |(index, _)| {
            let (above, value, below) = (index / block, index / axes.places[n] % axes.states, index % axes.places[n]);
            ((above * axes.base() + axes.states) * axes.places[n] + below, n, value)
        })
    };
    let Some((pattern, position, value)) = (0..axes.length).flat_map(ruled_out).min() else { return Ok(()) };
    let p = answers.mu(position)[axes.answer(pattern, position, value)];
    let digits: Vec<u8> = (0..axes.length).map(|n| axes.digit(pattern, n) as u8).collect();
    let word = pattern_text(&digits, axes.states);
    let position = position + 1;
    let what = format!(
        "the denoiser gives probability {p} to value {value} at position {position} of pattern {word:?}, \
         which the data has"
    );
    Err(Error::input(what, "every bound would be infinite: give it a positive probability"))
}
