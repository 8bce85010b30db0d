//! Mean and covariance of features: mergeable across shards, and stored as other tools store them.

use std::path::Path;

use elbow_arrays::{NpzReader, NpzWriter};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use serde::{Deserialize, Serialize};

use crate::contents::statistics_names;
use crate::features::{FeatureProvenance, Features, same_dimension};
use crate::{Error, Result};

const AGAIN: &str = "compute the statistics again";

/// Mean and covariance (with n - 1) of a set of features, in f64.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Half", into = "Half")]
pub struct Statistics {
    /// Mean \[d\].
    pub mean: Vec<f64>,
    /// Covariance \[d, d\].
    pub covariance: Mat<f64>,
    /// Number of images n; absent from files of other tools.
    pub n: Option<u64>,
    /// Network and convention of the features; absent from files of other tools.
    pub provenance: Option<FeatureProvenance>,
}

/// Statistics with a half of the covariance, which is symmetric: the entries above the diagonal and on it, column after column.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Half {
    mean: Vec<f64>,
    covariance: Vec<f64>,
    n: Option<u64>,
    provenance: Option<FeatureProvenance>,
}

impl From<Statistics> for Half {
    fn from(Statistics { mean, covariance, n, provenance }: Statistics) -> Self {
        let half = (0..mean.len()).flat_map(|j| (0..=j).map(move |i| (i, j)));
        let covariance = half.map(|at| covariance[at]).collect();
        Self { mean, covariance, n, provenance }
    }
}

impl From<Half> for Statistics {
    fn from(Half { mean, covariance: half, n, provenance }: Half) -> Self {
        let entry = |i: usize, j: usize| half.get(j * (j + 1) / 2 + i).copied().unwrap_or(f64::NAN);
        let covariance = Mat::from_fn(mean.len(), mean.len(), |i, j| entry(i.min(j), i.max(j)));
        Self { mean, covariance, n, provenance }
    }
}

impl Statistics {
    /// Mean and covariance of the features \[n, d\] of one block, which is centred on its own mean: raw moments would lose
    /// digits. The covariance of a single image is zero, and merging gives it no weight.
    pub(crate) fn of_block(features: &Features, provenance: &FeatureProvenance) -> Self {
        let (n, d) = (features.len(), features.dimension);
        let mut mean = vec![0.0; d];
        for row in features.rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        mean.iter_mut().for_each(|sum| *sum /= n as f64);
        let centred = centred(features, &mean);
        let mut covariance = Mat::zeros(d, d);
        // Threads divide the entries, never the sum of one entry: digits do not depend on their number.
        matmul(&mut covariance, Accum::Replace, centred.transpose(), &centred, 1.0, Par::rayon(0));
        // Symmetric to the last digit: a half of it is the whole.
        for (i, j) in (0..d).flat_map(|j| (0..j).map(move |i| (i, j))) {
            covariance[(i, j)] = covariance[(j, i)];
        }
        Self { mean, covariance, n: Some(n as u64), provenance: Some(provenance.clone()) }
    }

    /// Mean and covariance of two disjoint sets together (Chan's formula).
    pub fn merge(&self, other: &Self) -> Result<Self> {
        let (Some(n1), Some(n2)) = (self.n, other.n) else { return Err(Error::UnknownCount) };
        self.check_comparable(other)?;
        let (a, b) = (n1 as f64, n2 as f64);
        let n = a + b;
        let delta: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(y, x)| y - x).collect();
        let mean = self.mean.iter().zip(&delta).map(|(x, d)| x + d * b / n).collect();
        let covariance = Mat::from_fn(delta.len(), delta.len(), |i, j| {
            let within = (a - 1.0) * self.covariance[(i, j)] + (b - 1.0) * other.covariance[(i, j)];
            (within + delta[i] * delta[j] * a * b / n) / (n - 1.0)
        });
        Ok(Self { mean, covariance, n: Some(n1 + n2), provenance: self.provenance.clone() })
    }

    /// Refuses statistics of other features: another dimension, network or convention.
    pub fn check_comparable(&self, other: &Self) -> Result<()> {
        same_dimension(self.mean.len(), other.mean.len())?;
        other.provenance.as_ref().map_or(Ok(()), |provenance| self.check_provenance(provenance))
    }

    /// Refuses features of another provenance, where both are known.
    pub fn check_provenance(&self, other: &FeatureProvenance) -> Result<()> {
        self.provenance.as_ref().map_or(Ok(()), |own| own.check_matches(other))
    }

    /// Reads `mu` \[d\] and `sigma` \[d, d\] (or `m` and `s`), in double, single or half precision and in C or Fortran
    /// order, as pytorch-fid, clean-fid, EDM and ADM write them.
    pub fn load(path: &Path) -> Result<Self> {
        let invalid = |what: String, advice: &str| Error::input(format!("{}: {what}", path.display()), advice);
        let mut file = NpzReader::open(path)?;
        let [mu, sigma_name] = statistics_names(&file).unwrap_or(["mu", "sigma"]);
        let (mean, sigma) = (file.floats(mu)?.data, file.floats(sigma_name)?);
        let d = mean.len();
        if d == 0 {
            return Err(invalid(format!("{mu} is empty"), AGAIN));
        }
        let sides: Vec<usize> = sigma.shape.iter().copied().filter(|&side| side != 1 || d == 1).collect();
        if sides != [d, d] {
            let what = format!("{mu} has {d} entries, {sigma_name} the shape {:?}", sigma.shape);
            return Err(invalid(what, "a covariance is a square matrix, with as many rows as the mean has entries"));
        }
        if mean.iter().chain(&sigma.data).any(|v| !v.is_finite()) {
            return Err(invalid(format!("{mu} or {sigma_name} is not finite"), AGAIN));
        }
        let covariance = Mat::from_fn(d, d, |i, j| sigma.data[i * d + j]);
        let scale = (0..d).map(|i| covariance[(i, i)]).fold(0.0, f64::max);
        let skew = (0..d).flat_map(|i| (0..i).map(move |j| (i, j)));
        let skew = skew.map(|(i, j)| (covariance[(i, j)] - covariance[(j, i)]).abs()).fold(0.0, f64::max);
        // What is symmetric before it is rounded is so to about the rounding: half precision has 11 bits, single 24.
        let rounding = if file.header(sigma_name)?.dtype.to_string() == "float16" { 2e-3 } else { 1e-6 };
        if skew > rounding * scale {
            return Err(invalid(format!("{sigma_name} is not symmetric (by {skew:e})"), AGAIN));
        }
        let n = if file.has("n") { Some(count(&mut file)?) } else { None };
        if let Some(n) = n.filter(|n| !(*n >= 2.0 && n.fract() == 0.0 && *n < 9e15)) {
            return Err(invalid(format!("n is {n}"), "expected a whole number of images, 2 or more"));
        }
        let mut text = |name: &str| -> Result<Option<String>> {
            let bytes = if file.has(name) { Some(file.bytes(name)?.data) } else { None };
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let [metric, network, convention] = [text("metric")?, text("network")?, text("convention")?];
        let provenance = metric.map(|metric| FeatureProvenance {
            metric,
            network: network.unwrap_or_default(),
            convention: convention.unwrap_or_default(),
        });
        Ok(Self { mean, covariance, n: n.map(|n| n as u64), provenance })
    }

    /// Writes `mu` \[d\] and `sigma` \[d, d\] in f64, with `n` \[1\] and `metric`, `network`, `convention` as bytes.
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(self.written(path)?.finish()?)
    }

    /// The covariance, row after row.
    pub(crate) fn rows(&self) -> Vec<f64> {
        let d = self.mean.len();
        (0..d * d).map(|i| self.covariance[(i / d, i % d)]).collect()
    }

    /// The same file, unfinished.
    pub(crate) fn written(&self, path: &Path) -> Result<NpzWriter> {
        let d = self.mean.len();
        let mut file = NpzWriter::create(path)?;
        file.array("mu", &[d], &self.mean)?;
        file.array("sigma", &[d, d], &self.rows())?;
        if let Some(n) = self.n {
            file.array("n", &[1], &[n as f64])?;
        }
        if let Some(FeatureProvenance { metric, network, convention }) = &self.provenance {
            for (name, text) in [("metric", metric), ("network", network), ("convention", convention)] {
                file.array(name, &[text.len()], text.as_bytes())?;
            }
        }
        Ok(file)
    }
}

/// The number of images `n`: a floating-point number as [`Statistics::save`] writes it, or an integer. NaN for an empty
/// array.
fn count(file: &mut NpzReader) -> Result<f64> {
    let entries = match file.header("n")?.is_float() {
        true => file.floats("n")?.data,
        false => file.integers("n")?.data.iter().map(|&n| n as f64).collect(),
    };
    Ok(entries.first().copied().unwrap_or(f64::NAN))
}

/// The centred features C = (features - mean) / sqrt(n - 1), \[n, d\], with C^T C the covariance.
pub(super) fn centred(features: &Features, mean: &[f64]) -> Mat<f64> {
    let (n, d) = (features.len(), features.dimension);
    let scale = 1.0 / (n.max(2) as f64 - 1.0).sqrt();
    Mat::from_fn(n, d, |i, j| (f64::from(features.values[i * d + j]) - mean[j]) * scale)
}
