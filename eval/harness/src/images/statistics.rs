//! Mean and covariance of a set of images, whole or in parts.

use std::ops::Range;
use std::path::Path;

use elbow_base::{Error, Progress, hash::sha256};
use elbow_metrics::{BadImagePolicy, BlockTree, FeatureCache, FeatureNetwork, ImageScan, ImageSet, ScanSummary};
use elbow_reports::record::Input;
use serde::{Deserialize, Serialize};

use crate::shards::Shards;

/// A set of images whose statistics are wanted.
pub struct SetStatistics<'a> {
    /// The set.
    pub set: &'a dyn ImageSet,
    /// Part K of N of its blocks of images, counted from 1.
    pub part: [usize; 2],
    /// Whether unreadable images are left out or refused.
    pub on_bad: BadImagePolicy,
    /// Features of earlier calls.
    pub cache: &'a FeatureCache,
}

/// What is known of some blocks of images.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blocks {
    summary: ScanSummary,
    hashes: Vec<[u8; 32]>,
    tree: BlockTree,
}

impl SetStatistics<'_> {
    /// The statistics and the counts of the images. `network` chooses the network for images that were found. None in a shard.
    pub fn run(
        &self,
        shards: &Shards,
        network: impl Fn(&ImageScan) -> Result<FeatureNetwork, Error>,
        bar: &dyn Progress,
    ) -> Result<Option<(BlockTree, ScanSummary)>, Error> {
        shards.of(&[self.input()], bar)?;
        let own = BlockTree::places(self.set.len(), self.part);
        if own.is_empty() {
            let [part, of] = self.part;
            let what = format!("{}: part {part} of {of} of {} images is empty", self.set.source(), self.set.len());
            return Err(Error::input(what, "give a set with images, or make fewer parts"));
        }
        let of = shards.parts();
        let mut parts = Vec::new();
        for number in 0..of {
            let places = match of {
                1 => own.clone(),
                _ => BlockTree::places(self.set.len(), [number + 1, of]),
            };
            parts.extend(shards.unit("blocks", number, || self.blocks(places, &network, bar))?);
        }
        if shards.is_part() {
            return Ok(None);
        }
        let parts = parts.into_iter().map(|Blocks { summary, hashes, tree }| (tree, (summary, hashes)));
        let (trees, counts): (Vec<_>, Vec<_>) = parts.unzip();
        Ok(Some((BlockTree::join(trees)?, ScanSummary::joined(self.set, counts))))
    }

    /// The blocks at these places, which may be none.
    fn blocks(
        &self,
        places: Range<usize>,
        network: &dyn Fn(&ImageScan) -> Result<FeatureNetwork, Error>,
        bar: &dyn Progress,
    ) -> Result<Blocks, Error> {
        if places.is_empty() {
            return Ok(Blocks { summary: ScanSummary::default(), hashes: Vec::new(), tree: BlockTree::default() });
        }
        let scan = ImageScan::take_part(self.set, places.clone(), self.on_bad, bar)?;
        let network = network(&scan)?;
        let outputs = self.cache.features(&network, &scan, bar)?;
        let tree = BlockTree::of(&outputs.features, &scan.kept, places, &network.provenance())?;
        Ok(Blocks { summary: scan.summary.clone(), hashes: scan.hashes().to_vec(), tree })
    }

    /// The names of the images: what they show is hashed when they are read. The set may lie elsewhere on another machine.
    fn input(&self) -> Input {
        let names: Vec<String> = (0..self.set.len()).map(|index| self.set.name(index)).collect();
        let source = self.set.source();
        let last = Path::new(&source).file_name().map(|name| name.to_string_lossy().into_owned());
        Input { name: last.unwrap_or(source), sha256: sha256(names.join("\n").as_bytes()) }
    }
}
