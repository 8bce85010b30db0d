//! MIND, the Monge inception distance (Berthet et al. 2026, arXiv:2605.06797): a sliced Wasserstein distance of features.
//!
//! Both sets are projected on random directions; on a line the optimal transport pairs sorted numbers. No Gaussian is
//! fitted, and no covariance estimated.

use elbow_base::{Key, Progress};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::features::Features;
use crate::jackknife::{shuffled, spread_of_left_out};
use crate::pairwise_distances::inner_products;
use crate::{Error, Result};

/// Directions whose projections are in memory together.
const TOGETHER: usize = 128;

/// MIND, and what it is without some generated images or one direction.
pub struct Mind {
    /// The distance, in squared feature units.
    pub value: f64,
    /// The distance without each of the disjoint blocks of generated images; empty where no blocks were asked for.
    pub without_block: Vec<f64>,
    /// The distance without each direction.
    pub without_direction: Vec<f64>,
}

impl Mind {
    /// The jackknife's standard error over the generated images, the reference fixed, and over the directions; none
    /// without blocks.
    pub fn standard_error(&self) -> Option<f64> {
        let over_images = (!self.without_block.is_empty()).then(|| spread_of_left_out(&self.without_block))?;
        Some(over_images.hypot(spread_of_left_out(&self.without_direction)))
    }
}

/// `count` directions, uniform on the sphere of `dimension` dimensions, in single precision.
pub fn directions(dimension: usize, count: usize, key: &Key) -> Features {
    let direction = |index: usize| {
        let mut rng = key.fold(index as u64).rng();
        let normal: Vec<f64> = (0..dimension).map(|_| StandardNormal.sample(&mut rng)).collect();
        let length = normal.iter().map(|v| v * v).sum::<f64>().sqrt();
        normal.into_iter().map(move |v| (v / length) as f32)
    };
    Features { dimension, values: (0..count).flat_map(direction).collect() }
}

/// MIND [MIND, sliced transport] of generated features \[n, d\] and a reference \[m, d\] along
/// directions \[M, d\] of length 1:
///
/// 3 d times the mean over the directions u of W_2^2(u.X, u.Y), the squared Wasserstein distance of the projections.
///
/// For n = m this is the mean of squared differences of sorted numbers. For other sizes it is the integral over the
/// squared difference of the quantile functions: no image is dropped. A shift of all features by v makes it 3 |v|^2 in the
/// mean over directions. `blocks`: of the jackknife over generated images, in an order that `key`
/// fixes; no jackknife with fewer than two, or fewer images. Fails where it is not finite.
pub fn mind(
    generated: &Features,
    reference: &Features,
    directions: &Features,
    blocks: usize,
    key: &Key,
    bar: &dyn Progress,
) -> Result<Mind> {
    generated.check_same_dimension(reference)?;
    generated.check_same_dimension(directions)?;
    if generated.is_empty() || reference.is_empty() || directions.len() < 2 {
        let what = format!("{} and {} images, {} directions", generated.len(), reference.len(), directions.len());
        return Err(Error::input(what, "give images on both sides, and two directions or more"));
    }
    let blocks = if (2..=generated.len()).contains(&blocks) { blocks } else { 0 };
    let size = generated.len().checked_div(blocks).unwrap_or(0);
    // The block of each image; those beyond the equal blocks are in none.
    let mut block_of = vec![blocks; generated.len()];
    shuffled(generated.len(), key)[..size * blocks]
        .iter()
        .enumerate()
        .for_each(|(i, &image)| block_of[image] = i / size);
    bar.start(directions.len() as u64, "MIND");
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(directions.len());
    for first in (0..directions.len()).step_by(TOGETHER) {
        let some = directions.select(&(first..(first + TOGETHER).min(directions.len())).collect::<Vec<_>>());
        let [ours, theirs] = [generated, reference].map(|set| projections(set, &some));
        let along = |(x, y): (Vec<f64>, Vec<f64>)| along_direction(x, y, &block_of, blocks);
        rows.par_extend(ours.into_par_iter().zip(theirs).map(along));
        bar.advance(some.len() as u64);
    }
    bar.finish();
    let scale = 3.0 * generated.dimension as f64;
    let count = rows.len() as f64;
    let sum = |column: usize| scale * rows.iter().map(|row| row[column]).sum::<f64>();
    let total = sum(blocks);
    if !total.is_finite() {
        return Err(Error::overflow("MIND"));
    }
    let without_direction = rows.iter().map(|row| (total - scale * row[blocks]) / (count - 1.0)).collect();
    Ok(Mind { value: total / count, without_block: (0..blocks).map(|b| sum(b) / count).collect(), without_direction })
}

/// The projections of all images on each direction, one vector per direction.
fn projections(set: &Features, directions: &Features) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::with_capacity(set.len()); directions.len()];
    inner_products(set, directions, |_, products| {
        all.iter_mut().zip(products.col_iter()).for_each(|(one, column)| one.extend(column.iter()));
    });
    all
}

/// W_2^2 without each block of x, and last that of all.
fn along_direction(x: Vec<f64>, mut y: Vec<f64>, block_of: &[usize], blocks: usize) -> Vec<f64> {
    let mut x: Vec<(f64, usize)> = x.into_iter().zip(block_of.iter().copied()).collect();
    x.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    y.sort_unstable_by(f64::total_cmp);
    // No image is in the block `blocks + 1`.
    let left_out = (0..blocks).chain([blocks + 1]);
    left_out
        .map(|out| transport(&x.iter().filter(|(_, block)| *block != out).map(|(v, _)| *v).collect::<Vec<_>>(), &y))
        .collect()
}

/// W_2^2 of two sets of sorted numbers: the integral over q in \[0, 1\] of (x(q) - y(q))^2, x(q) and y(q) being the
/// quantiles.
fn transport(x: &[f64], y: &[f64]) -> f64 {
    // In units of 1 / (n m) both quantile functions step at whole numbers.
    let (n, m) = (x.len(), y.len());
    let (mut i, mut j, mut at, mut total) = (0, 0, 0, 0.0);
    while i < n && j < m {
        let (next_x, next_y) = ((i + 1) * m, (j + 1) * n);
        let next = next_x.min(next_y);
        total += (next - at) as f64 * (x[i] - y[j]).powi(2);
        at = next;
        i += usize::from(next == next_x);
        j += usize::from(next == next_y);
    }
    total / (n as f64 * m as f64)
}

#[cfg(test)]
mod tests {
    use super::transport;

    #[test]
    fn transport_pairs_quantiles() {
        assert_eq!(transport(&[0.0, 1.0], &[2.0, 5.0]), (4.0 + 16.0) / 2.0);
        // The halves of one number go to two places; thirds overlap halves by a sixth.
        assert_eq!(transport(&[1.0], &[0.0, 4.0]), (1.0 + 9.0) / 2.0);
        let (x, y) = ([0.0, 3.0, 6.0], [1.0, 7.0]);
        let exact = (2.0 * 1.0 + 1.0 * 4.0 + 1.0 * 16.0 + 2.0 * 1.0) / 6.0;
        assert!((transport(&x, &y) - exact).abs() < 1e-15);
        assert_eq!(transport(&y, &x), transport(&x, &y));
    }
}
