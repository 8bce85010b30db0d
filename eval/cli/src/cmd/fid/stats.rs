//! `elbow fid stats` and `elbow fid merge`: statistics of sets, whole or in parts.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::images;
use elbow_harness::workspace::Workspace;
use elbow_metrics::{ImageScan, Statistics};
use serde_json::{Value, json};

use super::flags::{ImageFlags, NetworkFlags};
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow fid stats photos/ -o photos.npz
  elbow fid stats imagenet64:train --network inception.onnx --convention tf --part 3/8 -o part3.npz
  elbow fid merge part1.npz part2.npz part3.npz -o whole.npz

The file holds mu and sigma as pytorch-fid, clean-fid and ADM write them, and beside them n and
the metric's name.")]
pub struct StatsArguments {
    /// A folder, a file of images, or a data set with its split
    set: String,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
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
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

/// A part K/N, counted from 1.
fn parse_part(text: &str) -> Result<[usize; 2], String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some([k.parse().ok()?, n.parse().ok()?]));
    parsed.filter(|[k, n]| (1..=*n).contains(k)).ok_or_else(|| "a part is K/N, as 3/8".to_owned())
}

pub fn run(workspace: &Workspace, arguments: &StatsArguments) -> Result<(), Error> {
    arguments.network.check(workspace)?;
    let arrays = arguments.images.arrays.options();
    let set = images::images(workspace, &arguments.set, &arrays, None)?;
    arrays.check_used(&[set.reading()])?;
    let scan = ImageScan::take(set.as_ref(), arguments.part, arguments.images.on_bad, workspace.bar.as_ref())?;
    let network = arguments.network.open(workspace, &[&scan])?;
    let cache = arguments.images.cache(workspace);
    let outputs = cache.features(&network, &scan, workspace.bar.as_ref()).map_err(arguments.images.hint())?;
    let statistics = Statistics::of(&outputs.features, &network.provenance())?;
    statistics.save(&arguments.output).map_err(written_by("-o FILE"))?;
    let of = json!({ "images": scan.summary, "part": arguments.part });
    announce(workspace, &statistics, &arguments.output, of, &images::notes(&[&scan]))
}

pub fn merge(workspace: &Workspace, arguments: &MergeArguments) -> Result<(), Error> {
    let mut all = Statistics::load(&arguments.parts[0])?;
    for part in &arguments.parts[1..] {
        all = all.merge(&Statistics::load(part)?)?;
    }
    all.save(&arguments.output).map_err(written_by("-o FILE"))?;
    announce(workspace, &all, &arguments.output, json!({ "parts": arguments.parts }), &[])
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
        let images = n.map_or("an unknown number of".to_owned(), |n| n.to_string());
        let notes: String = notes.iter().map(|note| format!("  note: {note}\n")).collect();
        format!("{metric}: statistics of {images} images\n{notes}{}", output.display())
    })
}
