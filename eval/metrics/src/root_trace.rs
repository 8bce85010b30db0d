//! tr (S_1 S_2)^(1/2) of two covariances from their square roots A and B, A^T A = S_1 and B^T B = S_2, by two algorithms.
//!
//! Singular values: the nuclear norm of C = A B^T. Its error is a few roundings of the norm of C, whether C is singular or
//! not. Half of the work is products of a matrix and a vector, which run at the speed of memory.
//!
//! Eigenvalues: the square roots of those of A S_2 A^T, four times as fast. Small eigenvalues lose digits, so the error is
//! bounded afterwards: by the products of the reduced matrix with random vectors, against those of A, S_2 and A^T
//! themselves, and by Sturm's counts of the eigenvalues of the tridiagonal matrix.

use elbow_base::Key;
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::tridiagonal_self_adjoint_evd;
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
    apply_block_householder_sequence_transpose_on_the_left_in_place_scratch,
    apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj,
};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::temp_mat_scratch;
use faer::{Accum, Conj, Mat, MatRef, Par, Side as Triangle};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::Serialize;

use crate::{Error, Result};

/// The algorithm of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceAlgorithm {
    /// The nuclear norm of A B^T.
    SingularValues,
    /// The roots of the eigenvalues of A S_2 A^T.
    Eigenvalues,
}

/// A trace with a bound of its error.
#[derive(Clone, Copy, Debug)]
pub struct RootTrace {
    /// tr (S_1 S_2)^(1/2).
    pub value: f64,
    /// Largest error of the value, given A and S_2.
    pub error_bound: f64,
    /// How it was computed.
    pub algorithm: TraceAlgorithm,
}

/// Largest number of rows of a root whose singular values are computed without asking the eigenvalues first.
pub const SMALL: usize = 256;

/// Largest accepted bound of the error from eigenvalues, relative to tr S_1 + tr S_2.
const ACCEPTED: f64 = 1e-7;

/// Columns of a Householder block.
const BLOCK: usize = 32;

/// Random vectors that estimate a Frobenius norm. The norm is above twice the estimate with a probability below 2e-9.
const PROBES: usize = 64;
const ABOVE: f64 = 2.0;

/// Roundings that a backward stable algorithm is granted, per dimension and per count.
const ROUNDINGS: f64 = 8.0;

/// The trace from the roots `a` \[r, d\] and `b` \[s, d\] of two covariances: by eigenvalues where both roots have many rows, as
/// many as columns, and the error bound is small, else by singular values: fewer rows make zero eigenvalues, whose roots
/// lose half of the digits. `spread`: tr S_1 + tr S_2.
pub fn root_trace([a, b]: [MatRef<'_, f64>; 2], second: MatRef<'_, f64>, spread: f64) -> Result<RootTrace> {
    if a.ncols() > SMALL && [a, b].iter().all(|root| root.nrows() == root.ncols()) {
        let found = by_eigenvalues(a, b, second)?;
        if found.error_bound <= ACCEPTED * spread {
            return Ok(found);
        }
    }
    by_singular_values(a, b)
}

/// The error of A^T A relative to S, in the Frobenius norm: from products with random vectors.
pub fn error_of_root(a: MatRef<'_, f64>, covariance: MatRef<'_, f64>) -> f64 {
    let probes = probes(a.ncols());
    let difference = a.transpose() * (a * &probes) - covariance * &probes;
    estimate(&difference) / covariance.norm_l2()
}

/// Standard normal vectors, the same in every run.
fn probes(n: usize) -> Mat<f64> {
    let mut rng = Key::new(0, "probes of a trace").rng();
    Mat::from_fn(n, PROBES, |_, _| Distribution::<f64>::sample(&StandardNormal, &mut rng))
}

/// A bound of the Frobenius norm of a matrix from its products with the probes.
fn estimate(products: &Mat<f64>) -> f64 {
    ABOVE * products.norm_l2() / (PROBES as f64).sqrt()
}

/// The trace as the nuclear norm of A B^T.
pub fn by_singular_values(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<RootTrace> {
    let product = a * b.transpose();
    let values = product.singular_values().map_err(|_| no_convergence())?;
    // The sum of squares is that of the entries: a check by another way.
    let (squares, norm) = (values.iter().map(|v| v * v).sum::<f64>().sqrt(), product.norm_l2());
    let granted = ROUNDINGS * values.len() as f64 * f64::EPSILON * norm;
    match (squares - norm).abs() <= granted {
        true => Ok(RootTrace {
            value: values.iter().sum(),
            error_bound: granted,
            algorithm: TraceAlgorithm::SingularValues,
        }),
        false => Err(Error::Numerical(format!("singular values of the norm {squares} for a matrix of {norm}"))),
    }
}

/// A symmetric matrix Q T Q^T, T tridiagonal.
struct Reduced {
    /// Q below the diagonal, as reflectors; the diagonals of T.
    matrix: Mat<f64>,
    /// The factors of the reflectors.
    factors: Mat<f64>,
}

/// The trace from the eigenvalues of A S A^T = (A B^T) (A B^T)^T, S = B^T B the other covariance.
fn by_eigenvalues(a: MatRef<'_, f64>, b: MatRef<'_, f64>, covariance: MatRef<'_, f64>) -> Result<RootTrace> {
    let reduced = Reduced::new(a, b);
    let (diagonal, off) = reduced.tridiagonal();
    let mut eigenvalues = tridiagonal_eigenvalues(&diagonal, &off)?;
    eigenvalues.sort_unstable_by(f64::total_cmp);
    let error = reduced.distance_from(a, covariance) + solver_error(&diagonal, &off, &eigenvalues)?;
    let value = eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum();
    Ok(RootTrace { value, error_bound: error_of_roots(&eigenvalues, error), algorithm: TraceAlgorithm::Eigenvalues })
}

impl Reduced {
    fn new(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Self {
        let n = a.nrows();
        // Threads divide the entries of a product, never the sum of one entry: digits do not depend on their number.
        let mut product = Mat::zeros(n, b.nrows());
        matmul(&mut product, Accum::Replace, a, b.transpose(), 1.0, Par::rayon(0));
        let (mut matrix, mut factors) = (Mat::zeros(n, n), Mat::zeros(BLOCK, n - 1));
        let (lower, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
        let (left, right) = (product.as_ref(), product.transpose());
        triangular::matmul(&mut matrix, lower, Accum::Replace, left, whole, right, whole, 1.0, Par::rayon(0));
        // On several threads it would divide sums.
        let mut memory = MemBuffer::new(tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
        let stack = MemStack::new(&mut memory);
        tridiag_in_place(matrix.as_mut(), factors.as_mut(), Par::Seq, stack, Default::default());
        Self { matrix, factors }
    }

    /// The diagonal of T, and that below it.
    fn tridiagonal(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.matrix.nrows();
        let diagonal = (0..n).map(|i| self.matrix[(i, i)]).collect();
        (diagonal, (1..n).map(|i| self.matrix[(i, i - 1)]).collect())
    }

    /// Q x, or Q^T x, in place.
    fn turn(&self, x: &mut Mat<f64>, transposed: bool) {
        let n = self.matrix.nrows();
        let basis = self.matrix.as_ref().submatrix(1, 0, n - 1, n - 1);
        let (factors, columns) = (self.factors.as_ref(), x.ncols());
        let below = x.as_mut().subrows_mut(1, n - 1);
        if transposed {
            let scratch = apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<f64>;
            let mut memory = MemBuffer::new(scratch(n - 1, BLOCK, columns));
            let stack = MemStack::new(&mut memory);
            let apply = apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj;
            apply(basis, factors, Conj::No, below, Par::Seq, stack);
        } else {
            let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>;
            let mut memory = MemBuffer::new(scratch(n - 1, BLOCK, columns));
            let stack = MemStack::new(&mut memory);
            let apply = apply_block_householder_sequence_on_the_left_in_place_with_conj;
            apply(basis, factors, Conj::No, below, Par::Seq, stack);
        }
    }

    /// A bound of the Frobenius norm of A S A^T - Q T Q^T, Q taken as the nearest orthogonal matrix: from products with
    /// random vectors.
    fn distance_from(&self, a: MatRef<'_, f64>, covariance: MatRef<'_, f64>) -> f64 {
        let n = self.matrix.nrows();
        let probes = probes(n);
        let exact = a * (covariance * (a.transpose() * &probes));
        let mut turned = probes.clone();
        self.turn(&mut turned, true);
        let mut back = turned.clone();
        self.turn(&mut back, false);
        let (diagonal, off) = self.tridiagonal();
        let mut rebuilt = Mat::from_fn(n, PROBES, |i, k| {
            let above = if i > 0 { off[i - 1] * turned[(i - 1, k)] } else { 0.0 };
            let below = if i + 1 < n { off[i] * turned[(i + 1, k)] } else { 0.0 };
            above + diagonal[i] * turned[(i, k)] + below
        });
        self.turn(&mut rebuilt, false);
        let norm = diagonal.iter().map(|v| v * v).chain(off.iter().map(|v| 2.0 * v * v)).sum::<f64>().sqrt();
        estimate(&(exact - rebuilt)) + estimate(&(back - probes)) * norm
    }
}

/// The eigenvalues of a tridiagonal matrix.
fn tridiagonal_eigenvalues(diagonal: &[f64], off: &[f64]) -> Result<Vec<f64>> {
    let n = diagonal.len();
    let column = |values: &[f64]| {
        let mut column = Diag::<f64>::zeros(n);
        values.iter().enumerate().for_each(|(i, v)| column[i] = *v);
        column
    };
    let (diagonal, off, mut values) = (column(diagonal), column(off), column(&[]));
    let mut memory = MemBuffer::new(StackReq::all_of(&[temp_mat_scratch::<f64>(n, 1); 2]));
    let (stack, no_vectors) = (MemStack::new(&mut memory), None);
    let solved = tridiagonal_self_adjoint_evd(
        diagonal.as_ref(),
        off.as_ref(),
        values.as_mut(),
        no_vectors,
        Par::Seq,
        stack,
        Default::default(),
    );
    solved.map_err(|_| no_convergence())?;
    Ok((0..n).map(|i| values[i]).collect())
}

/// A bound of the Euclidean norm of the errors of all eigenvalues of a tridiagonal matrix, by Sturm's counts: eigenvalue
/// number i, in ascending order, lies within a distance where at most i are below it, and more than i are not above.
fn solver_error(diagonal: &[f64], off: &[f64], eigenvalues: &[f64]) -> Result<f64> {
    let largest = eigenvalues.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    let rounding = ROUNDINGS * f64::EPSILON * largest;
    let within = |distance: f64| {
        let holds = |(i, v): (usize, &f64)| {
            count_below(diagonal, off, v - distance) <= i && count_below(diagonal, off, v + distance) > i
        };
        eigenvalues.par_iter().enumerate().all(holds)
    };
    // The counts are those of a matrix that rounding has moved.
    let distance = (0..20).map(|k| rounding * f64::from(1 << k)).find(|&distance| within(distance));
    let distance = distance.ok_or_else(|| Error::Numerical("eigenvalues fail Sturm's counts".to_owned()))?;
    Ok((distance + rounding) * (eigenvalues.len() as f64).sqrt())
}

/// Number of eigenvalues of a tridiagonal matrix below x: of negative pivots of T - x.
fn count_below(diagonal: &[f64], off: &[f64], x: f64) -> usize {
    let (mut count, mut pivot) = (0, 1.0);
    for (i, d) in diagonal.iter().enumerate() {
        let coupling = if i > 0 { off[i - 1] * off[i - 1] / pivot } else { 0.0 };
        pivot = d - x - coupling;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE;
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

/// A bound of the error of the sum of the roots of eigenvalues whose errors have the Euclidean norm `error` (Hoffman and
/// Wielandt): |sqrt l - sqrt m| is at most |l - m| / sqrt m, and at most |l - m|^(1/2), summed by the inequalities of
/// Cauchy and Hoelder.
fn error_of_roots(eigenvalues: &[f64], error: f64) -> f64 {
    let (large, small): (Vec<f64>, Vec<f64>) = eigenvalues.iter().partition(|&&v| v > error);
    let of_large = error * large.iter().map(|v| 1.0 / v).sum::<f64>().sqrt();
    of_large + (small.len() as f64).powf(0.75) * error.sqrt()
}

/// The trace from the eigenvalues of A S_2 A^T by faer's own solver, for a comparison of algorithms.
pub fn by_plain_eigenvalues(a: MatRef<'_, f64>, second: MatRef<'_, f64>) -> Result<f64> {
    let product = a * (second * a.transpose());
    let eigenvalues = product.self_adjoint_eigenvalues(Triangle::Lower).map_err(|_| no_convergence())?;
    Ok(eigenvalues.iter().map(|v| v.max(0.0).sqrt()).sum())
}

pub fn no_convergence() -> Error {
    Error::Numerical("an eigenvalue iteration did not converge".to_owned())
}
