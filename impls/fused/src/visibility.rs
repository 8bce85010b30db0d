//! Which positions of a sequence a position attends to.

use std::ops::Range;

/// The positions that a position sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// All of them.
    All,
    /// Those of its own block of this many positions, and of the blocks before it. Blocks of one are causal.
    Blocks(usize),
    /// Block diffusion in one pass (BD3-LM, section 3.2): the first half of the positions is a sequence with noise, the
    /// second the same sequence without. A noisy position sees its own block of the noisy half, and the clean blocks
    /// before; a clean one the clean blocks up to its own. Positions are counted from 0 in each half.
    NoisyAndClean(usize),
}

impl Visibility {
    /// The positions that position `row` of `length` sees: two ranges in rising order, of which one may be empty.
    pub(crate) fn ranges(self, row: usize, length: usize) -> [Range<usize>; 2] {
        let half = self.period(length);
        let block = |size: usize| {
            let first = row % half / size * size;
            first..(first + size).min(half)
        };
        match self {
            Self::All => [0..length, length..length],
            Self::Blocks(size) => [0..block(size).end, length..length],
            Self::NoisyAndClean(size) if row < half => [block(size), half..half + block(size).start],
            Self::NoisyAndClean(size) => [0..0, half..half + block(size).end],
        }
    }

    /// The number of positions after which they are counted from 0 again.
    pub(crate) fn period(self, length: usize) -> usize {
        match self {
            Self::All | Self::Blocks(_) => length,
            Self::NoisyAndClean(_) => length / 2,
        }
    }
}
