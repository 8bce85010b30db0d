//! A first pass over a set of images, before it is measured.
//!
//! Every image is decoded once; unreadable images, duplicates and conversions are counted, and each image is hashed.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use elbow_base::Progress;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Image, ImageSet, NO_IMAGES, Reading};
use crate::{Error, Result};

/// How a scan treats images that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadImagePolicy {
    /// Fail with the names of all of them.
    Error,
    /// Leave them out and count them.
    Skip,
}

elbow_base::names!(BadImagePolicy, "choice for bad images": Error = "error", Skip = "skip");

/// Images per task of the thread pool.
const CHUNK: usize = 64;

/// A set of images after the first pass, without its unreadable images.
pub struct ImageScan<'a> {
    set: &'a dyn ImageSet,
    /// Indices of the readable images in the set.
    pub kept: Vec<usize>,
    /// SHA-256 of the size and the pixels of each readable image.
    hashes: Vec<[u8; 32]>,
    /// Number of occurrences of each level in all readable images.
    pub levels: Box<[u64; 256]>,
    /// Entropy of the levels within each readable image, in bits per value.
    pub entropies: Vec<f64>,
    /// Counts, sizes and hash.
    pub summary: ScanSummary,
}

/// Counts, sizes and hash of a scanned set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScanSummary {
    /// The set's name.
    pub source: String,
    /// Number of readable images.
    pub n: usize,
    /// SHA-256 of the hashes of the readable images, in order.
    pub sha256: String,
    /// Number of images per size, written 32x32x3: height, width, channels.
    pub sizes: BTreeMap<String, usize>,
    /// Number of images that are equal to an earlier one.
    pub duplicates: usize,
    /// Number of images per conversion that decoding needed.
    pub converted: BTreeMap<String, usize>,
    /// The images left out, each with its reason.
    pub skipped: Vec<UnreadableImage>,
    /// What was taken of files and arrays.
    #[serde(flatten, skip_deserializing)]
    pub reading: Reading,
}

impl ScanSummary {
    /// The summary of a set whose consecutive parts were scanned, each with the hashes of its images.
    pub fn joined(set: &dyn ImageSet, parts: Vec<(Self, Vec<[u8; 32]>)>) -> Self {
        let mut all = Self { source: set.source(), reading: set.reading(), ..Self::default() };
        let mut hashes = Vec::new();
        for (part, own) in parts {
            all.add(part);
            hashes.extend(own);
        }
        all.number(&hashes);
        all
    }

    fn add(&mut self, more: Self) {
        for (counts, more) in [(&mut self.sizes, more.sizes), (&mut self.converted, more.converted)] {
            more.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
        }
        self.skipped.extend(more.skipped);
    }

    /// Counts the images with these hashes.
    fn number(&mut self, hashes: &[[u8; 32]]) {
        self.n = hashes.len();
        self.duplicates = hashes.len() - hashes.iter().collect::<HashSet<_>>().len();
        self.sha256 = elbow_base::hash::sha256(&hashes.concat());
    }
}

/// An image that cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnreadableImage {
    /// The image's name.
    pub image: String,
    /// The error of reading it.
    pub why: String,
}

/// The counts of a chunk of images.
#[derive(Default)]
struct Part {
    kept: Vec<(usize, [u8; 32], f64)>,
    levels: Option<Box<[u64; 256]>>,
    sizes: BTreeMap<String, usize>,
    converted: BTreeMap<String, usize>,
    bad: Vec<UnreadableImage>,
}

impl Part {
    fn add(&mut self, index: usize, image: &Image) {
        let mut own = [0_u64; 256];
        image.pixels.iter().for_each(|&level| own[usize::from(level)] += 1);
        let levels = self.levels.get_or_insert_with(|| Box::new([0; 256]));
        levels.iter_mut().zip(own).for_each(|(all, one)| *all += one);
        self.kept.push((index, hash(image), crate::entropy::bits(&own)));
        *self.sizes.entry(format!("{}x{}x{}", image.height, image.width, image.channels)).or_default() += 1;
        for what in &image.converted {
            *self.converted.entry((*what).to_owned()).or_default() += 1;
        }
    }
}

/// SHA-256 of height, width, channels and pixels.
fn hash(image: &Image) -> [u8; 32] {
    let mut hash = Sha256::new();
    for n in [image.height, image.width, image.channels] {
        hash.update((n as u64).to_le_bytes());
    }
    hash.update(&image.pixels);
    hash.finalize().into()
}

impl<'a> ImageScan<'a> {
    /// Reads every image of the set.
    pub fn take(set: &'a dyn ImageSet, on_bad: BadImagePolicy, bar: &dyn Progress) -> Result<Self> {
        Self::take_part(set, 0..set.len(), on_bad, bar)
    }

    /// Reads the images at these places of the set.
    pub fn take_part(
        set: &'a dyn ImageSet,
        places: Range<usize>,
        on_bad: BadImagePolicy,
        bar: &dyn Progress,
    ) -> Result<Self> {
        let indices: Vec<usize> = places.collect();
        if indices.is_empty() {
            return Err(Error::input(format!("{}: no images", set.source()), NO_IMAGES));
        }
        bar.start(indices.len() as u64, "look at images");
        let parts = indices.par_chunks(CHUNK).map(|chunk| {
            let mut part = Part::default();
            for &index in chunk {
                match set.image(index) {
                    Ok(image) => part.add(index, &image),
                    Err(e) => part.bad.push(UnreadableImage { image: set.name(index), why: e.to_string() }),
                }
                bar.advance(1);
            }
            part
        });
        let found: Vec<Part> = parts.collect();
        bar.finish();
        let summary = ScanSummary { source: set.source(), reading: set.reading(), ..ScanSummary::default() };
        let mut all =
            Self { set, kept: vec![], hashes: vec![], levels: Box::new([0; 256]), entropies: vec![], summary };
        found.into_iter().for_each(|part| all.add(part));
        if on_bad == BadImagePolicy::Error && !all.summary.skipped.is_empty() {
            let ScanSummary { source: set, skipped: images, .. } = all.summary;
            return Err(Error::UnreadableImages { set, total: indices.len(), images });
        }
        if all.kept.is_empty() {
            return Err(Error::input(
                format!("{}: no image that can be read", all.summary.source),
                "give a set with images",
            ));
        }
        all.summary.number(&all.hashes);
        Ok(all)
    }

    /// SHA-256 of the size and the pixels of each readable image.
    pub fn hashes(&self) -> &[[u8; 32]] {
        &self.hashes
    }

    fn add(&mut self, part: Part) {
        for (index, hash, entropy) in part.kept {
            self.kept.push(index);
            self.hashes.push(hash);
            self.entropies.push(entropy);
        }
        if let Some(levels) = part.levels {
            self.levels.iter_mut().zip(levels.iter()).for_each(|(all, one)| *all += one);
        }
        let Part { sizes, converted, bad: skipped, .. } = part;
        self.summary.add(ScanSummary { sizes, converted, skipped, ..ScanSummary::default() });
    }

    /// SHA-256 of the hashes of some readable images, in order: the key of their features.
    pub fn hash_of(&self, range: Range<usize>) -> String {
        elbow_base::hash::sha256(&self.hashes[range].concat())
    }

    /// Number of readable images that are also in another set.
    pub fn shared_with(&self, other: &Self) -> usize {
        let theirs: HashSet<_> = other.hashes.iter().collect();
        self.hashes.iter().filter(|hash| theirs.contains(hash)).count()
    }

    /// Whether every readable image has this height, width and number of channels.
    pub fn is_all(&self, [height, width, channels]: [usize; 3]) -> bool {
        self.summary.sizes.keys().eq([&format!("{height}x{width}x{channels}")])
    }
}

/// The readable images, indexed by their place in [`ImageScan::kept`].
impl ImageSet for ImageScan<'_> {
    fn source(&self) -> String {
        self.summary.source.clone()
    }

    fn len(&self) -> usize {
        self.kept.len()
    }

    /// Reads an image again, and refuses one that has changed since the scan.
    fn image(&self, index: usize) -> elbow_images::Result<Image> {
        let image = self.set.image(self.kept[index])?;
        match hash(&image) == self.hashes[index] {
            true => Ok(image),
            false => {
                let what = "it was changed while the set was being read";
                Err(elbow_base::Error::input(what, "measure a set that is finished").into())
            }
        }
    }

    fn name(&self, index: usize) -> String {
        self.set.name(self.kept[index])
    }

    fn class(&self, index: usize) -> Option<String> {
        self.set.class(self.kept[index])
    }
}
