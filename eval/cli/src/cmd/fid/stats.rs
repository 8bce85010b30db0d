//! `elbow fid stats` and `elbow fid merge`: statistics of sets, whole or in parts.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::images::{self, ImageSource};
use elbow_harness::workspace::Workspace;
use elbow_metrics::{Contents, FeatureProvenance, ImageScan, Statistics};
use serde_json::{Value, json};

use super::flags::{ImageFlags, NetworkFlags};
use crate::flags::OutputFlags;
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow fid stats photos/ -o photos.npz
  elbow fid stats imagenet64:train --network inception.onnx --convention tf --part 3/8 -o part3.npz
  elbow fid merge part1.npz part2.npz part3.npz -o whole.npz

The file holds mu and sigma as pytorch-fid, clean-fid and ADM write them, and beside them n and
the metric's name.")]
pub struct StatsArguments {
    /// A folder, a file of images or of features, or a data set with its split
    set: String,
    #[command(flatten)]
    output: OutputFlags,
    /// Only part K of N equal parts of the set, for several machines
    #[arg(long, value_name = "K/N", value_parser = parse_part, default_value = "1/1")]
    part: [usize; 2],
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

pub fn run(workspace: &Workspace, arguments: &StatsArguments) -> Result<(), Error> {
    arguments.output.check(&[Path::new(&arguments.set)], holds_statistics)?;
    arguments.network.check(workspace)?;
    let arrays = arguments.images.arrays.options();
    let set = match images::open(workspace, &arguments.set, &arrays, None)? {
        ImageSource::Images(set) => set,
        // Images beside the statistics, as ADM's files have them.
        ImageSource::Statistics(_) => images::images(workspace, &arguments.set, &arrays, None)?,
        ImageSource::Features(outputs) => {
            if arguments.part != [1, 1] {
                return Err(Error::input("--part: takes a part of images, not of features", "give one file per part"));
            }
            let statistics = Statistics::of(&outputs.features, &FeatureProvenance::given())?;
            // Files that do not name their network are compared with a warning.
            let statistics = Statistics { provenance: None, ..statistics };
            statistics.save(&arguments.output.path).map_err(written_by("-o FILE"))?;
            return announce(workspace, &statistics, &arguments.output.path, json!({ "features": arguments.set }), &[]);
        }
    };
    arrays.check_used(&[set.reading()])?;
    let scan = ImageScan::take(set.as_ref(), arguments.part, arguments.images.on_bad, workspace.bar.as_ref())?;
    let network = arguments.network.open(workspace, &[&scan])?;
    let cache = arguments.images.cache(workspace);
    let outputs = cache.features(&network, &scan, workspace.bar.as_ref()).map_err(arguments.images.hint())?;
    let statistics = Statistics::of(&outputs.features, &network.provenance())?;
    statistics.save(&arguments.output.path).map_err(written_by("-o FILE"))?;
    let of = json!({ "images": scan.summary, "part": arguments.part });
    announce(workspace, &statistics, &arguments.output.path, of, &images::notes(&[&scan]))
}

pub fn merge(workspace: &Workspace, arguments: &MergeArguments) -> Result<(), Error> {
    let parts: Vec<&Path> = arguments.parts.iter().map(PathBuf::as_path).collect();
    arguments.output.check(&parts, holds_statistics)?;
    let mut all = Statistics::load(&arguments.parts[0])?;
    for part in &arguments.parts[1..] {
        all = all.merge(&Statistics::load(part)?)?;
    }
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
) -> Result<(), Error> {
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
    })
}
