//! The estimation: sweep after sweep, until the error or the ranking is what was asked for.

use burn::tensor::Device;
use elbow_base::{Error, Progress};
use elbow_impls::Key;
use serde::Serialize;

use super::drawn_target::{DrawnTarget, TargetLikelihood};
use super::model::{ConditionalModel, Order};
use super::network_calls::{Call, costs};
use super::ranking::Ranking;

/// Questions whose calls are made together.
const BLOCK: usize = 32;

/// Longest target of which all sets of hidden tokens are summed on request: 65,535 calls.
const LONGEST_EXACT: usize = 16;

/// A prompt with its targets: one, or several to choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Ids of the prompt, which may be empty.
    pub prompt: Vec<u32>,
    /// Ids of each target, one token or more.
    pub targets: Vec<Vec<u32>>,
    /// What the log-likelihood of each target is divided by in the ranking.
    pub divisors: Vec<f64>,
}

impl Question {
    /// Targets that are ranked by their log-likelihoods as they are.
    pub fn new(prompt: Vec<u32>, targets: Vec<Vec<u32>>) -> Self {
        let divisors = vec![1.0; targets.len()];
        Self { prompt, targets, divisors }
    }
}

/// When the draws of a question end. All but the first go on to `max_draws`, twice as many at each look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// After `draws`.
    Draws,
    /// When the standard error of each log-likelihood is at most this, nats. Many looks select errors a little too small.
    StandardError(f64),
    /// When the stated probability that another target is better than the best is at most this. Only the best target and those
    /// that it is not yet told from get more draws.
    ErrorProbability(f64),
}

/// The estimation of log p(target | prompt) with its settings.
#[derive(Clone)]
pub struct ConditionalEstimation<'a> {
    /// The model.
    pub model: ConditionalModel<'a>,
    /// Calls of the network per target at the first look, in whole sweeps, four or more. At every look a target with no more
    /// sets of hidden tokens than there are draws is asked about all of them: its number is exact.
    pub draws: usize,
    /// Calls of the network per target at the last look.
    pub max_draws: usize,
    /// When to stop.
    pub stop: Stop,
    /// Whether all sets of hidden tokens are summed for every target, of up to 16 tokens: 2^L - 1 calls each.
    pub exact: bool,
    /// Seed of the draws.
    pub seed: u64,
}

/// The answer to a question.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Each target's likelihood.
    pub targets: Vec<TargetLikelihood>,
    /// The ranking, where there are several targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
}

impl<'a> ConditionalEstimation<'a> {
    /// A number of `draws` for each target.
    pub fn new(model: ConditionalModel<'a>, draws: usize, seed: u64) -> Self {
        Self { model, draws, max_draws: draws, stop: Stop::Draws, exact: false, seed }
    }

    /// Answers the questions, in their order. An answer depends on the seed, the question and its number, not on the others.
    pub fn run(&self, questions: &[Question], device: &Device, bar: &dyn Progress) -> Result<Vec<Answer>, Error> {
        questions.iter().enumerate().try_for_each(|(number, question)| self.check(number, question))?;
        bar.start(questions.len() as u64, "likelihood of targets");
        let mut answers = Vec::with_capacity(questions.len());
        for (block, part) in questions.chunks(BLOCK).enumerate() {
            answers.extend(self.block(block * BLOCK, part, device)?);
            bar.advance(part.len() as u64);
        }
        bar.finish();
        Ok(answers)
    }

    /// The numbers of draws at which the errors are looked at.
    pub(super) fn looks(&self) -> Vec<usize> {
        let mut looks = vec![self.draws];
        while let Some(&last) = looks.last().filter(|&&last| self.stop != Stop::Draws && last < self.max_draws) {
            looks.push((2 * last).min(self.max_draws));
        }
        looks
    }

    fn block(&self, first: usize, questions: &[Question], device: &Device) -> Result<Vec<Answer>, Error> {
        let mut states: Vec<Vec<DrawnTarget>> = (first..).zip(questions).map(|(n, q)| self.states(n, q)).collect();
        let looks = self.looks();
        let mut answers: Vec<Answer> = Vec::new();
        for &draws in &looks {
            let mut jobs = Vec::new();
            for (question, states) in states.iter_mut().enumerate() {
                let answer = answers.get(question);
                for (target, state) in states.iter_mut().enumerate() {
                    if answer.is_none_or(|answer| self.goes_on(answer, target, looks.len())) {
                        jobs.extend(state.jobs(draws).into_iter().map(|job| (question, target, job)));
                    }
                }
            }
            if jobs.is_empty() {
                break;
            }
            let calls: Vec<Call> = jobs
                .iter()
                .map(|(question, target, job)| Call {
                    prompt: &questions[*question].prompt,
                    target: &questions[*question].targets[*target],
                    hidden: &job.set.hidden,
                })
                .collect();
            for ((question, target, job), costs) in jobs.iter().zip(costs(&self.model, &calls, device)?) {
                states[*question][*target].add(job, &costs);
            }
            answers = (states.iter().enumerate())
                .map(|(at, states)| self.answer(first + at, &questions[at], states, looks.len()))
                .collect::<Result<_, _>>()?;
        }
        Ok(answers)
    }

    /// Whether a target needs more draws after a look.
    fn goes_on(&self, answer: &Answer, target: usize, looks: usize) -> bool {
        match (self.stop, &answer.ranking) {
            (Stop::StandardError(most), _) => answer.targets[target].standard_error > most,
            (Stop::ErrorProbability(most), Some(ranking)) => ranking.needs(target, most, looks),
            _ => false,
        }
    }

    fn states(&self, number: usize, question: &Question) -> Vec<DrawnTarget> {
        let state = |target: &Vec<u32>| {
            let length = target.len();
            // Targets of one length are hidden alike: what they have in common drops out of their difference.
            let key = Key::new(self.seed, "hidden tokens of targets").fold(number as u64).fold(length as u64);
            match self.model.order == Order::LeftToRight {
                true => DrawnTarget::left_to_right(length, key),
                false if self.exact => DrawnTarget::of_all_sets(length, key),
                false => DrawnTarget::new(length, key),
            }
        };
        question.targets.iter().map(state).collect()
    }

    fn answer(
        &self,
        number: usize,
        question: &Question,
        states: &[DrawnTarget],
        looks: usize,
    ) -> Result<Answer, Error> {
        let targets: Vec<TargetLikelihood> = states.iter().map(DrawnTarget::likelihood).collect();
        for (target, found) in targets.iter().enumerate() {
            if !(found.log_likelihood.is_finite() && found.standard_error.is_finite()) {
                let what = format!("question {number}, target {target}, counted from 0: its log-likelihood is");
                return Err(Error::input(
                    format!("{what} {}", found.log_likelihood),
                    "the model gives a token probability 0, or its outputs are not finite: look at its weights",
                ));
            }
        }
        let error = match self.stop {
            Stop::ErrorProbability(most) => most,
            _ => DECIDED,
        };
        let ranking = (targets.len() > 1).then(|| Ranking::new(&targets, &question.divisors, looks, error));
        Ok(Answer { targets, ranking })
    }

    /// Refuses a question that the model cannot be asked.
    fn check(&self, number: usize, question: &Question) -> Result<(), Error> {
        let refuse = |what: String, advice: &str| {
            Err(Error::input(format!("question {number}, counted from 0: {what}"), advice.to_owned()))
        };
        if question.targets.is_empty() || question.targets.len() != question.divisors.len() {
            return refuse("it has no targets, or not one divisor for each".into(), "give one target or more");
        }
        let values = self.model.denoiser.values();
        let ids = || question.targets.iter().chain([&question.prompt]).flatten();
        if let Some(foreign) = ids().find(|id| **id as usize >= values) {
            return refuse(format!("token {foreign} is no data value: they are 0..{values}"), "give the ids of tokens");
        }
        for target in &question.targets {
            let tokens = question.prompt.len() + target.len();
            if target.is_empty() {
                return refuse("a target has no tokens".into(), "give one token or more");
            }
            if self.model.window.length(tokens).is_none() {
                let what = format!("prompt and target have {tokens} tokens, more than the model's window");
                return refuse(what, "shorten the prompt at its beginning");
            }
            if self.exact && self.model.order != Order::LeftToRight && target.len() > LONGEST_EXACT {
                let what = format!("a target of {} tokens has too many sets of hidden tokens", target.len());
                return refuse(what, "sums over all sets are for targets of up to 16 tokens: draw");
            }
        }
        Ok(())
    }
}

/// The error probability at which a ranking counts as decided where none was asked for.
const DECIDED: f64 = 0.05;
