//! The ranking of several targets of one prompt, with the probability that it is wrong.

use elbow_base::Estimate;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::drawn_target::TargetLikelihood;

/// Error of a log-likelihood by single precision, relative to it: smaller differences are none.
const ROUNDING: f64 = 1e-6;

/// What log-likelihoods are divided by before they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalisation {
    /// Nothing.
    None,
    /// The number of tokens of the target.
    PerToken,
    /// The number of bytes of its text.
    PerByte,
    /// The number of characters of its text.
    PerCharacter,
}

elbow_impls::names!(Normalisation, "normalisation":
    None = "none", PerToken = "per-token", PerByte = "per-byte", PerCharacter = "per-character");

impl Normalisation {
    /// The divisor of a target of so many tokens and this text; none where a text is needed and there is none.
    pub fn divisor(self, tokens: usize, text: Option<&str>) -> Option<f64> {
        let count = match self {
            Self::None => Some(1),
            Self::PerToken => Some(tokens),
            Self::PerByte => text.map(str::len),
            Self::PerCharacter => text.map(|text| text.chars().count()),
        };
        count.filter(|count| *count > 0).map(|count| count as f64)
    }
}

/// The ranking of a question's targets.
#[derive(Clone, Debug, Serialize)]
pub struct Ranking {
    /// The log-likelihood of each target by its divisor, nats.
    pub scores: Vec<f64>,
    /// The target of the highest score, counted from 0.
    pub best: usize,
    /// The target that it is told from least well.
    pub rival: usize,
    /// The score of the best minus that of the rival, with its standard error over sweeps, nats.
    pub difference: Estimate,
    /// Upper limit of the probability that another target has a higher mean score than the best: the tails of the differences,
    /// summed over the others and over the looks that were planned.
    pub error_probability: f64,
    /// Whether the error probability is at most what was asked for; 0.05 where nothing was.
    pub decided: bool,
    /// The tail of each target's difference from the best; 0 at the best.
    #[serde(skip)]
    tails: Vec<f64>,
}

impl Ranking {
    /// Ranks two targets or more, whose errors were to be looked at so many times.
    pub(super) fn new(targets: &[TargetLikelihood], divisors: &[f64], looks: usize, error: f64) -> Self {
        let scores: Vec<f64> = targets.iter().zip(divisors).map(|(t, divisor)| t.log_likelihood / divisor).collect();
        let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a))).unwrap_or(0);
        let differences: Vec<Estimate> =
            (0..scores.len()).map(|other| difference([best, other], targets, divisors)).collect();
        let tail_at = |other: usize| if other == best { 0.0 } else { tail(&differences[other]) };
        let tails: Vec<f64> = (0..scores.len()).map(tail_at).collect();
        let others = (0..scores.len()).filter(|&other| other != best);
        // Where all tails are 0 the nearest is the rival.
        let order = |a: &usize, b: &usize| tails[*a].total_cmp(&tails[*b]).then(scores[*a].total_cmp(&scores[*b]));
        let rival = others.max_by(order).unwrap_or(best);
        let error_probability = (tails.iter().sum::<f64>() * looks as f64).min(1.0);
        let difference = differences[rival];
        Self { best, rival, difference, error_probability, decided: error_probability <= error, scores, tails }
    }

    /// Whether a target needs more draws before the ranking errs with this probability: the best does, and each one whose
    /// share of the probability is used up.
    pub(super) fn needs(&self, target: usize, error: f64, looks: usize) -> bool {
        let share = error / (self.tails.len() - 1) as f64 / looks as f64;
        !self.decided && (target == self.best || self.tails[target] > share)
    }
}

/// The difference of two targets' scores. Sweeps of the same number are paired: where the lengths agree, they hide the same
/// positions.
fn difference([a, b]: [usize; 2], targets: &[TargetLikelihood], divisors: &[f64]) -> Estimate {
    let score = |t: usize| targets[t].log_likelihood / divisors[t];
    let error = |t: usize| targets[t].standard_error / divisors[t];
    let (value, [of_a, of_b]) = (score(a) - score(b), [a, b].map(|t| &targets[t].per_sweep));
    let (standard_error, n) = if of_a.len() == of_b.len() && !of_a.is_empty() {
        let pairs: Vec<f64> = of_a.iter().zip(of_b).map(|(x, y)| x / divisors[a] - y / divisors[b]).collect();
        (Estimate::of(&pairs).standard_error, pairs.len())
    } else {
        let drawn = [of_a.len(), of_b.len()].into_iter().filter(|sweeps| *sweeps > 0).min();
        (error(a).hypot(error(b)), drawn.unwrap_or(0))
    };
    let rounding = ROUNDING * (score(a).abs() + score(b).abs());
    Estimate { value, standard_error: standard_error.hypot(rounding), n: n as u64 }
}

/// The probability that a difference is not above 0, by Student's law over its sweeps, or the normal one of rounding.
fn tail(difference: &Estimate) -> f64 {
    let t = difference.value / difference.standard_error;
    let above = |law: &dyn ContinuousCDF<f64, f64>| law.sf(t);
    match difference.n {
        // A difference of nothing has no law: the two are alike.
        _ if t.is_nan() => 0.5,
        0 => above(&Normal::standard()),
        n => {
            above(&StudentsT::new(0.0, 1.0, n.saturating_sub(1).max(1) as f64).expect("one degree of freedom or more"))
        }
    }
}
