//! Inner products and squared distances of all pairs of two sets of features, in f64.
//!
//! They are computed in blocks of rows, so memory grows with the size of one set only.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::features::Features;

/// Rows of the first set per block.
const ROWS: usize = 512;
/// Rows of the second set that are multiplied at once.
const COLUMNS: usize = 4096;

/// Calls `visit(first, products)` for each block of rows of x: products\[i, j\] = x_(first + i) . y_j.
pub fn inner_products(x: &Features, y: &Features, mut visit: impl FnMut(usize, MatRef<'_, f64>)) {
    for first in (0..x.len()).step_by(ROWS) {
        visit(first, products(x, first, y, 0).as_ref());
    }
}

/// The same for a set with itself, each pair of blocks once: products\[i, j\] = x_(first + i) . x_(first + j).
pub fn own_products(x: &Features, mut visit: impl FnMut(usize, MatRef<'_, f64>)) {
    for first in (0..x.len()).step_by(ROWS) {
        visit(first, products(x, first, x, first).as_ref());
    }
}

/// Inner products of a block of rows of x from `first` with all rows of y from `start`.
fn products(x: &Features, first: usize, y: &Features, start: usize) -> Mat<f64> {
    let doubles = |features: &Features, first: usize, count: usize| {
        Mat::from_fn(features.dimension, count, |k, i| f64::from(features.values[(first + i) * features.dimension + k]))
    };
    let rows = doubles(x, first, ROWS.min(x.len() - first));
    let mut products = Mat::zeros(rows.ncols(), y.len() - start);
    for from in (start..y.len()).step_by(COLUMNS) {
        let columns = doubles(y, from, COLUMNS.min(y.len() - from));
        let place = products.as_mut().subcols_mut(from - start, columns.ncols());
        // Threads divide the entries, never the sum of one entry: digits do not depend on their number.
        matmul(place, Accum::Replace, rows.transpose(), &columns, 1.0, Par::rayon(0));
    }
    products
}

/// ||x_i||^2 of each row.
pub fn squared_lengths(x: &Features) -> Vec<f64> {
    x.rows().map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum()).collect()
}

/// ||a - b||^2 from differences.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}
