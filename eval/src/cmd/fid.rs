//! `elbow fid`: Frechet distances between sets of images.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::Failure;
use crate::fid::{
    Convention, FeatureNetwork, Features, Images, Runtime, Statistics, between_features, between_statistics,
};
use crate::workspace::Workspace;

#[derive(Subcommand)]
pub enum Task {
    /// The distance between two sets: folders of PNG files, npz files (arr_0, or mu and sigma), or digits:SPLIT
    #[command(after_long_help = "Example:
  elbow fid calc out/runs/md4-digits/samples/samples.npz digits:test

Statistics files (mu, sigma) of other tools are read as they are; both sides must come from the same network.")]
    Calc {
        generated: String,
        reference: String,
        #[command(flatten)]
        network: NetworkFlags,
    },
    /// Mean and covariance of a set's features, as an npz file that other tools read
    Stats {
        images: String,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        network: NetworkFlags,
    },
    /// The statistics of several disjoint sets together
    Merge {
        #[arg(required = true)]
        parts: Vec<PathBuf>,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Args)]
pub struct NetworkFlags {
    /// ONNX file; its first output is the features [default: the bundled digits classifier]
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// How pixels are scaled: unit (v/255) or signed (2v/255 - 1)
    #[arg(long, default_value = "unit")]
    network_convention: String,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH, else the embedded tract]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

impl NetworkFlags {
    fn open(&self, workspace: &Workspace) -> Result<FeatureNetwork, Failure> {
        let convention: Convention = self.network_convention.parse()?;
        let runtime = Runtime::find(self.ort_lib.as_deref());
        let path = match &self.network {
            Some(path) => path.clone(),
            None => bundled_network(workspace)?,
        };
        FeatureNetwork::load(&path, convention, runtime)
    }
}

fn bundled_network(workspace: &Workspace) -> Result<PathBuf, Failure> {
    workspace.data_file("digits-classifier/digits-classifier.onnx")
}

/// The bundled classifier of the 8x8 digits under its own convention, on the embedded runtime: the same everywhere.
pub fn digits_classifier(workspace: &Workspace) -> Result<FeatureNetwork, Failure> {
    FeatureNetwork::load(&bundled_network(workspace)?, Convention::Unit, Runtime::Embedded)
}

/// One side of a comparison.
enum Side {
    Features(Features),
    Statistics(Statistics),
}

pub fn run(workspace: &Workspace, task: &Task) -> Result<(), Failure> {
    match task {
        Task::Calc { generated, reference, network } => calc(workspace, generated, reference, network),
        Task::Stats { images, output, network } => stats(workspace, images, output, network),
        Task::Merge { parts, output } => merge(workspace, parts, output),
    }
}

fn calc(workspace: &Workspace, generated: &str, reference: &str, flags: &NetworkFlags) -> Result<(), Failure> {
    let network = flags.open(workspace)?;
    let metric = network.metric_name();
    let mut used = false;
    let mut side = |name: &str| -> Result<Side, Failure> {
        if let Some(statistics) = stored_statistics(name)? {
            return Ok(Side::Statistics(statistics));
        }
        used = true;
        Ok(Side::Features(network.features(&open_images(workspace, name)?, &workspace.bar)?))
    };
    let (first, second) = (side(generated)?, side(reference)?);
    let distance = match (&first, &second) {
        (Side::Features(a), Side::Features(b)) => between_features(a, b, &metric)?,
        _ => {
            let statistics = |side: &Side| match side {
                Side::Features(features) => Statistics::of(features, &metric),
                Side::Statistics(statistics) => Ok(statistics.clone()),
            };
            between_statistics(&statistics(&first)?, &statistics(&second)?)?
        }
    };
    // Two statistics files say themselves which network they are of, or nobody does.
    let metric = match (&first, used) {
        (_, true) => metric,
        (Side::Statistics(s), false) => s.metric.clone().unwrap_or_else(|| "fd (network unknown)".into()),
        (Side::Features(_), false) => metric,
    };
    let result = json!({
        "metric": metric, "value": distance.value, "distance": distance,
        "network_hash": used.then(|| network.hash()), "runtime": used.then(|| network.runtime().to_string()),
    });
    workspace.print(&result, || {
        let warning = if distance.rank_deficient {
            "\n  no more images than feature dimensions on one side: the distance is biased upwards"
        } else {
            ""
        };
        let n = distance.n.map(|n| n.map_or("?".into(), |n| n.to_string()));
        format!("{metric} {:.6} (n = {} and {}){warning}", distance.value, n[0], n[1])
    })
}

fn stats(workspace: &Workspace, images: &str, output: &Path, flags: &NetworkFlags) -> Result<(), Failure> {
    let network = flags.open(workspace)?;
    let features = network.features(&open_images(workspace, images)?, &workspace.bar)?;
    let statistics = Statistics::of(&features, &network.metric_name())?;
    statistics.save(output)?;
    announce(workspace, &statistics, output)
}

fn merge(workspace: &Workspace, parts: &[PathBuf], output: &Path) -> Result<(), Failure> {
    let mut all = Statistics::load(&parts[0])?;
    for part in &parts[1..] {
        all = all.merge(&Statistics::load(part)?)?;
    }
    all.save(output)?;
    announce(workspace, &all, output)
}

fn announce(workspace: &Workspace, statistics: &Statistics, output: &Path) -> Result<(), Failure> {
    let (n, metric) = (statistics.n, statistics.metric.clone().unwrap_or_default());
    let result = json!({ "output": output, "n": n, "dimension": statistics.mean.len(), "metric": metric });
    workspace.print(&result, || format!("{metric}: statistics of {} images\n{}", n.unwrap_or(0), output.display()))
}

/// Statistics, where `name` is an npz file that has them.
fn stored_statistics(name: &str) -> Result<Option<Statistics>, Failure> {
    let path = Path::new(name);
    let stored = path.is_file() && crate::fid::is_statistics(path)?;
    if stored { Statistics::load(path).map(Some) } else { Ok(None) }
}

/// A folder, an npz file, or a data set with its split.
fn open_images(workspace: &Workspace, name: &str) -> Result<Images, Failure> {
    let path = Path::new(name);
    if path.exists() {
        return Images::load(path);
    }
    if name.contains(':') {
        return Images::from_dataset(workspace.dataset(name)?.as_ref());
    }
    Err(Failure::input(format!("{name}: no such file or folder"), "give a folder, an npz file, or digits:test"))
}
