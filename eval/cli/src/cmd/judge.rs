//! `elbow judge`: the bound of a program that keeps its network.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::losses::{Answers, NoiseFile, judge_in};
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_reports::record::Input;
use serde_json::json;

use crate::flags::{ShardFlags, ThresholdFlags, shard};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow judge losses.npz --noise noise.npz
  elbow judge losses.npz --noise noise.npz --json

LOSSES holds id, copied from the file of noise, and one of these arrays:

  log_probabilities  [n, length]      natural logarithm of the model's probability of the token itself,
                                      where it is hidden; what stands elsewhere is not read
  logits             [n, length, V]   of all values, perhaps with one more column for the mask; the
                                      processes d3pm-* need these
  eps, x, v or velocity  [n, length]  for points: the prediction of the noise, of the data, of
                                      v = alpha eps - sigma x, or of eps - x

The bound is the one that `elbow likelihood` gives for the same data, draws, seed and objective.")]
pub struct Arguments {
    /// The answers of the program (npz)
    losses: PathBuf,
    /// The noise that it was given, from `elbow noise` (npz)
    #[arg(long, value_name = "FILE")]
    noise: PathBuf,
    #[command(flatten)]
    pub shard: ShardFlags,
    #[command(flatten)]
    threshold: ThresholdFlags,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    let noise = NoiseFile::read(&arguments.noise)?;
    let answers = Answers::load(&arguments.losses, &noise)?;
    let data = &noise.settings.data;
    let inputs = [
        Input { name: data.name.clone(), sha256: data.sha256.clone() },
        Input { name: "noise".to_owned(), sha256: noise.id() },
        provenance::file_input(&arguments.losses)?,
    ];
    workspace.shards.of(&inputs, workspace.bar.as_ref())?;
    let found = judge_in(&noise, &answers, &workspace.shards, &workspace.device, workspace.bar.as_ref())?;
    let Some(bound) = found else { return shard::finish(workspace) };
    let block = provenance::block(noise.settings.seed, &workspace.device_name, String::new(), inputs.to_vec());
    let rulings = arguments.threshold.judge(&super::likelihood::judged(&bound));
    let mut result = json!({ "nelbo": bound, "noise": noise.settings, "provenance": block });
    rulings.add_to(&mut result);
    workspace.print(&result, || rulings.below(super::likelihood::describe(&bound, false, None), "sequences"))?;
    Ok(rulings.exit_code())
}
