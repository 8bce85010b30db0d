//! What is to be known of a set before it is measured: every image is read once, and what is wrong, what is twice and
//! what had to be converted is counted.

use std::collections::{BTreeMap, HashSet};

use elbow_base::Workers;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Image, ImageSet};
use elbow_base::Error;
use elbow_base::Progress;

/// What to do about images that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// Name them all and stop.
    Error,
    /// Leave them out and count them.
    Skip,
}

elbow_base::names!(OnBad, "choice for bad images": Error = "error", Skip = "skip");

/// Images a piece of work.
const CHUNK: usize = 64;
/// Bad images that an error names one by one.
const NAMED: usize = 20;

/// A set that was read once.
pub struct Survey<'a> {
    set: &'a dyn ImageSet,
    /// The images that can be read.
    pub kept: Vec<usize>,
    /// SHA-256 of the size and the pixels of each of them.
    hashes: Vec<[u8; 32]>,
    /// How often each level occurs.
    pub levels: Box<[u64; 256]>,
    /// The entropy of each image's own levels, bits.
    pub entropies: Vec<f64>,
    pub summary: Summary,
}

/// A survey in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub source: String,
    /// Images that were read.
    pub n: usize,
    /// Of the ordered hashes of the images' sizes and pixels.
    pub sha256: String,
    /// Images by size, as 32x32x3: height, width, channels.
    pub sizes: BTreeMap<String, usize>,
    /// Images that are equal to an earlier one.
    pub duplicates: usize,
    /// What had to be converted, and in how many images.
    pub converted: BTreeMap<String, usize>,
    /// Images left out, with the reason.
    pub skipped: Vec<Bad>,
}

/// An image that cannot be read.
#[derive(Clone, Debug, Serialize)]
pub struct Bad {
    pub image: String,
    pub why: String,
}

/// What a chunk of images adds.
#[derive(Default)]
struct Part {
    kept: Vec<(usize, [u8; 32], f64)>,
    levels: Option<Box<[u64; 256]>>,
    sizes: BTreeMap<String, usize>,
    converted: BTreeMap<String, usize>,
    bad: Vec<Bad>,
}

impl Part {
    fn add(&mut self, index: usize, image: &Image) {
        let mut own = [0_u64; 256];
        image.pixels.iter().for_each(|&level| own[usize::from(level)] += 1);
        let levels = self.levels.get_or_insert_with(|| Box::new([0; 256]));
        levels.iter_mut().zip(own).for_each(|(all, one)| *all += one);
        self.kept.push((index, hash(image), crate::entropy::bits(&own)));
        *self.sizes.entry(format!("{}x{}x{}", image.height, image.width, image.channels)).or_default() += 1;
        if let Some(what) = image.converted {
            *self.converted.entry(what.to_owned()).or_default() += 1;
        }
    }
}

/// Of height, width, channels and pixels.
fn hash(image: &Image) -> [u8; 32] {
    let mut hash = Sha256::new();
    for n in [image.height, image.width, image.channels] {
        hash.update((n as u64).to_le_bytes());
    }
    hash.update(&image.pixels);
    hash.finalize().into()
}

impl<'a> Survey<'a> {
    /// Reads every image of the set, or of its part `share[0]` of `share[1]`, counted from 1.
    pub fn take(set: &'a dyn ImageSet, share: [usize; 2], on_bad: OnBad, bar: &dyn Progress) -> Result<Self, Error> {
        let [part, parts] = share;
        let border = |part: usize| (set.len() as u128 * part as u128 / parts as u128) as usize;
        let indices: Vec<usize> = (border(part - 1)..border(part)).collect();
        if indices.is_empty() {
            let what = format!("{}: part {part} of {parts} of {} images is empty", set.source(), set.len());
            return Err(Error::input(what, "make fewer parts"));
        }
        bar.start(indices.len() as u64, "look at images");
        let chunks: Vec<&[usize]> = indices.chunks(CHUNK).collect();
        let found = Workers::new(usize::MAX).map(&chunks, |_, chunk| {
            let mut part = Part::default();
            for &index in *chunk {
                match set.image(index) {
                    Ok(image) => part.add(index, &image),
                    Err(bad) => part.bad.push(Bad { image: set.name(index), why: bad.what }),
                }
                bar.advance(1);
            }
            part
        });
        bar.finish();
        let summary = Summary { source: set.source(), ..Summary::default() };
        let mut all =
            Self { set, kept: vec![], hashes: vec![], levels: Box::new([0; 256]), entropies: vec![], summary };
        found.into_iter().for_each(|part| all.add(part));
        let Summary { source, skipped, .. } = &all.summary;
        if on_bad == OnBad::Error && !skipped.is_empty() {
            let named = skipped.iter().take(NAMED).map(|bad| format!("\n  {}: {}", bad.image, bad.why));
            let more = skipped.len().saturating_sub(NAMED);
            let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
            let what = format!("{source}: {} of {} images cannot be read:", skipped.len(), indices.len());
            return Err(Error::input(
                what + &named.collect::<String>() + &rest,
                "mend or remove them, or leave them out with --on-bad skip",
            ));
        }
        if all.kept.is_empty() {
            return Err(Error::input(format!("{source}: no image that can be read"), "give a set with images"));
        }
        all.summary.n = all.kept.len();
        all.summary.duplicates = all.kept.len() - all.hashes.iter().collect::<HashSet<_>>().len();
        all.summary.sha256 = elbow_base::hash::sha256(&all.hashes.concat());
        Ok(all)
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
        for (counts, more) in [(&mut self.summary.sizes, part.sizes), (&mut self.summary.converted, part.converted)] {
            more.into_iter().for_each(|(what, n)| *counts.entry(what).or_default() += n);
        }
        self.summary.skipped.extend(part.bad);
    }

    /// The hashes of some of the kept images, in order: what their features are of.
    pub fn hash_of(&self, range: std::ops::Range<usize>) -> String {
        elbow_base::hash::sha256(&self.hashes[range].concat())
    }

    /// Number of kept images that are also in another set.
    pub fn shared_with(&self, other: &Self) -> usize {
        let theirs: HashSet<_> = other.hashes.iter().collect();
        self.hashes.iter().filter(|hash| theirs.contains(hash)).count()
    }

    /// Whether every image has this size: height, width, channels.
    pub fn is_all(&self, [height, width, channels]: [usize; 3]) -> bool {
        self.summary.sizes.keys().eq([&format!("{height}x{width}x{channels}")])
    }
}

/// The images that were kept, by their place among them.
impl ImageSet for Survey<'_> {
    fn source(&self) -> String {
        self.summary.source.clone()
    }

    fn len(&self) -> usize {
        self.kept.len()
    }

    /// The image as the survey saw it: one that was changed since is refused.
    fn image(&self, index: usize) -> Result<Image, Error> {
        let image = self.set.image(self.kept[index])?;
        match hash(&image) == self.hashes[index] {
            true => Ok(image),
            false => Err(Error::input("it was changed while the set was being read", "measure a set that is finished")),
        }
    }

    fn name(&self, index: usize) -> String {
        self.set.name(self.kept[index])
    }

    fn class(&self, index: usize) -> Option<String> {
        self.set.class(self.kept[index])
    }
}
