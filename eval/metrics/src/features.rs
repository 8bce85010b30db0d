//! Feature vectors of sets of images, and where they come from.

use std::path::Path;

use elbow_arrays::{NpzReader, read_npy};
use serde::{Deserialize, Serialize};

use crate::contents::{ending, features_name};
use crate::{Error, Result};

/// Feature vectors, or class logits, of n images: \[n, d\], row-major, in the single precision of networks.
#[derive(Clone, Debug)]
pub struct Features {
    /// Entries per image, d.
    pub dimension: usize,
    /// The n d entries, one image after another.
    pub values: Vec<f32>,
}

impl Features {
    /// Reads a matrix \[n, d\] of finite numbers from an npy file, or from an npz file: its array `features`, or its only
    /// one. Double precision is rounded to single.
    pub fn load(path: &Path) -> Result<Self> {
        let invalid = |what: String, advice: &str| Err(Error::input(format!("{}: {what}", path.display()), advice));
        let array = match ending(path).as_str() {
            "npz" => {
                let mut file = NpzReader::open(path)?;
                let name = features_name(&file).unwrap_or_else(|| "features".to_owned());
                file.singles(&name)?
            }
            _ => read_npy(path)?,
        };
        let &[n, dimension] = &array.shape[..] else {
            return invalid(format!("shape {:?}", array.shape), "features are a matrix [n, d]");
        };
        if n == 0 || dimension == 0 {
            return invalid(format!("shape {:?}", array.shape), "give one feature of one image, or more");
        }
        let features = Self { dimension, values: array.data };
        match features.values.iter().position(|v| !v.is_finite()) {
            None => Ok(features),
            Some(i) => {
                let (row, column) = (i / dimension, i % dimension);
                let what = format!("feature {column} of image {row} is {}, in single precision", features.values[i]);
                invalid(what, "features must be finite: compute them again")
            }
        }
    }

    /// Whether every entry is finite.
    pub(crate) fn are_finite(&self) -> bool {
        self.values.iter().all(|v| v.is_finite())
    }

    /// Number of images, n.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The d entries of one image.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dimension..(index + 1) * self.dimension]
    }

    /// The entries of each image, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension)
    }

    /// The features of the images with these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self { dimension: self.dimension, values: indices.iter().flat_map(|&i| self.row(i)).copied().collect() }
    }

    /// Refuses features of another dimension.
    pub fn check_same_dimension(&self, other: &Self) -> Result<()> {
        same_dimension(self.dimension, other.dimension)
    }
}

/// Refuses features of different dimensions.
pub(crate) fn same_dimension(one: usize, other: usize) -> Result<()> {
    if one == other {
        return Ok(());
    }
    let what = format!("features of {one} and of {other} dimensions");
    Err(Error::input(what, "compare features of the same network"))
}

/// The outputs of a feature network for a set of images.
#[derive(Clone, Debug)]
pub struct NetworkOutputs {
    /// Feature vectors \[n, d\].
    pub features: Features,
    /// Class logits \[n, classes\], where the network has them.
    pub logits: Option<Features>,
}

/// The network and input convention that made features. Features are comparable only where both are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureProvenance {
    /// Name of the Frechet distance on these features: network and convention.
    pub metric: String,
    /// SHA-256 of the network file; empty for features from elsewhere.
    pub network: String,
    /// Name of the input convention; empty for features from elsewhere.
    pub convention: String,
}

impl FeatureProvenance {
    /// The provenance of features that come from no network file: a distribution, another program.
    pub fn named(metric: &str) -> Self {
        Self { metric: metric.to_owned(), network: String::new(), convention: String::new() }
    }

    /// The provenance of features that a user gives. They may be of any network: a distance of them has a name of its
    /// own.
    pub fn given() -> Self {
        Self::named("fd.given")
    }

    /// Refuses features of another network or convention. A copy of the network under another file name is the same.
    pub(crate) fn check_matches(&self, other: &Self) -> Result<()> {
        let same_name = self.metric == other.metric;
        let same = (&self.network, &self.convention) == (&other.network, &other.convention);
        match same && (same_name || !self.network.is_empty()) {
            true => Ok(()),
            false => {
                let short = |one: &Self| format!("{} (network {:.8})", one.metric, one.network);
                Err(Error::ProvenanceMismatch([short(self), short(other)]))
            }
        }
    }
}
