//! One work by several processes that know nothing of each other.
//!
//! A verb hands its units of work (sequences that are corrupted together, batches of samples, claims) to [`Shards::map`], and
//! goes on with the numbers of all units, in order. A process that does the whole work computes them all; a shard computes its
//! own, writes them to its file and ends there; `elbow merge` runs the verb again and takes the numbers from the files. So what
//! is made of the numbers is one code, and the result has the same bytes however the work was split.

mod file;
mod header;
mod merged;
mod part;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use elbow_base::{Error, Progress};
use elbow_impls::Workers;
use elbow_reports::record::Input;
use serde::Serialize;
use serde::de::DeserializeOwned;

use file::Writer;
pub use header::{Header, Program};
pub use merged::Merged;
pub use part::Part;

/// The part of a command's work that this process does.
pub struct Shards(Role);

enum Role {
    Whole,
    Part(Box<Own>),
    Merged { shards: Box<Merged>, unmet: Mutex<Option<Unmet>> },
}

/// A part that this process does.
struct Own {
    header: Header,
    path: PathBuf,
    writer: Mutex<Option<Writer>>,
}

/// A standard error that the rounds of the shards did not reach.
#[derive(Clone, Debug, Serialize)]
pub struct Unmet {
    /// The one that was to be reached, bits per token.
    pub target_se: f64,
    /// The one that the rounds gave.
    pub standard_error: f64,
    /// The rounds that were made.
    pub rounds: usize,
    /// About how many are needed, and at most as many as there are.
    pub rounds_needed: usize,
    /// Number of shards.
    pub shards: usize,
    /// The command for each shard: m stands for its number.
    pub next: String,
}

/// A finished shard.
#[derive(Clone, Debug, Serialize)]
pub struct Finished {
    /// The part.
    pub shard: Part,
    /// Its file.
    pub file: PathBuf,
    /// Number of its units.
    pub units: usize,
    /// The folder of the file.
    pub folder: PathBuf,
}

impl Default for Shards {
    fn default() -> Self {
        Self::whole()
    }
}

impl Shards {
    /// The whole work.
    pub fn whole() -> Self {
        Self(Role::Whole)
    }

    /// A part of the work of a `verb`'s command, written below `folder`.
    pub fn part(part: Part, verb: &str, command: Vec<String>, rounds: Option<usize>, folder: &Path) -> Self {
        let header = Header::new(part, command, rounds);
        let folder = folder.join("shards").join(format!("{verb}-{}", header.key()));
        let path = folder.join(format!("{}-of-{}.jsonl", part.number, part.of));
        Self(Role::Part(Box::new(Own { header, path, writer: Mutex::new(None) })))
    }

    /// The work of all parts.
    pub fn merged(shards: Merged) -> Self {
        Self(Role::Merged { shards: Box::new(shards), unmet: Mutex::new(None) })
    }

    /// Whether this process does the whole work.
    pub fn is_whole(&self) -> bool {
        matches!(self.0, Role::Whole)
    }

    /// Whether this process does a part.
    pub fn is_part(&self) -> bool {
        matches!(self.0, Role::Part(_))
    }

    /// The place for what a part makes beside its numbers: none where it does not do a part.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.0 {
            Role::Part(own) => Some(own.path.with_extension("")),
            _ => None,
        }
    }

    /// Says what the work is of, before the first unit. A part opens its file, and goes on where an earlier call of the same
    /// command stopped; shards of other inputs are refused.
    pub fn of(&self, inputs: &[Input], bar: &dyn Progress) -> Result<(), Error> {
        match &self.0 {
            Role::Whole => Ok(()),
            Role::Merged { shards, .. } => shards.check_inputs(inputs),
            Role::Part(own) => {
                let header = Header { inputs: inputs.to_vec(), ..own.header.clone() };
                let (writer, done) = Writer::begin(&own.path, &header)?;
                if done > 0 {
                    bar.say(&format!("shard {}: {done} units are done already", header.shard));
                }
                *own.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
                Ok(())
            }
        }
    }

    /// Number of units that this process computes.
    pub fn count(&self, stream: &str, units: Range<usize>) -> usize {
        match &self.0 {
            Role::Whole => units.len(),
            Role::Merged { .. } => 0,
            Role::Part(own) => own.open(stream, units).len(),
        }
    }

    /// The values of some units of a stream, in order; none in a part, which has only its own.
    pub fn map<T: Serialize + DeserializeOwned + Send>(
        &self,
        stream: &str,
        units: Range<usize>,
        work: impl Fn(usize) -> Result<T, Error> + Sync,
    ) -> Result<Option<Vec<T>>, Error> {
        let on_workers = |units: &[usize], work: &(dyn Fn(usize) -> Result<T, Error> + Sync)| {
            Workers::new(usize::MAX).map(units, |_, &unit| work(unit)).into_iter().collect::<Result<Vec<T>, Error>>()
        };
        match &self.0 {
            Role::Whole => on_workers(&units.collect::<Vec<_>>(), &work).map(Some),
            Role::Merged { shards, .. } => {
                units.map(|unit| shards.value(stream, unit)).collect::<Result<_, _>>().map(Some)
            }
            Role::Part(own) => {
                let recorded = |unit: usize| {
                    let value = work(unit)?;
                    own.add(stream, unit, &value)?;
                    Ok(value)
                };
                on_workers(&own.open(stream, units), &recorded).map(|_| None)
            }
        }
    }

    /// The value of one unit, which is computed by this thread; none in a part.
    pub fn unit<T: Serialize + DeserializeOwned>(
        &self,
        stream: &str,
        unit: usize,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match &self.0 {
            Role::Whole => work().map(Some),
            Role::Merged { shards, .. } => shards.value(stream, unit).map(Some),
            Role::Part(own) if own.open(stream, unit..unit + 1).is_empty() => Ok(None),
            Role::Part(own) => own.add(stream, unit, &work()?).map(|()| None),
        }
    }

    /// Number of the parts.
    pub fn parts(&self) -> usize {
        match &self.0 {
            Role::Whole => 1,
            Role::Merged { shards, .. } => shards.header().shard.of,
            Role::Part(own) => own.header.shard.of,
        }
    }

    /// The rounds that a part does of a work that ends at a standard error.
    pub fn rounds(&self) -> Option<usize> {
        match &self.0 {
            Role::Part(own) => own.header.rounds,
            _ => None,
        }
    }

    /// Refuses to go beyond the rounds that were asked for. `found` is the standard error after `done` of `all` rounds.
    /// False in a part that has done its rounds.
    pub fn goes_on(&self, done: usize, all: usize, [target, found]: [f64; 2]) -> Result<bool, Error> {
        match &self.0 {
            Role::Whole => Ok(true),
            Role::Part(own) => Ok(own.header.rounds.is_none_or(|rounds| done < rounds)),
            Role::Merged { shards, unmet } => {
                let header = shards.header();
                if header.rounds.is_none_or(|rounds| done < rounds) {
                    return Ok(true);
                }
                let needed = (done as f64 * (found / target).powi(2)).ceil();
                let needed = if needed < all as f64 { (needed as usize).max(done + 1) } else { all };
                let next =
                    Header { rounds: Some(needed), ..header.clone() }.command_of(&format!("m/{}", header.shard.of));
                let result = Unmet {
                    target_se: target,
                    standard_error: found,
                    rounds: done,
                    rounds_needed: needed,
                    shards: header.shard.of,
                    next: next.clone(),
                };
                *unmet.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                let what = format!("the standard error is {found:.6} after {done} rounds, above the target {target}");
                Err(Error::input(what, format!("run for each m: {next}")))
            }
        }
    }

    /// The standard error that the shards did not reach, after [`Self::goes_on`] has refused to go on.
    pub fn unmet(&self) -> Option<Unmet> {
        match &self.0 {
            Role::Merged { unmet, .. } => unmet.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            _ => None,
        }
    }

    /// Closes the file of a part.
    pub fn finish(&self) -> Result<Finished, Error> {
        let Role::Part(own) = &self.0 else { return Err(Error::internal("no part was done")) };
        let writer = own.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = writer.ok_or_else(|| Error::internal("a part names its inputs first"))?;
        let units = writer.units.len();
        writer.finish()?;
        let folder = own.path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Finished { shard: own.header.shard, file: own.path.clone(), units, folder })
    }
}

impl Own {
    /// The units of this part that are not done yet.
    fn open(&self, stream: &str, units: Range<usize>) -> Vec<usize> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_done =
            |unit: usize| writer.as_ref().is_some_and(|writer| writer.units.contains_key(&(stream.to_owned(), unit)));
        units.filter(|&unit| self.header.shard.has(unit) && !is_done(unit)).collect()
    }

    fn add(&self, stream: &str, unit: usize, value: &impl Serialize) -> Result<(), Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = writer.as_mut().ok_or_else(|| Error::internal("a part names its inputs first"))?;
        writer.add(stream, unit, value)
    }
}
