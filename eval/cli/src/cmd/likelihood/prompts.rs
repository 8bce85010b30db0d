//! `elbow likelihood --prompts`: the likelihood of targets given prompts.

use std::path::PathBuf;

use clap::Args;
use elbow_base::{Error, Estimate};
use elbow_harness::claims::Outcome;
use elbow_harness::likelihood::conditional::{
    Answer, ConditionalEstimation, ConditionalModel, Normalisation, PromptFile, Stop, Summary,
};
use elbow_harness::models::AnyModel;
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use serde_json::json;

use crate::flags::{ThresholdFlags, one_of, probability};

/// Calls of the network per target where none are asked for.
const DRAWS: u32 = 64;

/// Answers that are shown; --json has all.
const SHOWN: usize = 20;

#[derive(Args)]
pub struct PromptFlags {
    /// The log-likelihood of targets given prompts, one JSON object per line: {"prompt": "...", "target": "..."} or, for a choice,
    /// {"prompt": "...", "targets": ["...", "..."], "answer": 0}; ids of tokens may stand for a text
    #[arg(long, value_name = "FILE", conflicts_with_all = ["length", "lines", "dataset", "other_data", "split", "estimator", "sequences", "ode", "frame", "documents", "detokenizer", "shard"])]
    prompts: Option<PathBuf>,
    /// With --target-se or --error-probability: most calls of the network per target, 1 to 100,000
    #[arg(long, value_name = "N", default_value_t = 1024, requires = "prompts", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_draws: u32,
    /// Choices: draw, where the ranking is undecided, until the best target is the wrong one with at most this probability, in
    /// (0, 1]
    #[arg(long, value_name = "P", requires = "prompts", conflicts_with = "target_se", value_parser = probability)]
    error_probability: Option<f64>,
    /// Choices: what a log-likelihood is divided by before it is compared
    #[arg(long, value_name = "NAME", default_value = "none", requires = "prompts", value_parser = one_of::<Normalisation>())]
    normalisation: Normalisation,
    /// No draws: all 2^L - 1 sets of hidden tokens of a target, of up to 16 tokens
    #[arg(long, requires = "prompts", conflicts_with_all = ["draws", "max_draws", "error_probability", "target_se"])]
    exact: bool,
}

/// The options of the verb that hold here too.
pub struct Common<'a> {
    pub draws: Option<u32>,
    pub target_se: Option<f64>,
    pub threshold: &'a ThresholdFlags,
}

impl PromptFlags {
    /// Whether there are prompts.
    pub fn is_given(&self) -> bool {
        self.prompts.is_some()
    }

    pub fn run(&self, workspace: &Workspace, model: &AnyModel, common: &Common) -> Result<u8, Error> {
        let path = self.prompts.as_ref().ok_or_else(|| Error::internal("checked: --prompts"))?;
        let file = PromptFile::load(path, model.alphabet()?.as_ref(), self.normalisation)?;
        let conditional = ConditionalModel::of(model)?;
        let protocol = conditional.protocol();
        let draws = common.draws.unwrap_or(DRAWS) as usize;
        let stop = match (self.error_probability, common.target_se) {
            (Some(probability), _) => Stop::ErrorProbability(probability),
            (None, Some(error)) => Stop::StandardError(error),
            (None, None) => Stop::Draws,
        };
        let estimation = ConditionalEstimation {
            max_draws: draws.max(self.max_draws as usize),
            stop,
            exact: self.exact,
            ..ConditionalEstimation::new(conditional, draws, workspace.seed)
        };
        let work = || estimation.run(&file.questions, &workspace.device, workspace.bar.as_ref());
        let answers = model.calls(work).map_err(|e| e.of(path.display()))?;
        let summary = Summary::new(&answers, &file.answers)?;
        let first = first_number(&summary);
        if let (Some(flag), None) = (common.threshold.given(), &first) {
            let what = format!("{flag}: there is no mean over questions");
            return Err(Error::input(what, "leave it out, or give two targets or two choices with answers"));
        }
        let inputs = model.inputs_beside(file.input.clone());
        let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs);
        let protocol: serde_json::Map<String, serde_json::Value> =
            protocol.into_iter().map(|(name, choice)| (name.to_owned(), json!(choice))).collect();
        let mut result = json!({
            "conditional": {
                "summary": summary,
                "unit": "nats",
                "normalisation": self.normalisation.to_string(),
                "protocol": protocol,
                "answers": answers,
            },
            "provenance": block,
        });
        for (name, fact) in model.facts() {
            result[name] = fact;
        }
        let rulings = first.map(|first| common.threshold.judge(&first));
        rulings.iter().for_each(|rulings| rulings.add_to(&mut result));
        workspace.print(&result, || {
            let lines = describe(&summary, &answers, &result["conditional"]["protocol"]);
            rulings.iter().fold(lines, |lines, rulings| rulings.below(lines, "questions"))
        })?;
        Ok(rulings.map_or(0, |rulings| rulings.exit_code()))
    }
}

/// The number that thresholds judge: the accuracy, or the bits per token.
fn first_number(summary: &Summary) -> Option<Outcome> {
    let accuracy = summary.accuracy.map(|e| Outcome::estimated("accuracy", e, "1", "questions"));
    accuracy.or_else(|| summary.bits_per_token.map(|e| Outcome::estimated("code length", e, "bits/token", "targets")))
}

fn describe(summary: &Summary, answers: &[Answer], protocol: &serde_json::Value) -> String {
    let mut lines = Vec::new();
    let number = |e: &Estimate| format!("{:.4} +- {:.4}", e.value, e.standard_error);
    if let (Some(accuracy), Some([low, high])) = (&summary.accuracy, summary.accuracy_range) {
        lines.push(format!(
            "accuracy {} over {} questions (standard error over questions); {} undecided: {low:.4} to {high:.4} as they fall",
            number(accuracy),
            accuracy.n,
            summary.undecided
        ));
    } else if summary.undecided > 0 {
        lines.push(format!("{} of {} rankings are undecided", summary.undecided, summary.questions));
    }
    if let Some(bits) = &summary.bits_per_token {
        lines.push(format!(
            "-log p(target | prompt) {} bits/token (error of a ratio over {} targets)",
            number(bits),
            bits.n
        ));
    }
    lines.push(format!(
        "  {} questions, {} sequences through the network; largest standard error {:.4} nats, over sweeps of the draws",
        summary.questions, summary.calls, summary.largest_standard_error
    ));
    let known = protocol.as_object().into_iter().flatten();
    lines.extend(known.map(|(name, choice)| format!("  {name}: {}", choice.as_str().unwrap_or_default())));
    lines.extend((1..).zip(answers.iter().take(SHOWN)).flat_map(|(number, answer)| answer_lines(number, answer)));
    if answers.len() > SHOWN {
        lines.push(format!("... and {} more: --json has all", answers.len() - SHOWN));
    }
    lines.join("\n")
}

/// A question's targets, and which is the best.
fn answer_lines(number: usize, answer: &Answer) -> Vec<String> {
    let target = |(at, target): (usize, &elbow_harness::likelihood::conditional::TargetLikelihood)| {
        let (error, over) = match target.sweeps {
            0 => (String::new(), String::new()),
            sweeps => (format!(" +- {:.4}", target.standard_error), format!(" over {sweeps} sweeps")),
        };
        let (value, tokens, calls) = (target.log_likelihood, target.tokens, target.calls);
        let place = if answer.targets.len() > 1 { format!("{number}.{at}") } else { number.to_string() };
        format!("{place:>6}  log p {value:.4}{error} nats{over}, {tokens} tokens, {calls} calls")
    };
    let mut lines: Vec<String> = answer.targets.iter().enumerate().map(target).collect();
    if let Some(ranking) = &answer.ranking {
        let verdict = if ranking.decided { "" } else { ", undecided" };
        lines.push(format!(
            "        best {} before {} by {:.4} +- {:.4}; wrong with probability {} at most{verdict}",
            ranking.best,
            ranking.rival,
            ranking.difference.value,
            ranking.difference.standard_error,
            if ranking.error_probability == 0.0 {
                "0".to_owned()
            } else {
                format!("{:.1e}", ranking.error_probability)
            }
        ));
    }
    lines
}
