//! `elbow merge`: the shards of one command, put together.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::shards::{Merged, Shards, Unmet};
use elbow_harness::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow likelihood --checkpoint out/runs/md4-digits --shard 1/3    # and 2/3, 3/3, anywhere
  elbow merge out/shards/likelihood-4f1c2a90
  elbow merge from-a/1-of-3.jsonl from-b/2-of-3.jsonl from-c/3-of-3.jsonl --json

The result, files included, has the bytes of the command without --shard, but for times. It is made
by the same code: the command is run again with the numbers of the shards in place of its network,
so the model and the data must be here too. Shards that are missing, there twice, of another
program, of other settings or of other inputs are refused. Where --target-se was not reached by the
rounds of the shards, the next command is printed, with exit code 1.")]
pub struct Arguments {
    /// Files of shards, or folders that hold them
    #[arg(required = true, value_name = "DIR|FILE")]
    places: Vec<PathBuf>,
}

/// Runs a command by its words, in a workspace that has the numbers of its shards.
type Again = fn(&[String], &mut Workspace) -> Result<u8, Error>;

pub fn run(workspace: &mut Workspace, arguments: &Arguments, again: Again) -> Result<u8, Error> {
    let shards = Merged::read(&arguments.places)?;
    let words = shards.command().to_vec();
    workspace.shards = Shards::merged(shards);
    let done = again(&words, workspace);
    match workspace.shards.unmet() {
        None => done,
        Some(unmet) => {
            workspace.print(&serde_json::json!({ "unmet": unmet }), || describe(&unmet))?;
            Ok(1)
        }
    }
}

fn describe(unmet: &Unmet) -> String {
    let Unmet { target_se, standard_error, rounds, rounds_needed, shards, next } = unmet;
    let of = if *rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
    format!(
        "the standard error is {standard_error:.6} after {of}, above the target {target_se}: about {rounds_needed} rounds are needed\n\
         next, for each m from 1 to {shards}: {next}    # goes on after the rounds that are done"
    )
}
