//! Features of sets of images, and their cache.

use std::path::{Path, PathBuf};

use elbow_base::hash::sha256;
use npyz::NpyFile;

use super::images::{ImageSet, Survey};
use super::network::FeatureNetwork;
use super::npz::{Npz, NpzWriter};
use elbow_base::Error;
use elbow_base::Progress;

/// Features of a set of images, or class logits, row-major \[images, dimension\], in the single precision of networks.
#[derive(Clone, Debug)]
pub struct Features {
    pub dimension: usize,
    pub values: Vec<f32>,
}

impl Features {
    /// Reads an npy file of \[images, dimension\], in single precision or in double that single holds.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(Error::reading(path))?;
        let npy = NpyFile::new(&bytes[..]).map_err(Error::reading(path))?;
        let &[_, dimension] = npy.shape() else {
            return Err(Error::input(format!("{}: shape {:?}", path.display(), npy.shape()), "expected a matrix"));
        };
        let double = npy.dtype().descr().contains("f8");
        let values = match double {
            true => npy.into_vec::<f64>().map(|values| values.into_iter().map(|v| v as f32).collect()),
            false => npy.into_vec::<f32>(),
        };
        Ok(Self { dimension: dimension as usize, values: values.map_err(Error::reading(path))? })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dimension..(index + 1) * self.dimension]
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension)
    }

    /// The features of the images with these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        Self { dimension: self.dimension, values: indices.iter().flat_map(|&i| self.row(i)).copied().collect() }
    }

    /// Refuses features of another dimension.
    pub fn check_same_dimension(&self, other: &Self) -> Result<(), Error> {
        match self.dimension == other.dimension {
            true => Ok(()),
            false => {
                let what = format!("features of {} and of {} dimensions", self.dimension, other.dimension);
                Err(Error::input(what, "compare features of the same network"))
            }
        }
    }
}

/// What a network says of a set.
#[derive(Clone, Debug)]
pub struct Extracted {
    pub features: Features,
    /// Class logits, where the network has them.
    pub logits: Option<Features>,
}

/// Images a shard: features are computed, kept and found again by shards.
const SHARD: usize = 1024;

/// Where features are kept between runs.
///
/// A shard's file is named after the hash of everything that shapes it: the program, the network file, the convention,
/// the runtime, and the pixels of the shard's images in order. Nothing else is ever read, so nothing stale can be.
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Files in this folder; nothing is kept without one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The features of the images that a survey kept. What an interrupted run had finished is not computed again.
    pub fn features(&self, network: &FeatureNetwork, survey: &Survey, bar: &dyn Progress) -> Result<Extracted, Error> {
        network.check_sizes(&[survey])?;
        let n = survey.len();
        let identity = network.identity()?;
        let (mut engine, mut reused) = (None, 0);
        let mut all: Option<Extracted> = None;
        bar.start(n as u64, "features");
        for first in (0..n).step_by(SHARD) {
            let range = first..(first + SHARD).min(n);
            let key = sha256(format!("{identity}\n{}", survey.hash_of(range.clone())).as_bytes());
            let file = self.folder.as_ref().map(|folder| folder.join(format!("{key}.npz")));
            let shard = match file.as_deref().and_then(|file| stored(file, &key, range.len(), network.has_logits())) {
                Some(shard) => {
                    bar.advance(range.len() as u64);
                    reused += range.len();
                    shard
                }
                None => {
                    let shard = network.extract(survey, range, &mut engine, bar)?;
                    file.map_or(Ok(()), |file| store(&file, &key, &shard))?;
                    shard
                }
            };
            match &mut all {
                None => all = Some(shard),
                Some(all) => {
                    all.features.values.extend(shard.features.values);
                    if let (Some(all), Some(more)) = (&mut all.logits, shard.logits) {
                        all.values.extend(more.values);
                    }
                }
            }
        }
        bar.finish();
        if reused > 0 {
            bar.say(&format!("{}: features of {reused} of {n} images from the cache", survey.summary.source));
        }
        all.ok_or_else(|| Error::input("no images", "give at least one"))
    }
}

fn store(file: &Path, key: &str, shard: &Extracted) -> Result<(), Error> {
    let mut npz = NpzWriter::create(file)?;
    npz.array("key", &[key.len()], key.as_bytes())?;
    let outputs = [("features", Some(&shard.features)), ("logits", shard.logits.as_ref())];
    for (name, rows) in outputs.into_iter().filter_map(|(name, rows)| Some((name, rows?))) {
        npz.array(name, &[rows.len(), rows.dimension], &rows.values)?;
    }
    npz.finish()
}

/// A shard from its file, if it is there and whole (the archive has checksums).
fn stored(file: &Path, key: &str, n: usize, with_logits: bool) -> Option<Extracted> {
    let mut npz = file.is_file().then(|| Npz::open(file).ok())??;
    if npz.bytes("key").ok()?.data != key.as_bytes() {
        return None;
    }
    let mut rows = |name: &str| -> Option<Features> {
        let array = npz.singles(name).ok()?;
        let &[images, dimension] = &array.shape[..] else { return None };
        (images == n).then_some(Features { dimension, values: array.data })
    };
    let features = rows("features")?;
    let logits = if with_logits { Some(rows("logits")?) } else { None };
    Some(Extracted { features, logits })
}
