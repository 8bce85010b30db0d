//! The Frechet distance between two Gaussians: ||mu_1 - mu_2||^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2).
//!
//! The trace is computed by two algorithms that must agree, and never by a matrix square root with a
//! silent ridge: (i) eigenvalues of A S_2 A^T (symmetric), where S_1 = A^T A, which is itself checked; (ii) the nuclear norm of
//! A B^T with S_2 = B^T B too. With fewer images than dimensions A and B are the centred features, which is exact there, otherwise
//! Cholesky factors.

use faer::{Mat, Par, Side as Triangle};
use serde::Serialize;

use super::features::Features;
use super::stats::{Origin, Statistics, centred};
use elbow_base::Error;

/// Largest disagreement of the two algorithms, relative to tr S_1 + tr S_2. Where a covariance is (nearly)
/// singular its smallest eigenvalues are rounding errors of about 1e-16, and their roots are 1e-8.
const AGREEMENT: f64 = 1e-6;

/// How negative an eigenvalue may be, relative to the largest: statistics in single precision have such.
const NEGATIVE: f64 = 1e-5;

/// The error of a root that nothing was cut from, of rounding alone.
const ROUNDING: f64 = 1e-11;

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

/// faer splits the sums of large decompositions among its threads; on one thread their digits are the same everywhere.
fn on_one_thread() {
    faer::set_global_parallelism(Par::Seq);
}

/// One side of a distance: its Gaussian, and a root of the covariance (rows whose Gram matrix it is).
pub struct Side {
    pub statistics: Statistics,
    root: Mat<f64>,
    /// How far root^T root may be from the covariance, relative to its largest entry.
    root_error: f64,
}

impl Side {
    /// Of features: the root is the centred features where there are no more of them than dimensions.
    pub fn of_features(features: &Features, origin: &Origin) -> Result<Self, Error> {
        let statistics = Statistics::of(features, origin)?;
        match features.len() > features.dimension {
            true => Self::of_statistics(statistics),
            false => Ok(Self { root: centred(features, &statistics.mean), statistics, root_error: ROUNDING }),
        }
    }

    /// Of a Gaussian alone.
    pub fn of_statistics(statistics: Statistics) -> Result<Self, Error> {
        on_one_thread();
        // A singular covariance has no Cholesky factor; its eigenvectors do.
        let (root, root_error) = match statistics.covariance.llt(Triangle::Lower) {
            Ok(factor) => (factor.L().transpose().to_owned(), ROUNDING),
            Err(_) => (root_of_covariance(&statistics.covariance)?, NEGATIVE),
        };
        Ok(Self { statistics, root, root_error })
    }

    /// The distance to another side by the nuclear norm alone.
    pub fn to(&self, other: &Self) -> Result<f64, Error> {
        self.statistics.check_comparable(&other.statistics)?;
        let (mean_part, spread) = parts(&self.statistics, &other.statistics);
        Ok(mean_part + spread - 2.0 * self.nuclear_trace(other)?)
    }

    /// tr (S_1 S_2)^(1/2) as the nuclear norm of A B^T [FID, trace].
    fn nuclear_trace(&self, other: &Self) -> Result<f64, Error> {
        on_one_thread();
        let singular = (&self.root * other.root.transpose()).singular_values().map_err(|_| no_convergence())?;
        Ok(singular.iter().sum())
    }

    /// tr (S_1 S_2)^(1/2) as the sum of the roots of the eigenvalues of A S_2 A^T [FID, trace].
    fn eigenvalue_trace(&self, second: &Mat<f64>) -> Result<f64, Error> {
        on_one_thread();
        let root = &self.root;
        // The other algorithm uses the same root: here it must prove to be one.
        let covariance = &self.statistics.covariance;
        let (error, size) = ((root.transpose() * root - covariance).norm_max(), covariance.norm_max());
        if error.is_nan() || error > self.root_error * size {
            return Err(Error::internal(format!("the root of a covariance is off by {error:e} of {size:e}")));
        }
        let product = root * (second * root.transpose());
        let eigenvalues = product.self_adjoint_eigenvalues(Triangle::Lower).map_err(|_| no_convergence())?;
        Ok(eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum())
    }

    /// The distance to another side by both algorithms.
    pub fn distance(&self, other: &Self) -> Result<Distance, Error> {
        let (first, second) = (&self.statistics, &other.statistics);
        first.check_comparable(second)?;
        let eigenvalues = || self.eigenvalue_trace(&second.covariance);
        let (nuclear, eigenvalues) = rayon::join(|| self.nuclear_trace(other), eigenvalues);
        let (nuclear, eigenvalues) = (nuclear?, eigenvalues?);
        let (mean_part, spread) = parts(first, second);
        check_agreement(nuclear, eigenvalues, spread)?;
        let [value, by_eigenvalues] = [nuclear, eigenvalues].map(|trace| mean_part + spread - 2.0 * trace);
        let disagreement = (value - by_eigenvalues).abs();
        let dimension = first.mean.len();
        let n = [first.n, second.n];
        let rank_deficient = n.iter().flatten().any(|&n| n <= dimension as u64);
        Ok(Distance { value, by_eigenvalues, disagreement, mean_part, n, dimension, rank_deficient })
    }
}

/// Refuses traces of the two algorithms that are too far apart.
fn check_agreement(nuclear: f64, eigenvalues: f64, spread: f64) -> Result<(), Error> {
    match (nuclear - eigenvalues).abs() <= AGREEMENT * spread.max(f64::MIN_POSITIVE) {
        true => Ok(()),
        false => Err(Error::internal(format!("the trace algorithms disagree: {nuclear} and {eigenvalues}"))),
    }
}

/// The distance between two sets of features.
pub fn between_features(a: &Features, b: &Features, origin: &Origin) -> Result<Distance, Error> {
    Side::of_features(a, origin)?.distance(&Side::of_features(b, origin)?)
}

/// ||mu_1 - mu_2||^2, and tr S_1 + tr S_2.
fn parts(first: &Statistics, second: &Statistics) -> (f64, f64) {
    let mean_part = first.mean.iter().zip(&second.mean).map(|(x, y)| (x - y).powi(2)).sum();
    (mean_part, trace(&first.covariance) + trace(&second.covariance))
}

/// Rows sqrt(eigenvalue) * eigenvector; the negative eigenvalues of rounding are cut, larger ones refused.
fn root_of_covariance(covariance: &Mat<f64>) -> Result<Mat<f64>, Error> {
    let eigen = covariance.self_adjoint_eigen(Triangle::Lower).map_err(|_| no_convergence())?;
    let (u, s) = (eigen.U(), eigen.S().column_vector());
    let (least, most) = s.iter().fold((0.0_f64, 0.0_f64), |(least, most), &v| (least.min(v), most.max(v)));
    if least < -NEGATIVE * most {
        let what = format!("a covariance has the eigenvalue {least:e} beside {most:e}");
        return Err(Error::input(what, "no covariance has negative eigenvalues: make the statistics again"));
    }
    Ok(Mat::from_fn(covariance.nrows(), covariance.nrows(), |i, j| s[i].max(0.0).sqrt() * u[(j, i)]))
}

fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

fn no_convergence() -> Error {
    Error::internal("an eigenvalue iteration did not converge")
}

#[cfg(test)]
mod tests {
    use super::check_agreement;

    #[test]
    fn algorithms_that_disagree_are_refused() {
        assert!(check_agreement(1.0, 1.0 + 5e-6, 10.0).is_ok());
        assert!(check_agreement(1.0, 1.0 + 5e-5, 10.0).is_err());
        assert!(check_agreement(f64::NAN, 1.0, 10.0).is_err() && check_agreement(1.0, f64::NAN, 10.0).is_err());
    }
}
