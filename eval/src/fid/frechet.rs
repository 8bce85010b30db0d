//! The Frechet distance between two Gaussians: ||mu_1 - mu_2||^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2).
//!
//! The trace is computed by two independent algorithms that must agree, and never by a matrix square root with a
//! silent ridge: (i) eigenvalues of S_1^(1/2) S_2 S_1^(1/2) (symmetric); (ii) the nuclear norm of A^T B where
//! S_1 = A A^T and S_2 = B B^T, from the centred features where they are at hand, which is exact for sets with
//! fewer images than dimensions.

use faer::{Mat, Side};
use serde::Serialize;

use super::features::Features;
use super::stats::{Statistics, centred};
use crate::failure::Failure;

/// Largest disagreement of the two algorithms, relative to tr S_1 + tr S_2. Where a covariance is (nearly)
/// singular its smallest eigenvalues are rounding errors of about 1e-16, and their roots are 1e-8.
const AGREEMENT: f64 = 1e-6;

/// A Frechet distance and how far its two algorithms are apart.
#[derive(Clone, Debug, Serialize)]
pub struct Distance {
    /// By the nuclear norm.
    pub value: f64,
    /// By symmetric eigenvalues.
    pub by_eigenvalues: f64,
    /// |value - by_eigenvalues|.
    pub disagreement: f64,
    /// The part of the distance that the means make.
    pub mean_part: f64,
    /// Images on either side, where known.
    pub n: [Option<u64>; 2],
    /// Feature dimensions.
    pub dimension: usize,
    /// True where a side has no more images than dimensions: its covariance is singular and the distance biased up.
    pub rank_deficient: bool,
}

/// The distance between two sets of features.
pub fn between_features(a: &Features, b: &Features, metric: &str) -> Result<Distance, Failure> {
    let (first, second) = (Statistics::of(a, metric)?, Statistics::of(b, metric)?);
    first.check_comparable(&second)?;
    distance(&first, &second, &root_of_features(a, &first), &root_of_features(b, &second))
}

/// The distance between two statistics, from files of this or another tool.
pub fn between_statistics(first: &Statistics, second: &Statistics) -> Result<Distance, Failure> {
    first.check_comparable(second)?;
    distance(first, second, &root_of_covariance(&first.covariance)?, &root_of_covariance(&second.covariance)?)
}

fn distance(first: &Statistics, second: &Statistics, a: &Mat<f64>, b: &Mat<f64>) -> Result<Distance, Failure> {
    let mean_part: f64 = first.mean.iter().zip(&second.mean).map(|(x, y)| (x - y).powi(2)).sum();
    let spread = trace(&first.covariance) + trace(&second.covariance);
    let singular = (a * b.transpose()).singular_values().map_err(|_| no_convergence())?;
    let value = mean_part + spread - 2.0 * singular.iter().sum::<f64>();
    let by_eigenvalues = mean_part + spread - 2.0 * eigenvalue_trace(&first.covariance, &second.covariance)?;
    let disagreement = (value - by_eigenvalues).abs();
    if disagreement > AGREEMENT * spread.max(f64::MIN_POSITIVE) {
        return Err(Failure::internal(format!("the trace algorithms disagree: {value} and {by_eigenvalues}")));
    }
    let dimension = first.mean.len();
    let n = [first.n, second.n];
    let rank_deficient = n.iter().flatten().any(|&n| n <= dimension as u64);
    Ok(Distance { value, by_eigenvalues, disagreement, mean_part, n, dimension, rank_deficient })
}

/// Rows whose Gram matrix is the covariance: the centred features, or their R factor where that is smaller.
fn root_of_features(features: &Features, statistics: &Statistics) -> Mat<f64> {
    let rows = centred(features, &statistics.mean);
    if rows.nrows() > rows.ncols() { rows.qr().thin_R().to_owned() } else { rows }
}

/// The same from the covariance alone: rows sqrt(eigenvalue) * eigenvector.
fn root_of_covariance(covariance: &Mat<f64>) -> Result<Mat<f64>, Failure> {
    let eigen = covariance.self_adjoint_eigen(Side::Lower).map_err(|_| no_convergence())?;
    let (u, s) = (eigen.U(), eigen.S().column_vector());
    Ok(Mat::from_fn(covariance.nrows(), covariance.nrows(), |i, j| s[i].max(0.0).sqrt() * u[(j, i)]))
}

/// tr (S_1 S_2)^(1/2) as the sum of the roots of the eigenvalues of R S_2 R^T, R^T R = S_1.
fn eigenvalue_trace(first: &Mat<f64>, second: &Mat<f64>) -> Result<f64, Failure> {
    let root = root_of_covariance(first)?;
    let product = &root * (second * root.transpose());
    let eigenvalues = product.self_adjoint_eigenvalues(Side::Lower).map_err(|_| no_convergence())?;
    Ok(eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum())
}

fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

fn no_convergence() -> Failure {
    Failure::internal("an eigenvalue iteration did not converge")
}
