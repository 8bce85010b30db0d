//! All ways in which one reverse step can go: from every pattern, any of its masks revealed to any value.
//!
//! There are (2 states + 1)^length: a position shows a value and keeps it, is revealed to one, or stays masked. The
//! walk takes rows of patterns that differ in the last position only, and carries one number or more for each of them.
//! What the last position does is for the visitor to treat, all three at once.

use std::ops::Range;

use super::axes::Axes;

/// A walk is divided into at least so many parts, where the patterns are long enough.
const PARTS: usize = 64;

/// What is done on the way. The row of a pattern is its number without the last digit.
pub(super) trait Visitor {
    /// How many numbers are carried for a row.
    fn width(&self) -> usize;

    /// Begins at row `z`. False: nothing that starts here counts.
    fn start(&mut self, z: usize, carried: &mut [f64]) -> bool;

    /// Reveals `value` at the masked `position` of row `z`; with what is revealed already, this is row `reached`.
    /// False: nothing that goes through here counts.
    fn reveal(&mut self, z: usize, position: usize, value: usize, reached: usize, from: &[f64], to: &mut [f64])
    -> bool;

    /// Ends at row `reached`, which has `revealed` of the `masks` of row `z` revealed.
    fn end(&mut self, z: usize, reached: usize, masks: usize, revealed: usize, carried: &[f64]);
}

/// The walk in parts that reach different rows, so that they can go at once.
pub(super) struct Walk<'a> {
    axes: &'a Axes,
    /// A part fixes what is reached at so many positions, the first ones.
    fixed: usize,
}

impl<'a> Walk<'a> {
    pub fn new(axes: &'a Axes) -> Self {
        let enough = |fixed: &usize| axes.base().pow(*fixed as u32) >= PARTS;
        Self { axes, fixed: (0..axes.length - 1).find(enough).unwrap_or(axes.length - 1) }
    }

    pub fn parts(&self) -> usize {
        self.axes.base().pow(self.fixed as u32)
    }

    /// The rows that one part reaches.
    pub fn rows(&self, part: usize) -> Range<usize> {
        let rows = self.axes.base().pow((self.axes.length - 1 - self.fixed) as u32);
        part * rows..(part + 1) * rows
    }

    /// Goes all ways of one part.
    pub fn go(&self, part: usize, visitor: &mut impl Visitor) {
        let (axes, rows) = (self.axes, self.rows(part));
        let places: Vec<usize> = axes.places[..axes.length - 1].iter().map(|place| place / axes.base()).collect();
        // A part that reaches a value starts where it is shown, and where it is masked.
        let mut starts = vec![rows.start];
        for (n, place) in places[..self.fixed].iter().enumerate() {
            let value = axes.digit(rows.start * axes.base(), n);
            if value < axes.states {
                let masked: Vec<usize> = starts.iter().map(|start| start + (axes.states - value) * place).collect();
                starts.extend(masked);
            }
        }
        let mut path = Path {
            axes,
            first: rows.start,
            fixed: self.fixed,
            places,
            masked: Vec::new(),
            carried: vec![0.0; visitor.width() * axes.length],
            width: visitor.width(),
        };
        for start in starts {
            for z in start..start + rows.len() {
                path.masked.clear();
                path.masked.extend((0..axes.length - 1).filter(|&n| axes.is_masked(z * axes.base(), n)));
                if visitor.start(z, &mut path.carried[..path.width]) {
                    path.go(visitor, z, z, 0, 0);
                }
            }
        }
    }
}

/// The ways from one row.
struct Path<'a> {
    axes: &'a Axes,
    /// The first row that the part reaches, and at how many positions all of them are like it.
    first: usize,
    fixed: usize,
    /// Weights of the positions in the number of a row.
    places: Vec<usize>,
    /// The masked positions of the row, but for the last position.
    masked: Vec<usize>,
    /// What is carried, by the number of revealed masks.
    carried: Vec<f64>,
    width: usize,
}

impl Path<'_> {
    /// Decides on the masks from number `depth` on.
    fn go(&mut self, visitor: &mut impl Visitor, z: usize, reached: usize, depth: usize, revealed: usize) {
        let (states, at) = (self.axes.states, revealed * self.width);
        let Some(&position) = self.masked.get(depth) else {
            visitor.end(z, reached, depth, revealed, &self.carried[at..at + self.width]);
            return;
        };
        let place = self.places[position];
        let goal = if position < self.fixed { Some(self.first / place % self.axes.base()) } else { None };
        if goal.is_none_or(|digit| digit == states) {
            self.go(visitor, z, reached, depth + 1, revealed);
        }
        for value in goal.map_or(0..states, |digit| digit..(digit + 1).min(states)) {
            let next = reached - (states - value) * place;
            let (from, to) = self.carried.split_at_mut(at + self.width);
            if visitor.reveal(z, position, value, next, &from[at..], &mut to[..self.width]) {
                self.go(visitor, z, next, depth + 1, revealed + 1);
            }
        }
    }
}
