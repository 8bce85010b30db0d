//! What all answers say together.

use elbow_base::{Error, Estimate, bits_per_dim};
use serde::Serialize;

use super::estimation::Answer;
use crate::likelihood::ratio;

/// Totals over questions. Every number in it is finite.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Number of questions.
    pub questions: u64,
    /// Sequences that the network was asked about.
    pub calls: u64,
    /// All bits of the only targets by all their tokens, with the error of a ratio over questions; none for fewer than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_token: Option<Estimate>,
    /// Share of the questions with a known answer whose best target is that, with the standard error over questions; none for
    /// fewer than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Estimate>,
    /// The accuracy if every undecided question were wrong, and if it were right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_range: Option<[f64; 2]>,
    /// Questions of several targets whose ranking is not decided.
    pub undecided: u64,
    /// Largest standard error of a log-likelihood, nats.
    pub largest_standard_error: f64,
}

impl Summary {
    /// The totals; `right` has the right target of each question, where it is known.
    pub fn new(answers: &[Answer], right: &[Option<usize>]) -> Result<Self, Error> {
        let targets = || answers.iter().flat_map(|answer| &answer.targets);
        let single: Vec<(f64, f64)> = answers
            .iter()
            .filter(|answer| answer.ranking.is_none())
            .map(|answer| (-answer.targets[0].log_likelihood, answer.targets[0].tokens as f64))
            .collect();
        let (nats, tokens): (Vec<f64>, Vec<f64>) = single.into_iter().unzip();
        let ranked = || answers.iter().zip(right).filter_map(|(a, right)| Some((a.ranking.as_ref()?, (*right)?)));
        let is_right: Vec<f64> = ranked().map(|(ranking, right)| f64::from(u8::from(ranking.best == right))).collect();
        let if_undecided = |is: f64| -> f64 {
            let of = |((ranking, _), right): ((_, _), &f64)| {
                let ranking: &super::Ranking = ranking;
                if ranking.decided { *right } else { is }
            };
            ranked().zip(&is_right).map(of).sum::<f64>() / is_right.len() as f64
        };
        let summary = Self {
            questions: answers.len() as u64,
            calls: targets().map(|target| target.calls).sum(),
            bits_per_token: (nats.len() > 1).then(|| ratio(&nats, &tokens).scaled(bits_per_dim(1.0, 1))),
            accuracy: (is_right.len() > 1).then(|| Estimate::of(&is_right)),
            accuracy_range: (is_right.len() > 1).then(|| [if_undecided(0.0), if_undecided(1.0)]),
            undecided: answers.iter().filter_map(|a| a.ranking.as_ref()).filter(|r| !r.decided).count() as u64,
            largest_standard_error: targets().map(|target| target.standard_error).fold(0.0, f64::max),
        };
        match summary.bits_per_token.is_none_or(|bits| bits.value.is_finite() && bits.standard_error.is_finite()) {
            true => Ok(summary),
            false => {
                Err(Error::input("the mean over targets is beyond double precision", "look at the model's weights"))
            }
        }
    }
}
