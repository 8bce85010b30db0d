//! Work on sequences in rounds, until a standard error is reached.

use elbow_base::Error;
use elbow_impls::Workers;

use super::draws::Chunk;

/// Sequences between two tests of the standard error: the same on any machine, so that all stop at the same one, and
/// enough that the error itself is known to a few percent.
const ROUND: usize = 128;

/// The units of all chunks in order, and whether the `error` of the units so far fell to the `target`, which ends the work.
pub(super) fn in_rounds<T: Send>(
    chunks: &[Chunk],
    target: Option<f64>,
    work: impl Fn(&Chunk) -> Result<Vec<T>, Error> + Sync,
    error: impl Fn(&[T]) -> f64,
) -> Result<(Vec<T>, bool), Error> {
    let size = chunks.first().map_or(1, |(_, sequences)| sequences.len());
    let per_round = target.map_or(chunks.len(), |_| ROUND.div_ceil(size)).max(1);
    let workers = Workers::new(usize::MAX);
    let mut units = Vec::new();
    for round in chunks.chunks(per_round) {
        for part in workers.map(round, |_, chunk| work(chunk)) {
            units.extend(part?);
        }
        if target.is_some_and(|target| error(&units) <= target) {
            return Ok((units, true));
        }
    }
    Ok((units, false))
}
