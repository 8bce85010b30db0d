//! Statistics of consecutive blocks of images, summed in a fixed tree.
//!
//! Rounding depends on the order of a sum. Here it is fixed by the images' places in their set: blocks of [`BLOCK`] places, and
//! above them a binary tree, whose node of level j holds 2^j blocks. A part of the set keeps the largest nodes that lie in it,
//! so the statistics of the whole have the same digits however it was split.

use std::ops::Range;
use std::path::{Path, PathBuf};

use elbow_arrays::NpzReader;
use serde::{Deserialize, Serialize};

use crate::features::{FeatureProvenance, Features};
use crate::stats::Statistics;
use crate::{Error, Result};

/// Places per block.
const BLOCK: usize = 128;

/// The statistics of some consecutive blocks of a set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockTree {
    /// The largest nodes that lie in the blocks, in their order.
    pub(crate) nodes: Vec<Node>,
}

/// The part of a set that a file of statistics is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartOf {
    /// Its number, from 1.
    pub number: usize,
    /// Number of parts.
    pub of: usize,
    /// Number of images of the set, those included that cannot be read.
    pub images: usize,
    /// Name of the set.
    pub source: String,
}

/// The blocks `first`, ..., `first + 2^level - 1`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    pub first: usize,
    pub level: u32,
    /// None for blocks without images.
    pub statistics: Option<Statistics>,
}

impl Node {
    fn end(&self) -> usize {
        self.first + (1 << self.level)
    }

    /// Whether `next` is the other half of the node above.
    fn is_left_of(&self, next: &Self) -> bool {
        self.level == next.level && self.end() == next.first && self.first.is_multiple_of(2 << self.level)
    }
}

impl BlockTree {
    /// The places of part `number` of `of` of a set, counted from 1: whole blocks.
    pub fn places(set: usize, [number, of]: [usize; 2]) -> Range<usize> {
        let blocks = set.div_ceil(BLOCK) as u128;
        let border = |number: usize| ((blocks * number as u128 / of as u128) as usize * BLOCK).min(set);
        border(number.saturating_sub(1))..border(number)
    }

    /// The tree of the images with these features, whose places in the set rise, and lie in `range`: whole blocks.
    pub fn of(
        features: &Features,
        places: &[usize],
        range: Range<usize>,
        provenance: &FeatureProvenance,
    ) -> Result<Self> {
        let mut tree = Self::default();
        for block in range.start / BLOCK..range.end.div_ceil(BLOCK) {
            let rows = [block, block + 1].map(|block| places.partition_point(|&place| place < block * BLOCK));
            let rows: Vec<usize> = (rows[0]..rows[1]).collect();
            let images = (!rows.is_empty()).then(|| Statistics::of_block(&features.select(&rows), provenance));
            tree.push(Node { first: block, level: 0, statistics: images })?;
        }
        Ok(tree)
    }

    /// Adds a node behind the others, and joins halves.
    fn push(&mut self, mut node: Node) -> Result<()> {
        while let Some(left) = self.nodes.pop_if(|left| left.is_left_of(&node)) {
            node =
                Node { first: left.first, level: left.level + 1, statistics: both(left.statistics, node.statistics)? };
        }
        self.nodes.push(node);
        Ok(())
    }

    /// The tree of all blocks of several trees, in any order. Refuses blocks that are in two of them, and blocks between
    /// others that are in none.
    pub fn join(trees: Vec<Self>) -> Result<Self> {
        let mut nodes: Vec<Node> = trees.into_iter().flat_map(|tree| tree.nodes).collect();
        nodes.sort_by_key(|node| node.first);
        let mut all = Self::default();
        for node in nodes {
            if let Some(last) = all.nodes.last().filter(|last| last.end() != node.first) {
                let images = |block: usize| block * BLOCK;
                let (end, first) = (images(last.end()), images(node.first));
                let what = match end > first {
                    true => format!("images {first} to {end} are in two parts"),
                    false => format!("images {end} to {first} are in no part"),
                };
                return Err(Error::input(what, "give each part of the set once"));
            }
            all.push(node)?;
        }
        Ok(all)
    }

    /// Whether these are all blocks of a set of so many images.
    pub fn is_whole(&self, set: usize) -> bool {
        let ends = self.nodes.first().zip(self.nodes.last());
        ends.is_some_and(|(first, last)| first.first == 0 && last.end() == set.div_ceil(BLOCK))
    }

    /// Writes the statistics of a part, [`Statistics::save`]'s arrays, and beside them `part` (number, of, images of the set),
    /// `set` and the nodes: `nodes` \[k, 3\] (first block, level, images), `node_mu` \[k, d\], `node_sigma` \[k, d, d\].
    pub fn save(&self, path: &Path, part: &PartOf) -> Result<()> {
        let total = self.total()?;
        let (d, mut file) = (total.mean.len(), total.written(path)?);
        file.array("part", &[3], &[part.number, part.of, part.images].map(|n| n as i64))?;
        file.array("set", &[part.source.len()], part.source.as_bytes())?;
        let count = |node: &Node| node.statistics.as_ref().and_then(|found| found.n).unwrap_or(0);
        let nodes = self.nodes.iter().flat_map(|node| [node.first as i64, i64::from(node.level), count(node) as i64]);
        file.array("nodes", &[self.nodes.len(), 3], &nodes.collect::<Vec<_>>())?;
        let found: Vec<&Statistics> = self.nodes.iter().filter_map(|node| node.statistics.as_ref()).collect();
        let means: Vec<f64> = found.iter().flat_map(|found| found.mean.iter().copied()).collect();
        file.array("node_mu", &[found.len(), d], &means)?;
        file.array(
            "node_sigma",
            &[found.len(), d, d],
            &found.iter().flat_map(|found| found.rows()).collect::<Vec<_>>(),
        )?;
        Ok(file.finish()?)
    }

    /// Reads what [`Self::save`] has written; none from a file of other statistics.
    pub fn load(path: &Path) -> Result<Option<(Self, PartOf)>> {
        let mut file = NpzReader::open(path)?;
        if !["part", "set", "nodes", "node_mu", "node_sigma"].iter().all(|name| file.has(name)) {
            return Ok(None);
        }
        let provenance = Statistics::load(path)?.provenance;
        let wrong = || Error::input(format!("{}: its parts do not fit together", path.display()), "compute it again");
        let whole = |name: &str, file: &mut NpzReader| -> Result<Vec<usize>> {
            file.integers(name)?.data.iter().map(|&n| usize::try_from(n).map_err(|_| wrong())).collect()
        };
        let [number, of, images] = whole("part", &mut file)?[..] else { return Err(wrong()) };
        let source = String::from_utf8_lossy(&file.bytes("set")?.data).into_owned();
        let shapes = whole("nodes", &mut file)?;
        let (means, sigmas) = (file.floats("node_mu")?, file.floats("node_sigma")?);
        let d = means.shape.get(1).copied().unwrap_or(0);
        let mut each = means.data.chunks_exact(d.max(1)).zip(sigmas.data.chunks_exact((d * d).max(1)));
        let mut tree = Self::default();
        for shape in shapes.chunks_exact(3) {
            let statistics = match shape[2] {
                0 => None,
                n => {
                    let (mean, sigma) = each.next().ok_or_else(wrong)?;
                    let covariance = faer::Mat::from_fn(d, d, |i, j| sigma[i * d + j]);
                    Some(Statistics {
                        mean: mean.to_vec(),
                        covariance,
                        n: Some(n as u64),
                        provenance: provenance.clone(),
                    })
                }
            };
            let level = u32::try_from(shape[1]).ok().filter(|level| *level < usize::BITS - 1).ok_or_else(wrong)?;
            tree.nodes.push(Node { first: shape[0], level, statistics });
        }
        Ok(Some((tree, PartOf { number, of, images, source })))
    }

    /// The statistics of all images, two or more.
    pub fn total(&self) -> Result<Statistics> {
        // From the right: the last node of a set is the rest of a node whose other blocks do not exist.
        let all = self.nodes.iter().rev().try_fold(None, |right, node| both(node.statistics.clone(), right))?;
        match all {
            Some(all) if all.n != Some(1) => Ok(all),
            one => {
                let count = if one.is_some() { "one image has" } else { "no images have" };
                Err(Error::input(format!("{count} no covariance"), "give two images or more"))
            }
        }
    }
}

/// Statistics that are sums in the tree.
impl Statistics {
    /// Mean and covariance of features \[n, d\], n >= 2.
    pub fn of(features: &Features, provenance: &FeatureProvenance) -> Result<Self> {
        let places: Vec<usize> = (0..features.len()).collect();
        BlockTree::of(features, &places, 0..places.len(), provenance)?.total()
    }

    /// The statistics of the sets of several files together: of all parts of one set, in any order, those of the set to the
    /// last digit; of other disjoint sets, in the order given. Refuses a part that is there twice.
    pub fn of_files(files: &[PathBuf]) -> Result<Self> {
        let parts = files.iter().map(|file| BlockTree::load(file)).collect::<Result<Option<Vec<_>>>>()?;
        for (place, (_, part)) in parts.iter().flatten().enumerate() {
            if let Some(twin) = parts.iter().flatten().take(place).position(|(_, other)| other == part) {
                let [one, other] = [twin, place].map(|place| files[place].display());
                let what = format!("{one} and {other} are both part {}/{} of {}", part.number, part.of, part.source);
                return Err(Error::input(what, "give each part once"));
            }
        }
        if let Some(parts) = parts {
            let first = &parts[0].1;
            let of_one = parts.iter().all(|(_, part)| PartOf { number: first.number, ..part.clone() } == *first);
            if of_one && parts.len() == first.of {
                return BlockTree::join(parts.into_iter().map(|(tree, _)| tree).collect())?.total();
            }
        }
        let mut all = Self::load(&files[0])?;
        for file in &files[1..] {
            all = all.merge(&Self::load(file)?)?;
        }
        Ok(all)
    }
}

/// The statistics of two halves.
fn both(left: Option<Statistics>, right: Option<Statistics>) -> Result<Option<Statistics>> {
    match (left, right) {
        (Some(left), Some(right)) => left.merge(&right).map(Some),
        (one, other) => Ok(one.or(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 images of three features, of different sizes.
    fn features() -> Features {
        let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 * 0.37 + (i % 3) as f32 * 1e3;
        Features { dimension: 3, values: (0..3000).map(value).collect() }
    }

    fn bits(statistics: &Statistics) -> Vec<u64> {
        let covariance = (0..9).map(|i| statistics.covariance[(i / 3, i % 3)].to_bits());
        statistics.mean.iter().map(|v| v.to_bits()).chain(covariance).collect()
    }

    #[test]
    fn the_sum_does_not_depend_on_the_parts() {
        let (features, named) = (features(), FeatureProvenance::named("law"));
        // Every fifth image cannot be read, and one whole block.
        let places: Vec<usize> = (0..1000).filter(|i| i % 5 != 0 && !(256..384).contains(i)).collect();
        let kept = features.select(&places);
        let whole = BlockTree::of(&kept, &places, 0..1000, &named).expect("a tree").total().expect("enough");
        assert_eq!(whole.n, Some(places.len() as u64));
        let part = |range: Range<usize>| {
            let rows = [range.start, range.end].map(|end| places.partition_point(|&place| place < end));
            let rows: Vec<usize> = (rows[0]..rows[1]).collect();
            let own: Vec<usize> = rows.iter().map(|&row| places[row]).collect();
            BlockTree::of(&kept.select(&rows), &own, range, &named).expect("a tree")
        };
        for of in [1, 2, 3, 7, 8, 20] {
            let mut parts: Vec<BlockTree> =
                (1..=of).map(|number| part(BlockTree::places(1000, [number, of]))).collect();
            parts.reverse();
            let joined = BlockTree::join(parts.clone()).expect("all parts");
            assert!(joined.is_whole(1000), "{of}");
            assert_eq!(bits(&joined.total().expect("enough")), bits(&whole), "{of} parts");
            if of == 2 {
                let sequential = parts[1].total().expect("a half").merge(&parts[0].total().expect("a half"));
                let sequential = sequential.expect("comparable");
                assert!((sequential.mean[0] - whole.mean[0]).abs() < 1e-9, "the same up to rounding");
            }
            if of == 7 {
                let twice = BlockTree::join([&parts[..], &parts[..1]].concat()).expect_err("twice");
                assert!(twice.to_string().contains("are in two parts"), "{twice}");
                let hole = BlockTree::join([&parts[..2], &parts[3..]].concat()).expect_err("a hole");
                assert!(hole.to_string().contains("are in no part"), "{hole}");
                assert!(!BlockTree::join(parts[1..].to_vec()).expect("adjacent").is_whole(1000), "the last is missing");
            }
        }
        // Witness: a sum from left to right has other digits.
        let blocks: Vec<Statistics> = (0..8)
            .filter(|&b| b != 2)
            .map(|b| part(b * BLOCK..((b + 1) * BLOCK).min(1000)).total().expect("enough"))
            .collect();
        let chain = blocks[1..].iter().try_fold(blocks[0].clone(), |all, block| all.merge(block)).expect("comparable");
        assert_ne!(bits(&chain), bits(&whole));
    }
}
