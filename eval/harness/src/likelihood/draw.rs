//! What is drawn for a bound's estimate: sequences that are corrupted together, and one draw of them.

use elbow_base::Error;
use elbow_impls::objective::BoundTerms;
use elbow_impls::{AnyOrderBound, BoundCorruption};

/// The draws of an estimation, and the any-order bound where they are k-DCE's.
pub(crate) struct Draws<'a> {
    pub by_k_dce: Option<AnyOrderBound<'a>>,
    pub per_sequence: usize,
}

/// Sequences that are worked on together, with their number in the order of work.
pub(crate) type Chunk<'a> = (usize, &'a [usize]);

/// One draw of some sequences.
pub(crate) struct Draw<'a> {
    /// The sequences.
    pub sequences: &'a [usize],
    /// The number of the draw.
    pub number: usize,
    /// Their time and noise.
    pub corruption: &'a BoundCorruption,
}

/// What gives the bound's terms of a draw: the model, or recorded answers of another program.
pub(crate) type TermsOf<'a> = dyn Fn(&Draw) -> Result<Vec<BoundTerms>, Error> + Sync + 'a;
