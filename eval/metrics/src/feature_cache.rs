//! Features that are kept on disk between runs.

use std::path::{Path, PathBuf};

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_base::Progress;
use elbow_base::hash::sha256;

use crate::features::{Features, NetworkOutputs};
use crate::images::{ImageScan, ImageSet, NO_IMAGES};
use crate::network::FeatureNetwork;
use crate::{Error, Result};

/// Images per shard: features are computed, kept and found again by shards.
const SHARD: usize = 1024;

/// A folder of features, one npz file per shard of images.
///
/// A file is named after the hash of everything that shapes its numbers: the version of the code, the network file, the
/// convention, the runtime, and the pixels of the shard's images in order. Only a file of this name is read, so
/// features of other images or another preprocessing cannot be mistaken for these.
pub struct FeatureCache {
    folder: Option<PathBuf>,
}

impl FeatureCache {
    /// A cache in this folder; `None` keeps nothing.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The network's outputs for the readable images of a scanned set. Shards that an interrupted run completed are
    /// read.
    pub fn features(&self, network: &FeatureNetwork, scan: &ImageScan, bar: &dyn Progress) -> Result<NetworkOutputs> {
        network.check_sizes(&[scan])?;
        let n = scan.len();
        let identity = network.identity()?;
        let (mut engine, mut reused) = (None, 0);
        let mut all: Option<NetworkOutputs> = None;
        bar.start(n as u64, "features");
        for first in (0..n).step_by(SHARD) {
            let range = first..(first + SHARD).min(n);
            let key = sha256(format!("{identity}\n{}", scan.hash_of(range.clone())).as_bytes());
            let file = self.folder.as_ref().map(|folder| folder.join(format!("{key}.npz")));
            let found = match file.as_deref().filter(|file| file.is_file()) {
                Some(file) => stored(file, &key, range.len(), network.has_logits(), bar)?,
                None => None,
            };
            let shard = match found {
                Some(shard) => {
                    bar.advance(range.len() as u64);
                    reused += range.len();
                    shard
                }
                None => {
                    let shard = network.extract(scan, range, &mut engine, bar)?;
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
            bar.say(&format!("{}: features of {reused} of {n} images from the cache", scan.summary.source));
        }
        all.ok_or_else(|| Error::input("no images", NO_IMAGES))
    }
}

fn store(file: &Path, key: &str, shard: &NetworkOutputs) -> Result<()> {
    let mut npz = NpzWriter::create(file)?;
    npz.array("key", &[key.len()], key.as_bytes())?;
    let outputs = [("features", Some(&shard.features)), ("logits", shard.logits.as_ref())];
    for (name, rows) in outputs.into_iter().filter_map(|(name, rows)| Some((name, rows?))) {
        npz.array(name, &[rows.len(), rows.dimension], &rows.values)?;
    }
    Ok(npz.finish()?)
}

/// A shard from its file, if the file is whole; `bar` tells of one that is not. Numbers that are not finite in a whole
/// file are an error: no network gave them.
fn stored(file: &Path, key: &str, n: usize, with_logits: bool, bar: &dyn Progress) -> Result<Option<NetworkOutputs>> {
    let shard = whole(file, key, n, with_logits);
    match &shard {
        None => bar.say(&format!("{} is damaged: its features are computed again", file.display())),
        Some(NetworkOutputs { features, logits }) => {
            if !features.are_finite() || !logits.as_ref().is_none_or(Features::are_finite) {
                return Err(Error::NonFiniteCache(file.to_owned()));
            }
        }
    }
    Ok(shard)
}

/// A shard from a file that is whole (the archive has checksums) and holds its own key.
fn whole(file: &Path, key: &str, n: usize, with_logits: bool) -> Option<NetworkOutputs> {
    let mut npz = NpzReader::open(file).ok()?;
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
    Some(NetworkOutputs { features, logits })
}
