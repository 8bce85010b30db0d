//! The Frechet distance of two Gaussians, FID when they are fitted to Inception features.
//!
//! d^2 = ||mu_1 - mu_2||^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2), with means mu \[d\] and covariances S \[d, d\]
//! (Heusel et al. 2017).
//!
//! The trace of the square root is that of the eigenvalues of the symmetric A S_2 A^T, S_1 = A^T A, where a bound of its
//! error is small; else, and for few dimensions, the nuclear norm of A B^T, S_2 = B^T B. [`GaussianFit::verified`] computes
//! both, which must agree. The square root of the product S_1 S_2, which other tools take, needs a ridge or a cast from
//! complex numbers where S is singular.

use faer::{Mat, Par, Side as Triangle};
use serde::Serialize;

use crate::features::{FeatureProvenance, Features};
use crate::root_trace::{
    RootTrace, SMALL, TraceAlgorithm, by_plain_eigenvalues, by_singular_values, error_of_root, no_convergence,
    root_trace,
};
use crate::stats::{Statistics, centred};
use crate::{Error, Result};

/// Largest accepted difference of the two traces, relative to tr S_1 + tr S_2. The smallest eigenvalues of a (nearly)
/// singular covariance are rounding errors of about 1e-16, whose square roots are 1e-8.
const AGREEMENT: f64 = 1e-6;

/// Most negative accepted eigenvalue, relative to the largest: statistics in single precision have such eigenvalues.
const NEGATIVE: f64 = 1e-5;

/// Largest accepted error of a square root without cut eigenvalues, relative to the largest entry: rounding alone.
const ROUNDING: f64 = 1e-11;

/// Accepted size of the largest entry of a covariance that is not zero, and (from above) of a mean: products of four
/// roots of covariances neither overflow nor vanish.
const SIZES: std::ops::RangeInclusive<f64> = 1e-100..=1e100;

/// A Frechet distance, in squared feature units.
#[derive(Clone, Debug, Serialize)]
pub struct Distance {
    /// The distance.
    pub value: f64,
    /// Bound of the error of the distance from the arithmetic of the trace, given the covariances.
    pub error_bound: f64,
    /// The algorithm of the trace.
    pub algorithm: TraceAlgorithm,
    /// The distance with the trace from symmetric eigenvalues, where it was computed beside the nuclear norm: for few
    /// dimensions, or where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_eigenvalues: Option<f64>,
    /// |value - by_eigenvalues|.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<f64>,
    /// ||mu_1 - mu_2||^2.
    pub mean_part: f64,
    /// Number of images of either set, where known.
    pub n: [Option<u64>; 2],
    /// Feature dimension d.
    pub dimension: usize,
    /// Whether a set has no more images than dimensions: its covariance is singular, and the distance biased upwards.
    pub rank_deficient: bool,
}

/// Keeps faer's decompositions on one thread. On several it splits their sums, and digits depend on the machine.
fn on_one_thread() {
    faer::set_global_parallelism(Par::Seq);
}

/// A Gaussian fitted to features: mean, covariance S \[d, d\], and a square root A \[r, d\] with A^T A = S.
pub struct GaussianFit {
    /// Mean and covariance.
    pub statistics: Statistics,
    root: Mat<f64>,
    /// Largest accepted error of A^T A, relative to the largest entry of S.
    root_error: f64,
}

impl GaussianFit {
    /// Fits a Gaussian to features \[n, d\]. If n <= d, the centred features themselves are the square root of the
    /// covariance: exact, and without a d x d eigenproblem.
    pub fn of_features(features: &Features, provenance: &FeatureProvenance) -> Result<Self> {
        let statistics = Statistics::of(features, provenance)?;
        match features.len() > features.dimension {
            true => Self::of_statistics(statistics),
            false => Ok(Self { root: centred(features, &statistics.mean), statistics, root_error: ROUNDING }),
        }
    }

    /// Takes a mean and covariance; the square root is a Cholesky factor, or made of eigenvectors where S is singular.
    /// Fails where an entry is not finite, or so large or small that a distance would overflow or vanish.
    pub fn of_statistics(statistics: Statistics) -> Result<Self> {
        on_one_thread();
        check_size(&statistics)?;
        let (root, root_error) = match statistics.covariance.llt(Triangle::Lower) {
            Ok(factor) => (factor.L().transpose().to_owned(), ROUNDING),
            Err(_) => (root_of_covariance(&statistics.covariance)?, NEGATIVE),
        };
        Ok(Self { statistics, root, root_error })
    }

    /// The Frechet distance [FID (6)] to another Gaussian, alone.
    pub fn to(&self, other: &Self) -> Result<f64> {
        self.statistics.check_comparable(&other.statistics)?;
        let (mean_part, spread) = parts(&self.statistics, &other.statistics);
        Ok(mean_part + spread - 2.0 * self.trace(other, spread)?.value)
    }

    /// tr (S_1 S_2)^(1/2). `spread`: tr S_1 + tr S_2.
    fn trace(&self, other: &Self, spread: f64) -> Result<RootTrace> {
        on_one_thread();
        let sides = [self, other];
        let [a, b] = sides.map(|side| side.root.as_ref());
        let found = root_trace([a, b], other.statistics.covariance.as_ref(), spread)?;
        if found.algorithm == TraceAlgorithm::Eigenvalues {
            for side in sides {
                let error = error_of_root(side.root.as_ref(), side.statistics.covariance.as_ref());
                side.check_root(error, 1.0)?;
            }
        }
        Ok(found)
    }

    /// Refuses a root whose square is not the covariance, which has this size.
    fn check_root(&self, error: f64, size: f64) -> Result<()> {
        match error <= self.root_error * size {
            true => Ok(()),
            false => Err(Error::Numerical(format!("the root of a covariance is off by {error:e} of {size:e}"))),
        }
    }

    /// The Frechet distance [FID (6)] to another Gaussian; for few dimensions by both algorithms, as by
    /// [`GaussianFit::verified`].
    pub fn distance(&self, other: &Self) -> Result<Distance> {
        match self.root.nrows().min(other.root.nrows()) <= SMALL {
            true => self.verified(other),
            false => {
                self.statistics.check_comparable(&other.statistics)?;
                let (_, spread) = parts(&self.statistics, &other.statistics);
                Ok(self.described(other, self.trace(other, spread)?))
            }
        }
    }

    /// The Frechet distance [FID (6)] to another Gaussian by the nuclear norm, with that by eigenvalues beside it; fails where
    /// they disagree.
    pub fn verified(&self, other: &Self) -> Result<Distance> {
        let (first, second) = (&self.statistics, &other.statistics);
        first.check_comparable(second)?;
        on_one_thread();
        let [a, b] = [self, other].map(|side| side.root.as_ref());
        let eigenvalues = || {
            on_one_thread();
            // The other algorithm uses the same square root, so their agreement would not show an error of it.
            let (root, covariance) = (&self.root, &first.covariance);
            self.check_root((root.transpose() * root - covariance).norm_max(), covariance.norm_max())?;
            by_plain_eigenvalues(a, second.covariance.as_ref())
        };
        let (nuclear, eigenvalues) = rayon::join(|| by_singular_values(a, b), eigenvalues);
        let (nuclear, eigenvalues) = (nuclear?, eigenvalues?);
        let (mean_part, spread) = parts(first, second);
        check_agreement(nuclear.value, eigenvalues, spread)?;
        let by_eigenvalues = mean_part + spread - 2.0 * eigenvalues;
        let found = self.described(other, nuclear);
        let disagreement = Some((found.value - by_eigenvalues).abs());
        Ok(Distance { by_eigenvalues: Some(by_eigenvalues), disagreement, ..found })
    }

    /// The distance of a trace.
    fn described(&self, other: &Self, trace: RootTrace) -> Distance {
        let (first, second) = (&self.statistics, &other.statistics);
        let (mean_part, spread) = parts(first, second);
        let dimension = first.mean.len();
        let n = [first.n, second.n];
        Distance {
            value: mean_part + spread - 2.0 * trace.value,
            error_bound: 2.0 * trace.error_bound,
            algorithm: trace.algorithm,
            by_eigenvalues: None,
            disagreement: None,
            mean_part,
            n,
            dimension,
            rank_deficient: n.iter().flatten().any(|&n| n <= dimension as u64),
        }
    }
}

/// Refuses entries that are not finite, and sizes beyond `SIZES`.
fn check_size(statistics: &Statistics) -> Result<()> {
    let entries = statistics.covariance.col_iter().flat_map(|column| column.iter()).copied();
    // A maximum would pass over NaN.
    let size = |entries: &mut dyn Iterator<Item = f64>| entries.map(f64::abs).max_by(f64::total_cmp).unwrap_or(0.0);
    let (mean, spread) = (size(&mut statistics.mean.iter().copied()), size(&mut { entries }));
    if mean <= *SIZES.end() && (spread == 0.0 || SIZES.contains(&spread)) {
        return Ok(());
    }
    let what = format!("a mean of up to {mean:e} and a covariance of up to {spread:e}");
    Err(Error::input(what, "no features are of this size: compute the statistics again"))
}

/// Refuses traces that differ by more than `AGREEMENT` of `spread` = tr S_1 + tr S_2.
fn check_agreement(nuclear: f64, eigenvalues: f64, spread: f64) -> Result<()> {
    match (nuclear - eigenvalues).abs() <= AGREEMENT * spread.max(f64::MIN_POSITIVE) {
        true => Ok(()),
        false => Err(Error::Numerical(format!("the trace algorithms disagree: {nuclear} and {eigenvalues}"))),
    }
}

/// The Frechet distance [FID (6)] of two sets of features \[n, d\] and \[m, d\].
pub fn between_features(a: &Features, b: &Features, provenance: &FeatureProvenance) -> Result<Distance> {
    GaussianFit::of_features(a, provenance)?.distance(&GaussianFit::of_features(b, provenance)?)
}

/// ||mu_1 - mu_2||^2, and tr S_1 + tr S_2.
fn parts(first: &Statistics, second: &Statistics) -> (f64, f64) {
    let mean_part = first.mean.iter().zip(&second.mean).map(|(x, y)| (x - y).powi(2)).sum();
    (mean_part, trace(&first.covariance) + trace(&second.covariance))
}

/// Rows sqrt(eigenvalue) * eigenvector. Negative eigenvalues are set to 0 where rounding explains them, refused
/// otherwise.
fn root_of_covariance(covariance: &Mat<f64>) -> Result<Mat<f64>> {
    let eigen = covariance.self_adjoint_eigen(Triangle::Lower).map_err(|_| no_convergence())?;
    let (u, s) = (eigen.U(), eigen.S().column_vector());
    let (least, largest) = s.iter().fold((0.0_f64, 0.0_f64), |(low, high), &v| (low.min(v), high.max(v)));
    if least < -NEGATIVE * largest {
        return Err(Error::NegativeEigenvalue { least, largest });
    }
    Ok(Mat::from_fn(covariance.nrows(), covariance.nrows(), |i, j| s[i].max(0.0).sqrt() * u[(j, i)]))
}

fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

#[cfg(test)]
mod tests {
    use super::check_agreement;

    #[test]
    fn check_agreement_refuses_different_traces() {
        assert!(check_agreement(1.0, 1.0 + 5e-6, 10.0).is_ok());
        assert!(check_agreement(1.0, 1.0 + 5e-5, 10.0).is_err());
        assert!(check_agreement(f64::NAN, 1.0, 10.0).is_err() && check_agreement(1.0, f64::NAN, 10.0).is_err());
    }
}
