//! `elbow model`: models from outside.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use elbow_base::Error;
use elbow_harness::models::DataChoice;
use elbow_harness::outside::{Finding, OutsideModel, Verdict};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use serde_json::json;

use crate::flags::{RuntimeFlag, one_of};

#[derive(Subcommand)]
pub enum Task {
    /// Probe a model file for mistakes that would make every number wrong
    Check(CheckArguments),
}

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow model check denoiser.toml
  elbow model check denoiser.toml --dataset ./test.txt --json

The network is called on corrupted sequences of the data, and each statement of the file is compared
with its rivals: another id of the mask, other ids of the data, another frame, another meaning of the
time or of the output, another schedule. A rival must save 2 % of the cost, and all rivals of a
statement together are better by chance with a probability of at most 1 in 10,000. Also probed:
outputs that are not finite, that change from call to call, or that depend on the other sequences of
a batch or on padding. Exit code 2 where something is wrong.")]
pub struct CheckArguments {
    /// The model file (TOML)
    file: PathBuf,
    /// Another data set than the file's, by name or file
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Part of the data set; images have train and test
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = one_of::<Split>())]
    split: Split,
    /// Tokens per sequence, for a network that takes any, 1 to 1,000,000 [default: 64]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    length: Option<u32>,
    /// Each line of the text is a sequence of its own length; the probes take the beginnings of lines, cut to one length
    #[arg(long, conflicts_with = "length")]
    lines: bool,
    #[command(flatten)]
    runtime: RuntimeFlag,
}

/// The exit code.
pub fn run(workspace: &Workspace, task: &Task) -> Result<u8, Error> {
    let Task::Check(arguments) = task;
    let runtime = arguments.runtime.find(workspace)?;
    let model = OutsideModel::load(&arguments.file, runtime)?;
    let length = arguments.length.map(|length| length as usize);
    let choice = DataChoice { dataset: arguments.dataset.clone(), length, ..DataChoice::new(arguments.split) };
    let data: Option<Box<dyn Dataset>> = match arguments.lines || model.is_of_lines() {
        true => match model.lines(&choice)? {
            Some(lines) => Some(Box::new(lines.cut()?)),
            None => None,
        },
        false => model.data(workspace, &choice)?,
    };
    let length = model.length(length)?;
    let findings = model.probe(data.as_deref(), length, workspace.seed, &workspace.device)?;
    let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    let over = data.as_ref().map(|data| data.name());
    let result = json!({
        "file": arguments.file, "network_hash": model.hash(), "runtime": model.runtime(), "dataset": over, "wrong": wrong,
        "findings": findings,
    });
    workspace.print(&result, || {
        let mut lines: Vec<String> = findings.iter().map(line).collect();
        lines.push(match (wrong, over) {
            (0, Some(over)) => format!("nothing is wrong, on {over}"),
            (0, None) => "nothing is wrong on random tokens; name data for more probes: --dataset NAME".to_owned(),
            (1, _) => "1 probe found a mistake".to_owned(),
            (wrong, _) => format!("{wrong} probes found a mistake"),
        });
        lines.join("\n")
    })?;
    Ok(if wrong == 0 { 0 } else { 2 })
}

fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Good => "ok   ",
        Verdict::Wrong => "WRONG",
        Verdict::Note => "note ",
    };
    format!("{mark}  {:14} {}", finding.probe, finding.detail)
}
