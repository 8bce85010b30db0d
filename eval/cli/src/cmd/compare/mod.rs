//! `elbow compare`: the difference of two models, or of two sets of images, with its error.

mod models;
mod sets;

use clap::Args;
use elbow_base::{Error, Estimate};
use elbow_harness::claims::Outcome;
use elbow_harness::images::Metric;
use elbow_harness::likelihood::Estimator;
use elbow_harness::threshold::{Holds, Ruling, Threshold};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::Split;

use super::fid::flags::{ImageFlags, NetworkFlags};
use crate::flags::{RoundsFlag, ShardFlags, TextFlags, ThresholdFlags, one_of, positive};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow compare out/runs/md4-digits out/runs/mdlm-digits
  elbow compare out/runs/new denoiser.toml --dataset digits --at-most 0
  elbow compare out/runs/new out/runs/old --target-se 0.005 --equals 0 --within 0.02
  elbow compare out/runs/new out/runs/old --shard 1/3    # a third; then elbow merge
  elbow compare samples-a.npz samples-b.npz --reference cifar10:train --network inception.onnx

Two models: the difference A - B of their bounds on the same sequences. Both are called with
the same corrupted inputs wherever their processes allow it; the error is that of the differences,
sequence by sequence. Below 0, A is better.

Two sets, with --reference: the difference of their distances. The same blocks of images are left out
of both. Both sets must have one size.

Exit code 1 where a threshold does not hold.")]
pub struct Arguments {
    /// A: folder of a training run, or a model file; with --reference, a set of generated images or features
    a: String,
    /// B, whose number is subtracted
    b: String,
    #[command(flatten)]
    models: ModelArguments,
    #[command(flatten)]
    text: TextFlags,
    /// Compare sets: the reference of their distances, as in `elbow fid calc`
    #[arg(long, value_name = "SET", conflicts_with_all = ["ModelArguments", "TextFlags", "ShardFlags"])]
    reference: Option<String>,
    /// What to measure of sets, separated by commas: fd, kid, mind [default: fd,kid]
    #[arg(long, value_delimiter = ',', value_name = "NAMES", requires = "reference", value_parser = one_of::<Metric>())]
    metrics: Vec<Metric>,
    /// Disjoint blocks of images that are left out of A and B in turn, 2 to 50 [default: 10]
    #[arg(long, requires = "reference", value_parser = clap::value_parser!(u32).range(2..=50))]
    blocks: Option<u32>,
    #[command(flatten)]
    network: NetworkFlags,
    #[command(flatten)]
    images: ImageFlags,
    #[command(flatten)]
    pub shard: ShardFlags,
    #[command(flatten)]
    rounds: RoundsFlag,
    #[command(flatten)]
    threshold: ThresholdFlags,
}

/// Options of two models.
#[derive(Args)]
#[group(id = "ModelArguments", multiple = true)]
struct ModelArguments {
    /// Another data set than the models' own, by name or file
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Accept data that are not those of training, although they have their name; the result says so
    #[arg(long)]
    other_data: bool,
    /// Part of the data set; images have train and test [default: test]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Split>())]
    split: Option<Split>,
    /// Tokens per sequence of a text, for models from outside that take any, 1 to 1,000,000
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    length: Option<u32>,
    /// Stratified draws of the noise for each sequence, 1 to 100,000 [default: 8]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: Option<u32>,
    /// Estimator of both bounds; auto takes k-dce where it estimates both, and objective where only one network sees the time
    /// [default: auto]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Estimator>())]
    estimator: Option<Estimator>,
    /// Only the first N sequences of the split, 2 or more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    sequences: Option<u64>,
    /// Stop at this standard error, above 0, of the difference: sequences are taken in random order, 128 or more at a time, until it is
    /// reached
    #[arg(long, value_name = "SE", value_parser = positive)]
    target_se: Option<f64>,
}

impl Arguments {
    /// Whether sets are compared: a feature network has a device of its own.
    pub fn is_of_sets(&self) -> bool {
        self.reference.is_some()
    }

    /// The rounds of each shard.
    pub fn rounds(&self) -> Result<Option<usize>, Error> {
        self.rounds.rounds(&self.shard, self.models.target_se)
    }
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    match &arguments.reference {
        Some(reference) => sets::run(workspace, arguments, reference),
        None => models::run(workspace, arguments),
    }
}

/// A difference A - B as what a threshold judges.
fn outcome(difference: Estimate, unit: &str, n_unit: &str) -> Outcome {
    Outcome::estimated("A - B", difference, unit, n_unit)
}

/// Whether A - B is below 0: then A is better, or closer to the reference.
fn sign(difference: &Outcome) -> Ruling {
    Threshold::AtMost(0.0).judge(difference)
}

/// The better side, `undecided`, or neither where nothing differs.
fn better(difference: &Estimate, sign: &Ruling) -> &'static str {
    match sign.verdict {
        _ if difference.value == 0.0 && difference.standard_error == 0.0 => "neither",
        Holds::Holds => "A",
        Holds::DoesNotHold => "B",
        Holds::Undecided => "undecided",
    }
}

/// The same in words: `is_better` says what the better side is, and `units` what there would have to be more of.
fn verdict(difference: &Estimate, sign: &Ruling, is_better: &str, units: &str) -> String {
    let interval = sign
        .interval
        .as_ref()
        .map_or(String::new(), |interval| format!("95 % interval {:.4} to {:.4}", interval.low, interval.high));
    match (better(difference, sign), sign.more) {
        ("undecided", Some(more)) => {
            format!("undecided: {interval}; about {more:.1} times as many {units} would decide (power 80 %)")
        }
        ("undecided", None) => format!("undecided: {interval}"),
        ("neither", _) => "no difference at all".to_owned(),
        (side, _) => format!("{side} is {is_better} by {:.4}: {interval}", difference.value.abs()),
    }
}
