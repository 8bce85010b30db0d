//! Check: the likelihood of a target given a prompt, against the estimator that public code uses.

use elbow_impls::Key;
use elbow_impls::any_order::AnyOrder;
use elbow_impls::corruption::PermutationStream;
use elbow_impls::data::Split;
use elbow_impls::key::open_uniform;
use elbow_theory::Alphabet;
use elbow_theory::masked::{Enumeration, conditional_any_order_nll};

use super::prelude::*;
use crate::denoisers::table_denoiser;
use crate::likelihood::conditional::{
    Call, ConditionalEstimation, ConditionalModel, Question, costs, published_counts,
};
use crate::likelihood::ratio;

/// Draws in a batch of the public code.
const PUBLIC_BATCH: usize = 16;

/// Conditional likelihoods: their bias on a toy, or the draws that they take on a trained model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "measure", rename_all = "kebab-case")]
pub enum Conditional {
    /// The public estimator's exact mean over the exact bound, minus 1, over the data of a toy.
    PublishedExcess {
        toy: String,
        /// Tokens of the prompt; the rest is the target.
        prompt: usize,
        /// Draws in a batch.
        batch: usize,
    },
    /// Calls of the network with independent draws for each call here, at equal standard errors.
    CallsSaved(CallsSaved),
}

/// Targets of a text under a trained model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsSaved {
    preset: String,
    set: Vec<String>,
    /// Number of prompts with a target, windows of the test split.
    questions: usize,
    /// Tokens of the prompt and of the target.
    prompt: usize,
    target: usize,
    /// Calls per target.
    draws: usize,
    /// Independent repetitions, whose spread is the true error.
    repetitions: usize,
}

impl Check for Conditional {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        match self {
            Self::PublishedExcess { toy, .. } => inputs::toys(context, [toy]),
            Self::CallsSaved(saved) => inputs::presets(context, [&saved.preset], &saved.set),
        }
    }

    fn is_statistical(&self) -> bool {
        matches!(self, Self::CallsSaved(_))
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        match self {
            Self::PublishedExcess { toy, prompt, batch } => published_excess(context, toy, *prompt, *batch),
            Self::CallsSaved(saved) => saved.run(context),
        }
    }
}

fn published_excess(context: &Context, name: &str, prompt: usize, batch: usize) -> Result<Outcome, Error> {
    let toy = context.toy(name, Alphabet::Masked)?;
    let all = Enumeration::new(&toy)?;
    let table = table_denoiser(&all, &context.device);
    let model = ConditionalModel::masked(&table);
    let target = toy.length - prompt;
    let prompt_set = (1u32 << prompt) - 1;
    let target_set = ((1u32 << toy.length) - 1) & !prompt_set;
    let sets: Vec<Vec<bool>> =
        (1..1u32 << target).map(|set| (0..target).map(|n| set >> n & 1 == 1).collect()).collect();
    let (mut exact, mut public, mut ours) = (0.0, 0.0, 0.0);
    for (x, (word, q)) in toy.outcomes.iter().enumerate() {
        let word: Vec<u32> = word.iter().map(|&digit| digit.into()).collect();
        let (given, asked) = word.split_at(prompt);
        let calls: Vec<Call> = sets.iter().map(|hidden| Call { prompt: given, target: asked, hidden }).collect();
        let (mut by_count, mut found) = (vec![0.0; target], vec![0.0; target]);
        for (set, costs) in sets.iter().zip(costs(&model, &calls, &context.device)?) {
            let k = set.iter().filter(|hidden| **hidden).count();
            by_count[k - 1] += target as f64 / k as f64 * costs.iter().sum::<f64>();
            found[k - 1] += 1.0;
        }
        let drawn = (1..=target).flat_map(|first| published_counts(first, target, batch));
        let mean = drawn.map(|k| by_count[k - 1] / found[k - 1]).sum::<f64>() / (target * batch) as f64;
        let question = Question::new(given.to_vec(), vec![asked.to_vec()]);
        let estimation = ConditionalEstimation { exact: true, ..ConditionalEstimation::new(model.clone(), 8, 0) };
        let answer = estimation.run(&[question], &context.device, &elbow_base::Silent)?;
        exact += q * conditional_any_order_nll(&all, x, prompt_set, target_set);
        public += q * mean;
        ours -= q * answer[0].targets[0].log_likelihood;
    }
    let quantity = "public estimator's mean / exact bound − 1";
    let mut outcome = Outcome::exact(quantity, public / exact - 1.0, "1").over(toy.outcomes.len(), "sequences");
    outcome.detail("exact bound", exact, None, "nats");
    outcome.detail("public estimator's mean", public, None, "nats");
    outcome.detail("ours / exact bound − 1", ours / exact - 1.0, None, "1");
    Ok(outcome)
}

/// The variance of one call, nats squared, of each estimator of one target, and the variance that ours states.
struct Variances {
    independent: f64,
    public: f64,
    ours: f64,
    stated: f64,
}

impl CallsSaved {
    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let model = context.trained(&self.preset, &self.set)?;
        let conditional = ConditionalModel::of_run(&model)?;
        let questions = self.questions(context, &model)?;
        let variances = self.variances(context, &conditional, &questions)?;
        let of = |which: fn(&Variances) -> f64| variances.iter().map(which).collect::<Vec<f64>>();
        let (independent, public, ours) = (of(|v| v.independent), of(|v| v.public), of(|v| v.ours));
        let saved = ratio(&independent, &ours);
        let quantity = "calls with independent draws / calls here, at equal standard errors";
        let mut outcome = Outcome::estimated(quantity, saved, "1", "targets");
        outcome.estimate_detail("the same of the public batches", &ratio(&public, &ours), "1");
        outcome.estimate_detail("variance stated / variance over repetitions", &ratio(&of(|v| v.stated), &ours), "1");
        let draws = self.draws as f64;
        let error =
            |variances: &[f64], calls: f64| (variances.iter().sum::<f64>() / variances.len() as f64 / calls).sqrt();
        for (name, variances) in [("independent draws", &independent), ("public batches", &public), ("ours", &ours)] {
            outcome.detail(format!("standard error of {draws} calls: {name}"), error(variances, draws), None, "nats");
        }
        let calls: Vec<f64> = (0..5).map(|step| draws / 4.0 * f64::from(1 << step)).collect();
        let line = |variances: &[f64]| calls.iter().map(|&calls| error(variances, calls)).collect::<Vec<f64>>();
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for &calls in &calls {
            let estimation = ConditionalEstimation::new(conditional.clone(), calls as usize, context.seed);
            let answers = estimation.run(&questions, &context.device, context.bar.as_ref())?;
            let targets = || answers.iter().map(|answer| &answer.targets[0]);
            let count = answers.len() as f64;
            x.push(targets().map(|target| target.calls as f64).sum::<f64>() / count);
            y.push((targets().map(|target| target.standard_error.powi(2)).sum::<f64>() / count).sqrt());
        }
        outcome.figures.push(figure(
            "conditional-calls",
            "The error of a target's log-likelihood",
            &format!(
                "Root of the mean squared standard error of log p(target | prompt) over {} held-out targets of {} letters after {} of \
                 prompt, against the calls of the network per target. Independent: k uniform and one set of k hidden letters for \
                 each call. Public: k spread over a batch of {PUBLIC_BATCH} calls and rounded to even numbers, whose mean is another \
                 number where the length is short. Both lines are measured variances over the square root of the calls.",
                questions.len(), self.target, self.prompt
            ),
            vec![plot(
                "",
                log_axis("calls of the network per target"),
                log_axis("standard error, nats"),
                vec![
                    curve("independent draws", Style::Line, calls.clone(), line(&independent)),
                    curve("public batches", Style::Line, calls.clone(), line(&public)),
                    curve("sweeps with what other sweeps say", Style::LinePoints, x, y),
                ],
            )],
        ));
        outcome.made.push(inputs::weights(&model));
        Ok(outcome)
    }

    /// Windows of the test split, spread over it.
    fn questions(&self, context: &Context, model: &crate::runs::Trained) -> Result<Vec<Question>, Error> {
        let data = context.open(&model.settings.data(Split::Test))?;
        model.check_fits(data.as_ref())?;
        let apart = (data.len() / self.questions).max(1);
        let windows = data.select(&(0..self.questions).map(|i| i * apart).collect::<Vec<_>>())?;
        let cut = |row: &[u32]| {
            Question::new(row[..self.prompt].to_vec(), vec![row[self.prompt..self.prompt + self.target].to_vec()])
        };
        Ok(windows.rows().map(cut).collect())
    }

    fn variances(
        &self,
        context: &Context,
        model: &ConditionalModel,
        questions: &[Question],
    ) -> Result<Vec<Variances>, Error> {
        let key = Key::new(context.seed, "public draws");
        let mut ours: Vec<Vec<[f64; 3]>> = vec![Vec::new(); questions.len()];
        for repetition in 0..self.repetitions {
            let seed = key.fold(repetition as u64).number();
            let estimation = ConditionalEstimation::new(model.clone(), self.draws, seed);
            for (found, answer) in
                ours.iter_mut().zip(estimation.run(questions, &context.device, context.bar.as_ref())?)
            {
                let target = &answer.targets[0];
                found.push([target.log_likelihood, target.calls as f64, target.standard_error.powi(2)]);
            }
        }
        let count = self.repetitions * self.draws;
        context.bar.start(questions.len() as u64, "public estimators");
        let of = |(number, (question, ours)): (usize, (&Question, &Vec<[f64; 3]>))| {
            let mut rng = key.fold(1 << 32 | number as u64).rng();
            let counts: Vec<usize> = (0..count).map(|_| AnyOrder::count(open_uniform(&mut rng), self.target)).collect();
            let firsts = (0..count / PUBLIC_BATCH).map(|_| AnyOrder::count(open_uniform(&mut rng), self.target));
            let public: Vec<usize> = firsts
                .collect::<Vec<_>>()
                .iter()
                .flat_map(|&k| published_counts(k, self.target, PUBLIC_BATCH))
                .collect();
            let independent = self.drawn(context, model, question, &counts, &key.fold(1 << 33 | number as u64))?;
            let public = self.drawn(context, model, question, &public, &key.fold(1 << 34 | number as u64))?;
            let means: Vec<f64> =
                public.chunks(PUBLIC_BATCH).map(|batch| batch.iter().sum::<f64>() / batch.len() as f64).collect();
            let mean_of = |which: usize| ours.iter().map(|run| run[which]).sum::<f64>() / ours.len() as f64;
            context.bar.advance(1);
            let values: Vec<f64> = ours.iter().map(|run| run[0]).collect();
            Ok(Variances {
                independent: variance(&independent),
                public: variance(&means) * PUBLIC_BATCH as f64,
                ours: variance(&values) * mean_of(1),
                stated: mean_of(2) * mean_of(1),
            })
        };
        let found = questions.iter().zip(&ours).enumerate().map(of).collect();
        context.bar.finish();
        found
    }

    /// (L/k) times the costs of independent sets of these sizes, nats.
    fn drawn(
        &self,
        context: &Context,
        model: &ConditionalModel,
        question: &Question,
        counts: &[usize],
        key: &Key,
    ) -> Result<Vec<f64>, Error> {
        let set =
            |(draw, &k): (usize, &usize)| PermutationStream::new(1, self.target, &key.fold(draw as u64)).window(0, k);
        let sets: Vec<Vec<bool>> = counts.iter().enumerate().map(set).collect();
        let (prompt, target) = (&question.prompt[..], &question.targets[0][..]);
        let calls: Vec<Call> = sets.iter().map(|hidden| Call { prompt, target, hidden }).collect();
        let costs = costs(model, &calls, &context.device)?;
        let weighted = |(costs, &k): (&Vec<f64>, &usize)| self.target as f64 / k as f64 * costs.iter().sum::<f64>();
        Ok(costs.iter().zip(counts).map(weighted).collect())
    }
}

/// The variance of one of some independent numbers.
fn variance(numbers: &[f64]) -> f64 {
    Estimate::of(numbers).standard_error.powi(2) * numbers.len() as f64
}
