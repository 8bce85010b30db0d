//! Work on sequences in rounds, until a standard error is reached.

use elbow_base::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::draw::Chunk;
use crate::shards::Shards;

/// Sequences between two tests of the standard error: the same on any machine, so that all stop at the same one, and
/// enough that the error itself is known to a few percent.
const ROUND: usize = 128;

/// What is done in rounds: the chunks, and where their numbers come from.
pub(super) struct Rounds<'a> {
    /// Which of the chunks this process computes.
    pub shards: &'a Shards,
    /// The name of the chunks' numbers.
    pub stream: &'a str,
    /// The chunks in the order of work.
    pub chunks: &'a [Chunk<'a>],
    /// A standard error that ends the work, bits per token.
    pub target: Option<f64>,
}

impl Rounds<'_> {
    /// Number of chunks per round.
    fn size(&self) -> usize {
        let sequences = self.chunks.first().map_or(1, |(_, sequences)| sequences.len());
        self.target.map_or(self.chunks.len(), |_| ROUND.div_ceil(sequences)).max(1)
    }

    /// Number of chunks that this process computes.
    pub fn count(&self) -> usize {
        let most =
            self.target.and(self.shards.rounds()).map_or(usize::MAX, |rounds| rounds.saturating_mul(self.size()));
        self.shards.count(self.stream, 0..self.chunks.len().min(most))
    }

    /// The units of all chunks in order, and whether the `error` of the units so far fell to the target, which ends the work.
    /// None in a shard.
    pub fn run<T: Serialize + DeserializeOwned + Send>(
        &self,
        work: impl Fn(&Chunk) -> Result<Vec<T>, Error> + Sync,
        error: impl Fn(&[T]) -> f64,
    ) -> Result<Option<(Vec<T>, bool)>, Error> {
        let (all, size) = (self.chunks.len(), self.size());
        let (mut units, mut found) = (Vec::new(), f64::INFINITY);
        for (round, first) in (0..all).step_by(size).enumerate() {
            if let Some(target) = self.target
                && !self.shards.goes_on(round, all.div_ceil(size), [target, found])?
            {
                break;
            }
            let range = first..(first + size).min(all);
            let Some(parts) = self.shards.map(self.stream, range, |chunk| work(&self.chunks[chunk]))? else { continue };
            units.extend(parts.into_iter().flatten());
            if let Some(target) = self.target {
                found = error(&units);
                if found <= target {
                    return Ok(Some((units, true)));
                }
            }
        }
        Ok((!self.shards.is_part()).then_some((units, false)))
    }
}
