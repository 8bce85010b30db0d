//! A part of a command's work, for several machines.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use elbow_base::Error;
use elbow_harness::shards::{Part, Shards};
use elbow_harness::workspace::Workspace;

use super::form;

/// The option that makes a command one of several parts.
#[derive(Args)]
pub struct ShardFlags {
    /// Only part M of N of the work, as 3/8: the same command with every M, on any machines, then `elbow merge`. `env` takes M and
    /// N from RANK and WORLD_SIZE, or from the variables of a Slurm job array
    #[arg(long, value_name = "M/N|env", value_parser = form::<Choice>)]
    shard: Option<Choice>,
}

/// The option that bounds the work of a part where a standard error ends it.
#[derive(Args)]
pub struct RoundsFlag {
    /// Rounds of 128 sequences in which all shards together go through the data, where --target-se is to end them, 1 or more
    #[arg(long, value_name = "R", requires_all = ["shard", "target_se"], value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
}

/// A part, by number or from the environment.
#[derive(Clone, Copy)]
enum Choice {
    Part(Part),
    Environment,
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "env" { Ok(Self::Environment) } else { text.parse().map(Self::Part) }
    }
}

/// What a command is a part of.
pub struct PartOf<'a> {
    /// The verb, which may be one of several parts.
    pub verb: &'static str,
    /// Its part.
    pub shard: &'a ShardFlags,
    /// Rounds of each part, where a standard error is to be reached.
    pub rounds: Option<usize>,
}

impl ShardFlags {
    /// Whether a part was asked for.
    pub fn is_given(&self) -> bool {
        self.shard.is_some()
    }

    /// The same for a verb.
    pub fn of(&self, verb: &'static str, rounds: Option<usize>) -> PartOf<'_> {
        PartOf { verb, shard: self, rounds }
    }
}

impl PartOf<'_> {
    /// The part of the command that has these words, with its file below `out`.
    pub fn shards(&self, words: &[String], out: &Path) -> Result<Shards, Error> {
        let part = match self.shard.shard {
            None => return Ok(Shards::whole()),
            Some(Choice::Part(part)) => part,
            Some(Choice::Environment) => Part::of_environment(|name| std::env::var(name).ok())?,
        };
        Ok(Shards::part(part, self.verb, of_all_parts(words), self.rounds, out))
    }
}

impl RoundsFlag {
    /// The rounds of each part, which a target needs: no part knows the error of all.
    pub fn rounds(&self, shard: &ShardFlags, target_se: Option<f64>) -> Result<Option<usize>, Error> {
        match (self.rounds, target_se) {
            (None, Some(target)) if shard.is_given() => {
                let what = format!("--target-se {target}: no shard knows the standard error of all");
                Err(Error::input(
                    what,
                    "say for how many rounds of 128 sequences: --rounds 8; `elbow merge` says whether they are enough",
                ))
            }
            (rounds, _) => Ok(rounds.map(|rounds| rounds as usize)),
        }
    }
}

/// The words of a command without those that differ between its parts, or that change no number.
pub fn of_all_parts(words: &[String]) -> Vec<String> {
    let mut words = words.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--shard" | "--rounds" | "--out" => drop(words.next()),
            "--json" | "--quiet" | "-q" => {}
            word if ["--shard=", "--rounds=", "--out="].iter().any(|option| word.starts_with(option)) => {}
            word => kept.push(word.to_owned()),
        }
    }
    kept
}

/// Closes the file of a part, and says what comes next; the exit code.
pub fn finish(workspace: &Workspace) -> Result<u8, Error> {
    let done = workspace.shards.finish()?;
    workspace.print(&done, || {
        let units = if done.units == 1 { "1 unit".to_owned() } else { format!("{} units", done.units) };
        let (file, folder) = (done.file.display(), done.folder.display());
        format!(
            "shard {}: {units}\n{file}\nnext: elbow merge {folder}    # when all {} are there",
            done.shard, done.shard.of
        )
    })?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_command_have_the_same_words() {
        let words = |text: &str| of_all_parts(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ");
        let plain = "likelihood --checkpoint run --seed 3";
        assert_eq!(words("likelihood --shard 2/3 --checkpoint run --json --out there --seed 3 -q"), plain);
        assert_eq!(words("--quiet likelihood --checkpoint run --shard=env --seed 3 --rounds=4 --out=x"), plain);
        assert_ne!(words("likelihood --checkpoint run --seed 4"), plain, "witness: what shapes the numbers stays");
    }
}
