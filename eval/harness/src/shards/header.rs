//! What shapes the numbers of a shard.

use elbow_base::{Error, hash::sha256};
use elbow_reports::record::Input;
use serde::{Deserialize, Serialize};

use super::Part;
use crate::provenance;

/// The version of the file's form.
pub(super) const FORMAT: u32 = 1;

/// The first line of a shard's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the file's form.
    pub elbow_shard: u32,
    /// The part.
    pub shard: Part,
    /// The words of the command without the program, the shard, and what changes no number: output, progress.
    pub command: Vec<String>,
    /// Rounds of sequences, where a standard error is to be reached.
    pub rounds: Option<usize>,
    /// The program.
    pub program: Program,
    /// What the numbers are of.
    pub inputs: Vec<Input>,
    /// The processor, which decides the last digits of a network's outputs.
    pub machine: Option<String>,
}

/// The program that made a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Version of elbow.
    pub version: String,
    /// Versions of the code behind each kind of number.
    pub subsystems: String,
    /// Revision of the source.
    pub revision: String,
    /// Whether the source was changed since.
    pub dirty: bool,
    /// SHA-256 of the program. Builds of one revision for other processors differ in it.
    pub sha256: String,
}

impl Program {
    /// The running one.
    pub fn running() -> Self {
        let block = provenance::block(0, "", String::new(), Vec::new());
        Self {
            version: block.version,
            subsystems: provenance::subsystems(),
            revision: block.git_revision,
            dirty: block.git_dirty,
            sha256: block.program_hash,
        }
    }

    /// Whether both give the same numbers: one revision of the source, or one file where the source was changed.
    fn is_same(&self, other: &Self) -> bool {
        let source = |one: &Self| (one.version.clone(), one.subsystems.clone(), one.revision.clone(), one.dirty);
        source(self) == source(other) && (!self.dirty || self.sha256 == other.sha256)
    }

    fn in_words(&self) -> String {
        let Self { version, revision, subsystems, dirty, sha256 } = self;
        let changed = if *dirty { format!(", changed, program {sha256:.8}") } else { String::new() };
        format!("elbow {version} ({revision:.12}{changed}; {subsystems})")
    }
}

impl Header {
    /// The header of a part of this command by the running program.
    pub fn new(shard: Part, command: Vec<String>, rounds: Option<usize>) -> Self {
        let machine = provenance::block(0, "", String::new(), Vec::new()).machine;
        Self { elbow_shard: FORMAT, shard, command, rounds, program: Program::running(), inputs: Vec::new(), machine }
    }

    /// A short name of the command.
    pub fn key(&self) -> String {
        sha256(self.command.join("\n").as_bytes())[..8].to_owned()
    }

    /// The command that makes a part.
    pub fn command_of(&self, part: &str) -> String {
        let words = self.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let rounds = self.rounds.map_or(String::new(), |rounds| format!(" --rounds {rounds}"));
        format!("elbow {words} --shard {part}{rounds}")
    }

    /// Refuses units of another header, but for the part and the rounds. `names` say whose the headers are: this one's, the
    /// other's.
    pub fn check_same(&self, other: &Self, names: [&str; 2]) -> Result<(), Error> {
        let [this, that] = names;
        if !self.program.is_same(&other.program) {
            let [one, two] = [self, other].map(|header| header.program.in_words());
            let what = format!("another program: {that} is of {two}, {this} of {one}");
            return Err(Error::input(what, "make all shards and merge them with one program"));
        }
        if self.command != other.command {
            let [one, two] = differing(&self.command, &other.command);
            let what = format!("other settings: {that} is of `{two}`, {this} of `{one}`");
            return Err(Error::input(what, "give the same command to every shard, in the same words"));
        }
        check_inputs(&self.inputs, &other.inputs, names)
    }
}

/// Refuses other inputs.
pub(super) fn check_inputs(inputs: &[Input], others: &[Input], [this, that]: [&str; 2]) -> Result<(), Error> {
    let differing = inputs.iter().zip(others).find(|(one, other)| one != other);
    let words = |input: &Input| format!("{} {:.12}", input.name, input.sha256);
    let what = match differing {
        Some((one, other)) => format!("other inputs: {that} is of {}, {this} of {}", words(other), words(one)),
        None if inputs.len() != others.len() => format!("{that} has {} inputs, {this} {}", others.len(), inputs.len()),
        None => return Ok(()),
    };
    Err(Error::input(what, "make the shards of one model and of the same data"))
}

/// The first words in which two commands differ: an option with its value.
fn differing(one: &[String], other: &[String]) -> [String; 2] {
    let at = one.iter().zip(other).position(|(a, b)| a != b).unwrap_or(one.len().min(other.len()));
    let is_option = |words: &[String], at: usize| words.get(at).is_some_and(|word| word.starts_with("--"));
    let from = at - usize::from(at > 0 && is_option(one, at - 1));
    [one, other].map(|words| {
        let end = at + 1 + usize::from(is_option(words, at));
        words[from.min(words.len())..end.min(words.len())].join(" ")
    })
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(words: &str) -> Header {
        let part = Part::new(2, 3).expect("a part");
        Header::new(part, words.split(' ').map(str::to_owned).collect(), None)
    }

    #[test]
    fn what_differs_is_named() {
        let one = header("likelihood --checkpoint run --draws 4");
        let told = |other: &Header| one.check_same(other, ["a", "b"]).expect_err("they differ").what;
        assert_eq!(one.check_same(&one, ["a", "a"]).ok(), Some(()));
        let what = told(&header("likelihood --checkpoint run --draws 8"));
        assert_eq!(what, "other settings: b is of `--draws 8`, a of `--draws 4`");
        let what = told(&header("likelihood --checkpoint run --draws 4 --seed 1"));
        assert_eq!(what, "other settings: b is of `--seed 1`, a of ``");
        let mut other = one.clone();
        other.program.version = "0.0.9".into();
        assert!(told(&other).starts_with("another program: b is of elbow 0.0.9 ("), "{}", told(&other));
        let mut other = one.clone();
        other.inputs.push(Input { name: "text".into(), sha256: "ab".into() });
        assert_eq!(told(&other), "b has 1 inputs, a 0");
        let mut rounds = one.clone();
        rounds.rounds = Some(3);
        rounds.shard.number = 1;
        assert!(one.check_same(&rounds, ["a", "b"]).is_ok(), "neither part nor rounds shape a unit");
    }

    #[test]
    fn a_command_is_one_for_a_shell() {
        let command = header("sample --infill it's").command_of("2/3");
        assert_eq!(command, r"elbow sample --infill 'it'\''s' --shard 2/3");
    }
}
