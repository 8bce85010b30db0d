//! The kernel inception distance (Binkowski et al., arXiv:1801.01401): the squared maximum mean discrepancy of two sets
//! of features under the kernel (x.y / d + 1)^3.
//!
//! Unbiased, so it can be negative. It is computed over all pairs; other tools average over random subsets, which
//! estimates the same number with more noise, and the spread of their subsets is no standard error.

use super::features::Features;
use super::jackknife::spread_of_left_out;
use super::pairs::{inner_products, own_products};
use elbow_base::Error;
use elbow_base::Estimate;
use elbow_base::Progress;

/// KID and its standard error, by leaving out one image of either side at a time [KID, unbiased].
pub fn kid(x: &Features, y: &Features, bar: &dyn Progress) -> Result<Estimate, Error> {
    x.check_same_dimension(y)?;
    let (n, m) = (x.len() as f64, y.len() as f64);
    if n < 3.0 || m < 3.0 {
        return Err(Error::input(format!("KID of {n} and {m} images"), "give at least three on each side"));
    }
    bar.start((2 * x.len() + y.len()) as u64, "KID");
    // Sums over j != i of k(x_i, x_j) and k(y_i, y_j), and over all j of k(x_i, y_j) and k(x_j, y_i).
    let (among_x, among_y) = (sums_among(x, bar), sums_among(y, bar));
    let [x_to_y, y_to_x] = sums_across(x, y, bar);
    bar.finish();
    let [xx, yy, xy] = [&among_x, &among_y, &x_to_y].map(|sums| sums.iter().sum::<f64>());
    let estimate =
        |[xx, yy, xy]: [f64; 3], n: f64, m: f64| xx / (n * (n - 1.0)) + yy / (m * (m - 1.0)) - 2.0 * xy / (n * m);
    // Leaving out an image takes its row and its column from its own side's sum.
    let without_x =
        among_x.iter().zip(&x_to_y).map(|(own, across)| estimate([xx - 2.0 * own, yy, xy - across], n - 1.0, m));
    let without_y =
        among_y.iter().zip(&y_to_x).map(|(own, across)| estimate([xx, yy - 2.0 * own, xy - across], n, m - 1.0));
    let [over_x, over_y] =
        [without_x.collect::<Vec<f64>>(), without_y.collect()].map(|values| spread_of_left_out(&values));
    let standard_error = over_x.hypot(over_y);
    Ok(Estimate { value: estimate([xx, yy, xy], n, m), standard_error, n: x.len().min(y.len()) as u64 })
}

/// The kernel of an inner product.
fn kernel(product: f64, dimension: usize) -> f64 {
    (product / dimension as f64 + 1.0).powi(3)
}

/// The kernel summed over the partners of each image among its own set; nobody is its own partner.
fn sums_among(x: &Features, bar: &dyn Progress) -> Vec<f64> {
    let mut sums = vec![0.0; x.len()];
    own_products(x, |first, products| {
        let rows = products.nrows();
        for j in 0..products.ncols() {
            // Both halves of the block's own square are there; of the rest, only this one.
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

/// The kernel summed over the partners of each x in y, and of each y in x.
fn sums_across(x: &Features, y: &Features, bar: &dyn Progress) -> [Vec<f64>; 2] {
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
