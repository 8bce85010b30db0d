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
    /// Share of the questions with a known answer whose best target is that, with the standard error over questions: that of a
    /// share with two more right and two more wrong, which is not 0 where all are alike (Agresti and Coull 1998). None for fewer
    /// than two.
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
            accuracy: (is_right.len() > 1).then(|| share(&is_right)),
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

/// The mean of numbers 0 and 1.
fn share(units: &[f64]) -> Estimate {
    let (count, sum) = (units.len() as f64, units.iter().sum::<f64>());
    let moderate = (sum + 2.0) / (count + 4.0);
    let standard_error = (moderate * (1.0 - moderate) / count).sqrt();
    Estimate { value: sum / count, standard_error, n: units.len() as u64 }
}

#[cfg(test)]
mod tests {
    use super::super::{Ranking, TargetLikelihood};
    use super::*;

    fn target(log_likelihood: f64) -> TargetLikelihood {
        TargetLikelihood { log_likelihood, standard_error: 0.0, sweeps: 0, calls: 3, tokens: 2, per_sweep: Vec::new() }
    }

    fn choice(likelihoods: [f64; 2]) -> Answer {
        let targets: Vec<TargetLikelihood> = likelihoods.map(target).into();
        let ranking = Some(Ranking::new(&targets, &[1.0; 2], 1, 0.05));
        Answer { targets, ranking }
    }

    #[test]
    fn undecided_questions_leave_a_range_of_accuracies() {
        let answers = [choice([-1.0, -2.0]), choice([-3.0, -2.0]), choice([-2.0, -2.0]), choice([-9.0, -1.0])];
        let summary = Summary::new(&answers, &[Some(0), Some(0), Some(0), None]).expect("finite");
        let accuracy = summary.accuracy.expect("three known answers");
        assert_eq!((accuracy.n, summary.undecided, summary.calls), (3, 1, 24));
        assert!((accuracy.value - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(summary.accuracy_range.map(|range| range.map(|share| (3.0 * share).round())), Some([1.0, 2.0]));
        assert!(summary.bits_per_token.is_none());
        let two = [answers[0].clone(), answers[0].clone()];
        let all_right = Summary::new(&two, &[Some(0); 2]).expect("finite").accuracy.expect("two");
        assert!(all_right.standard_error > 0.2, "two of two are no proof: {all_right:?}");
    }

    #[test]
    fn bits_per_token_are_of_all_tokens() {
        let answer = |nats: f64| Answer { targets: vec![target(-nats)], ranking: None };
        let nats = [4.0 * std::f64::consts::LN_2, 8.0 * std::f64::consts::LN_2];
        let bits = Summary::new(&nats.map(answer), &[None; 2]).expect("finite").bits_per_token.expect("two targets");
        assert!((bits.value - 3.0).abs() < 1e-12 && (bits.standard_error - 1.0).abs() < 1e-12, "{bits:?}");
    }
}
