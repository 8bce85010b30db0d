//! `elbow fid stats` and `elbow fid merge`: statistics of sets, whole or in parts.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::images::{self, ImageSource, SetStatistics};
use elbow_harness::workspace::Workspace;
use elbow_metrics::{Contents, FeatureProvenance, ImageScan, PartOf, Statistics};
use serde_json::{Value, json};

use super::flags::{ImageFlags, NetworkFlags};
use crate::flags::{OutputFlags, ShardFlags, shard};
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow fid stats photos/ -o photos.npz
  elbow fid stats imagenet64:train --network inception.onnx --convention tf --part 3/8 -o part3.npz
  elbow fid stats imagenet64:train --network inception.onnx --convention tf -o whole.npz --shard 3/8
  elbow fid merge part1.npz part2.npz part3.npz -o whole.npz

The file holds mu and sigma as pytorch-fid, clean-fid and ADM write them, and beside them n and
the metric's name. Sums run over fixed blocks of images in a fixed tree: the parts of a set give the
digits of the whole. With --shard, -o names the file that `elbow merge` will write.")]
pub struct StatsArguments {
    /// A folder, a file of images or of features, or a data set with its split
    set: String,
    #[command(flatten)]
    output: OutputFlags,
    /// Only part K of N of the set, in whole blocks of 128 images: a file of its own, for `elbow fid merge`
    #[arg(long, value_name = "K/N", value_parser = parse_part, default_value = "1/1", conflicts_with = "shard")]
    part: [usize; 2],
    #[command(flatten)]
    pub shard: ShardFlags,
    #[command(flatten)]
    network: NetworkFlags,
    #[command(flatten)]
    images: ImageFlags,
}

#[derive(Args)]
pub struct MergeArguments {
    /// Files of `elbow fid stats`
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
}

/// A part K/N, counted from 1.
fn parse_part(text: &str) -> Result<[usize; 2], String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some([k.parse().ok()?, n.parse().ok()?]));
    parsed.filter(|[k, n]| (1..=*n).contains(k)).ok_or_else(|| "a part is K/N, as 3/8".to_owned())
}

pub fn run(workspace: &Workspace, arguments: &StatsArguments) -> Result<u8, Error> {
    arguments.output.check(&[Path::new(&arguments.set)], holds_statistics)?;
    arguments.network.check(workspace)?;
    let arrays = arguments.images.arrays.options();
    let set = match images::open(workspace, &arguments.set, &arrays, None)? {
        ImageSource::Images(set) => set,
        // Images beside the statistics, as ADM's files have them.
        ImageSource::Statistics(_) => images::images(workspace, &arguments.set, &arrays, None)?,
        ImageSource::Features(outputs) => {
            if arguments.part != [1, 1] || arguments.shard.is_given() {
                let option = if arguments.shard.is_given() { "--shard" } else { "--part" };
                let what = format!("{option}: takes a part of images, not of features");
                return Err(Error::input(what, "give one file per part"));
            }
            let statistics = Statistics::of(&outputs.features, &FeatureProvenance::given())?;
            // Files that do not name their network are compared with a warning.
            let statistics = Statistics { provenance: None, ..statistics };
            statistics.save(&arguments.output.path).map_err(written_by("-o FILE"))?;
            return announce(workspace, &statistics, &arguments.output.path, json!({ "features": arguments.set }), &[]);
        }
    };
    arrays.check_used(&[set.reading()])?;
    let cache = arguments.images.cache(workspace);
    let of = SetStatistics { set: set.as_ref(), part: arguments.part, on_bad: arguments.images.on_bad, cache: &cache };
    let network = |scan: &ImageScan| arguments.network.open(workspace, &[scan]);
    let found = of.run(&workspace.shards, network, workspace.bar.as_ref()).map_err(arguments.images.hint())?;
    let Some((tree, summary)) = found else { return shard::finish(workspace) };
    let (path, statistics) = (&arguments.output.path, tree.total()?);
    let written = match arguments.part {
        [_, 1] => statistics.save(path),
        [number, of] => tree.save(path, &PartOf { number, of, images: set.len(), source: set.source() }),
    };
    written.map_err(written_by("-o FILE"))?;
    let of = json!({ "images": summary, "part": arguments.part });
    announce(workspace, &statistics, path, of, &images::notes(&[&summary]))
}

pub fn merge(workspace: &Workspace, arguments: &MergeArguments) -> Result<u8, Error> {
    let parts: Vec<&Path> = arguments.parts.iter().map(PathBuf::as_path).collect();
    arguments.output.check(&parts, holds_statistics)?;
    let all = Statistics::of_files(&arguments.parts)?;
    all.save(&arguments.output.path).map_err(written_by("-o FILE"))?;
    announce(workspace, &all, &arguments.output.path, json!({ "parts": arguments.parts }), &[])
}

/// Whether a file holds statistics, and may be replaced by others.
fn holds_statistics(path: &Path) -> bool {
    matches!(Contents::of(path), Ok(Contents::Statistics { .. }))
}

fn announce(
    workspace: &Workspace,
    statistics: &Statistics,
    output: &Path,
    of: Value,
    notes: &[String],
) -> Result<u8, Error> {
    let metric = statistics.provenance.as_ref().map_or("network unknown", |provenance| &provenance.metric);
    let n = statistics.n;
    let result = json!({ "output": output, "n": n, "dimension": statistics.mean.len(), "metric": metric, "of": of, "notes": notes });
    workspace.print(&result, || {
        let images = match n {
            None => "an unknown number of images".to_owned(),
            Some(1) => "1 image".to_owned(),
            Some(n) => format!("{n} images"),
        };
        let notes: String = notes.iter().map(|note| format!("  note: {note}\n")).collect();
        format!("{metric}: statistics of {images}\n{notes}{}", output.display())
    })?;
    Ok(0)
}
