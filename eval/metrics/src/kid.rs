//! The kernel inception distance KID (Binkowski et al. 2018, arXiv:1801.01401).
//!
//! The unbiased estimate of the squared maximum mean discrepancy of two sets of features under the kernel
//! k(x, y) = (x.y / d + 1)^3; it can be negative. All pairs are used. Other tools average over random subsets: the same
//! number with more noise, and the standard deviation over their subsets is not its standard error.

use elbow_base::{Estimate, Progress};

use crate::features::Features;
use crate::jackknife::spread_of_left_out;
use crate::pairwise_distances::{inner_products, own_products};
use crate::{Error, Result};

/// KID [KID, unbiased MMD] of features \[n, d\] and \[m, d\], with the jackknife's standard error over the images of both sets.
///
/// KID = sum_{i != j} k(x_i, x_j) / (n (n - 1)) + sum_{i != j} k(y_i, y_j) / (m (m - 1)) - 2 sum_{i, j} k(x_i, y_j) /
/// (n m). Fails where it is not finite: the kernel cubes the features.
pub fn kid(x: &Features, y: &Features, bar: &dyn Progress) -> Result<Estimate> {
    kid_left_out(x, y, bar)?.estimate()
}

/// KID, and what it is without one image each.
pub struct KidLeftOut {
    /// KID of all images.
    pub value: f64,
    /// KID without each image of x.
    pub without_x: Vec<f64>,
    /// KID without each image of y.
    pub without_y: Vec<f64>,
}

impl KidLeftOut {
    /// KID with the jackknife's standard error. Fails where it is not finite.
    pub fn estimate(&self) -> Result<Estimate> {
        let standard_error = spread_of_left_out(&self.without_x).hypot(spread_of_left_out(&self.without_y));
        if !(self.value.is_finite() && standard_error.is_finite()) {
            return Err(Error::overflow("KID"));
        }
        let n = self.without_x.len().min(self.without_y.len()) as u64;
        Ok(Estimate { value: self.value, standard_error, n })
    }
}

/// [`kid`] with the values that its jackknife leaves an image out of.
pub fn kid_left_out(x: &Features, y: &Features, bar: &dyn Progress) -> Result<KidLeftOut> {
    x.check_same_dimension(y)?;
    let (n, m) = (x.len() as f64, y.len() as f64);
    if n < 3.0 || m < 3.0 {
        let what = format!("it needs three images or more on each side, not {n} and {m}");
        return Err(Error::input(what, "give more images"));
    }
    bar.start((2 * x.len() + y.len()) as u64, "KID");
    let (among_x, among_y) = (off_diagonal_row_sums(x, bar), off_diagonal_row_sums(y, bar));
    let [x_to_y, y_to_x] = cross_sums(x, y, bar);
    bar.finish();
    let [xx, yy, xy] = [&among_x, &among_y, &x_to_y].map(|sums| sums.iter().sum::<f64>());
    let estimate =
        |[xx, yy, xy]: [f64; 3], n: f64, m: f64| xx / (n * (n - 1.0)) + yy / (m * (m - 1.0)) - 2.0 * xy / (n * m);
    // Leaving out an image takes its row and its column from the sum within its own set.
    let without_x =
        among_x.iter().zip(&x_to_y).map(|(own, across)| estimate([xx - 2.0 * own, yy, xy - across], n - 1.0, m));
    let without_y =
        among_y.iter().zip(&y_to_x).map(|(own, across)| estimate([xx, yy - 2.0 * own, xy - across], n, m - 1.0));
    let (without_x, without_y) = (without_x.collect(), without_y.collect());
    Ok(KidLeftOut { value: estimate([xx, yy, xy], n, m), without_x, without_y })
}

/// k as a function of the inner product x.y.
fn kernel(product: f64, dimension: usize) -> f64 {
    (product / dimension as f64 + 1.0).powi(3)
}

/// sum_{j != i} k(x_i, x_j) for each i: the row sums of the kernel matrix without its diagonal.
fn off_diagonal_row_sums(x: &Features, bar: &dyn Progress) -> Vec<f64> {
    let mut sums = vec![0.0; x.len()];
    own_products(x, |first, products| {
        let rows = products.nrows();
        for j in 0..products.ncols() {
            // The block's own square holds (i, j) and (j, i); beyond it, each pair is met once and counts for both
            // rows.
            let both = j >= rows;
            for i in (0..rows).filter(|&i| i != j) {
                let value = kernel(products[(i, j)], x.dimension);
                sums[first + i] += value;
                if both {
                    sums[first + j] += value;
                }
            }
        }
        bar.advance(rows as u64);
    });
    sums
}

/// sum_j k(x_i, y_j) for each i, and sum_i k(x_i, y_j) for each j.
fn cross_sums(x: &Features, y: &Features, bar: &dyn Progress) -> [Vec<f64>; 2] {
    let (mut of_x, mut of_y) = (vec![0.0; x.len()], vec![0.0; y.len()]);
    inner_products(x, y, |first, products| {
        for (j, of_y) in of_y.iter_mut().enumerate() {
            for i in 0..products.nrows() {
                let value = kernel(products[(i, j)], x.dimension);
                of_x[first + i] += value;
                *of_y += value;
            }
        }
        bar.advance(products.nrows() as u64);
    });
    [of_x, of_y]
}
