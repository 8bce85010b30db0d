//! Mean and covariance of features: mergeable across shards, stored as other tools store them.

use std::path::Path;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::features::Features;
use super::npz::{Npz, NpzWriter};
use elbow_base::Error;

/// Images a block of [`Statistics::of`].
const BLOCK: usize = 1024;

/// Mean and covariance (with n - 1) of a set of features, in f64.
#[derive(Clone, Debug)]
pub struct Statistics {
    pub mean: Vec<f64>,
    pub covariance: Mat<f64>,
    /// Images behind the numbers; absent from files of other tools.
    pub n: Option<u64>,
    /// What made the features; absent from files of other tools.
    pub origin: Option<Origin>,
}

/// What made features: they are comparable only if all of it is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The Frechet distance's name: network and convention.
    pub metric: String,
    /// SHA-256 of the network file; empty where no file made the features.
    pub network: String,
    pub convention: String,
}

impl Origin {
    /// Of features that no network file made.
    pub fn made(metric: &str) -> Self {
        Self { metric: metric.to_owned(), network: String::new(), convention: String::new() }
    }

    /// Whether the features of both can be compared: the same network, whatever its file is called, in the same convention.
    fn matches(&self, other: &Self) -> bool {
        let same_name = self.metric == other.metric;
        let same = (&self.network, &self.convention) == (&other.network, &other.convention);
        same && (same_name || !self.network.is_empty())
    }
}

impl Statistics {
    /// The statistics of at least two images.
    pub fn of(features: &Features, origin: &Origin) -> Result<Self, Error> {
        let (n, d) = (features.len(), features.dimension);
        if n < 2 {
            return Err(Error::input(format!("{n} images: no covariance"), "give at least two images"));
        }
        // Blocks of a fixed size: memory stays flat, and their own means as pilots keep the digits that raw moments lose.
        let block = |first: usize| {
            let rows: Vec<usize> = (first..(first + BLOCK).min(n)).collect();
            Self::of_block(&features.select(&rows), origin)
        };
        let mut all = block(0);
        for first in (BLOCK..n).step_by(BLOCK) {
            all = all.merge(&block(first))?;
        }
        debug_assert_eq!((all.n, all.mean.len()), (Some(n as u64), d));
        Ok(all)
    }

    /// All at once; of one image the covariance is zero, and merging gives it no weight.
    fn of_block(features: &Features, origin: &Origin) -> Self {
        let (n, d) = (features.len(), features.dimension);
        let mut mean = vec![0.0; d];
        for row in features.rows() {
            mean.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        mean.iter_mut().for_each(|sum| *sum /= n as f64);
        let centred = centred(features, &mean);
        let mut covariance = Mat::zeros(d, d);
        // Threads share out places, never the sum of one product.
        matmul(&mut covariance, Accum::Replace, centred.transpose(), &centred, 1.0, Par::rayon(0));
        Self { mean, covariance, n: Some(n as u64), origin: Some(origin.clone()) }
    }

    /// The statistics of two sets together (Chan's formula).
    pub fn merge(&self, other: &Self) -> Result<Self, Error> {
        let (Some(n1), Some(n2)) = (self.n, other.n) else {
            return Err(Error::input(
                "statistics without a count cannot be merged",
                "make them with `elbow fid stats`",
            ));
        };
        self.check_comparable(other)?;
        let (a, b) = (n1 as f64, n2 as f64);
        let n = a + b;
        let delta: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(y, x)| y - x).collect();
        let mean = self.mean.iter().zip(&delta).map(|(x, d)| x + d * b / n).collect();
        let covariance = Mat::from_fn(delta.len(), delta.len(), |i, j| {
            let within = (a - 1.0) * self.covariance[(i, j)] + (b - 1.0) * other.covariance[(i, j)];
            (within + delta[i] * delta[j] * a * b / n) / (n - 1.0)
        });
        Ok(Self { mean, covariance, n: Some(n1 + n2), origin: self.origin.clone() })
    }

    /// Refuses statistics of other features: another dimension, network or convention.
    pub fn check_comparable(&self, other: &Self) -> Result<(), Error> {
        if self.mean.len() != other.mean.len() {
            let what = format!("features of {} and of {} dimensions", self.mean.len(), other.mean.len());
            return Err(Error::input(what, "compare statistics of the same network"));
        }
        other.origin.as_ref().map_or(Ok(()), |origin| self.check_origin(origin))
    }

    /// Refuses features of another origin, where both are known.
    pub fn check_origin(&self, other: &Origin) -> Result<(), Error> {
        match &self.origin {
            Some(own) if !own.matches(other) => {
                let short = |origin: &Origin| format!("{} (network {:.8})", origin.metric, origin.network);
                let what = format!("statistics of {} and of {}", short(own), short(other));
                Err(Error::input(what, "compare the same network and convention"))
            }
            _ => Ok(()),
        }
    }

    /// Reads `mu` and `sigma`; files of pytorch-fid, clean-fid, EDM and ADM have them, in double or single
    /// precision and in any order.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut file = Npz::open(path)?;
        let mean = file.floats("mu")?.data;
        let sigma = file.floats("sigma")?;
        let d = mean.len();
        if d == 0 {
            return Err(Error::input(format!("{}: mu is empty", path.display()), "make it again"));
        }
        let sides: Vec<usize> = sigma.shape.iter().copied().filter(|&side| side != 1 || d == 1).collect();
        if sides != [d, d] {
            let what = format!("{}: mu has {d} entries, sigma shape {:?}", path.display(), sigma.shape);
            return Err(Error::input(what, "expected a square matrix of that size"));
        }
        if mean.iter().chain(&sigma.data).any(|v| !v.is_finite()) {
            return Err(Error::input(format!("{}: not all numbers are finite", path.display()), "make it again"));
        }
        let covariance = Mat::from_fn(d, d, |i, j| sigma.data[i * d + j]);
        let scale = (0..d).map(|i| covariance[(i, i)]).fold(0.0, f64::max);
        let skew = (0..d).flat_map(|i| (0..i).map(move |j| (i, j)));
        let skew = skew.map(|(i, j)| (covariance[(i, j)] - covariance[(j, i)]).abs()).fold(0.0, f64::max);
        // Single precision files are symmetric to about 1e-7 of the scale.
        if skew > 1e-6 * scale {
            return Err(Error::input(
                format!("{}: sigma is not symmetric (by {skew:e})", path.display()),
                "make it again",
            ));
        }
        let n = if file.has("n") { file.floats("n")?.data.first().copied() } else { None };
        if let Some(n) = n.filter(|n| !(*n >= 2.0 && n.fract() == 0.0 && *n < 9e15)) {
            return Err(Error::input(
                format!("{}: n is {n}", path.display()),
                "expected a whole number of images, 2 or more",
            ));
        }
        let mut text = |name: &str| -> Result<Option<String>, Error> {
            let bytes = if file.has(name) { Some(file.bytes(name)?.data) } else { None };
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let [metric, network, convention] = [text("metric")?, text("network")?, text("convention")?];
        let origin = metric.map(|metric| Origin {
            metric,
            network: network.unwrap_or_default(),
            convention: convention.unwrap_or_default(),
        });
        Ok(Self { mean, covariance, n: n.map(|n| n as u64), origin })
    }

    /// Writes `mu` and `sigma` (f64), and beside them `n`, and `metric`, `network`, `convention` as bytes.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let d = self.mean.len();
        let sigma: Vec<f64> = (0..d * d).map(|i| self.covariance[(i / d, i % d)]).collect();
        let mut file = NpzWriter::create(path)?;
        file.array("mu", &[d], &self.mean)?;
        file.array("sigma", &[d, d], &sigma)?;
        if let Some(n) = self.n {
            file.array("n", &[1], &[n as f64])?;
        }
        if let Some(Origin { metric, network, convention }) = &self.origin {
            for (name, text) in [("metric", metric), ("network", network), ("convention", convention)] {
                file.array(name, &[text.len()], text.as_bytes())?;
            }
        }
        file.finish()
    }
}

/// (features - mean) / sqrt(n - 1): its Gram matrix is the covariance.
pub(super) fn centred(features: &Features, mean: &[f64]) -> Mat<f64> {
    let (n, d) = (features.len(), features.dimension);
    let scale = 1.0 / (n.max(2) as f64 - 1.0).sqrt();
    Mat::from_fn(n, d, |i, j| (f64::from(features.values[i * d + j]) - mean[j]) * scale)
}
