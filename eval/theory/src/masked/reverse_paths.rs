//! Depth-first walk over all pairs (z_t, z_s) that a reverse step can connect.
//!
//! There are (2V + 1)^L ([`PatternIndex::pairs`]): a position is visible, is revealed to one of V values, or stays
//! masked. The walk takes rows of V + 1 sequences that differ in the last position only, and carries a few numbers for
//! each sequence of a row, so that the inner loops run over contiguous memory. The last position is left to the
//! visitor, all its three cases together.

use std::ops::Range;

use crate::pattern_index::PatternIndex;

/// Smallest number of parts of a walk, where the sequences are long enough.
const PARTS: usize = 64;

/// What is computed along the walk. A row's number is that of its sequences without the last symbol.
pub(super) trait Visitor {
    /// Number of values carried per row.
    fn width(&self) -> usize;

    /// Called before the successors of row `z` are visited, with the values to carry. Returns false to skip them.
    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool;

    /// Called when the masked `position` of row `z` is revealed as `value`, which leads to row `reached`: computes the
    /// values carried on, `to`, from those before, `from`. Returns false to skip everything beyond.
    fn reveal(&mut self, z: usize, position: usize, value: usize, reached: usize, from: &[f64], to: &mut [f64])
    -> bool;

    /// Called at the end of a path, at row `reached`: `revealed` of the `masks` masks of row `z` have been revealed.
    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]);
}

/// The walk, in parts that reach disjoint rows and can run in parallel.
pub(super) struct ReversePaths<'a> {
    index: &'a PatternIndex,
    /// Number of leading positions whose symbol in the reached row is the same throughout a part.
    fixed: usize,
}

impl<'a> ReversePaths<'a> {
    pub fn new(index: &'a PatternIndex) -> Self {
        let enough = |fixed: &usize| index.symbols.pow(*fixed as u32) >= PARTS;
        Self { index, fixed: (0..index.length - 1).find(enough).unwrap_or(index.length - 1) }
    }

    /// Number of parts.
    pub fn parts(&self) -> usize {
        self.index.symbols.pow(self.fixed as u32)
    }

    /// The rows that one part reaches.
    pub fn rows(&self, part: usize) -> Range<usize> {
        let rows = self.index.symbols.pow((self.index.length - 1 - self.fixed) as u32);
        part * rows..(part + 1) * rows
    }

    /// Walks all paths of one part.
    pub fn walk(&self, part: usize, visitor: &mut impl Visitor) {
        let (index, rows) = (self.index, self.rows(part));
        let places: Vec<usize> = index.places[..index.length - 1].iter().map(|place| place / index.symbols).collect();
        // A part that reaches a value starts both where it is visible and where it is masked.
        let mut starts = vec![rows.start];
        for (n, place) in places[..self.fixed].iter().enumerate() {
            let value = index.digit(rows.start * index.symbols, n);
            if value < index.mask() {
                let masked: Vec<usize> = starts.iter().map(|start| start + (index.mask() - value) * place).collect();
                starts.extend(masked);
            }
        }
        let mut path = Path {
            index,
            first: rows.start,
            fixed: self.fixed,
            places,
            masked: Vec::new(),
            carried: vec![0.0; visitor.width() * index.length],
            width: visitor.width(),
        };
        for start in starts {
            for z in start..start + rows.len() {
                path.masked.clear();
                path.masked.extend((0..index.length - 1).filter(|&n| index.is_masked(z * index.symbols, n)));
                if visitor.start(z, &mut path.carried[..path.width]) {
                    path.descend(visitor, z, z, 0, 0);
                }
            }
        }
    }
}

/// The paths from one row.
struct Path<'a> {
    index: &'a PatternIndex,
    /// The first row that the part reaches, and the number of leading positions in which all its rows agree.
    first: usize,
    fixed: usize,
    /// Weights of the positions in the number of a row.
    places: Vec<usize>,
    /// Masked positions of the row, the last position left out.
    masked: Vec<usize>,
    /// Carried values, `width` for each number of revealed masks.
    carried: Vec<f64>,
    width: usize,
}

impl Path<'_> {
    /// Branches on the mask number `depth`: it stays, or is revealed to each value.
    fn descend(&mut self, visitor: &mut impl Visitor, z: usize, reached: usize, depth: usize, revealed: usize) {
        let (mask, at) = (self.index.mask(), revealed * self.width);
        let Some(&position) = self.masked.get(depth) else {
            visitor.end(z, reached, depth, revealed, &self.carried[at..at + self.width]);
            return;
        };
        let place = self.places[position];
        let goal = if position < self.fixed { Some(self.first / place % self.index.symbols) } else { None };
        if goal.is_none_or(|digit| digit == mask) {
            self.descend(visitor, z, reached, depth + 1, revealed);
        }
        for value in goal.map_or(0..mask, |digit| digit..(digit + 1).min(mask)) {
            let next = reached - (mask - value) * place;
            let (from, to) = self.carried.split_at_mut(at + self.width);
            if visitor.reveal(z, position, value, next, &from[at..], &mut to[..self.width]) {
                self.descend(visitor, z, next, depth + 1, revealed + 1);
            }
        }
    }
}
