//! `elbow fid calc`: distances between two sets.

use clap::Args;
use serde_json::json;

use super::super::sample::SamplerFlags;
use super::flags::{ImageFlags, NetworkFlags};
use elbow_harness::failure::Failure;
use elbow_harness::fid::{Boundary, FeatureNetwork, FeatureProvenance, ImageScan, Statistics};
use elbow_harness::images::{self, Comparison, FeatureSet, ImageSource, Metric, MetricOptions, MetricValue, balls};
use elbow_harness::provenance;
use elbow_harness::runs::Trained;
use elbow_harness::workspace::Workspace;
use impls::data::Dataset;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow fid calc samples/ photos/ --json
  elbow fid calc samples.npz cifar10:train --network inception.onnx --convention tf
  elbow fid calc samples/ reference-stats.npz --network inception.onnx --convention pytorch --metrics fd
  elbow fid calc out/runs/md4-digits digits:test --count 1000 --steps 64 --extrapolate 4

A side is a folder (searched through), an npz or npy file of uint8 images, CIFAR's .bin, an IDX file, a data set as digits:test,
an npz file of mu and sigma of this or another tool, or a trained run, whose samples are drawn and scored without being written.
The first side is the generated one: precision counts its images, recall the reference's.

Every number says which network, convention, images and errors it has; features are kept between runs, and found again only if
nothing that shapes them has changed.")]
pub struct Arguments {
    /// Generated images
    generated: String,
    /// Reference images, or their statistics
    reference: String,
    /// What to measure: fd, kid, is, prdc, entropy, separated by commas [default: all, as far as the inputs allow]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    metrics: Vec<String>,
    #[command(flatten)]
    network: NetworkFlags,
    #[command(flatten)]
    images: ImageFlags,
    /// Disjoint blocks of generated images, left out in turn, for the error of the Frechet distance; 0 for no error
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=50))]
    blocks: u32,
    /// Extrapolate the Frechet distance to infinitely many images, from 1, 2, ... CUTS disjoint blocks
    #[arg(long, value_name = "CUTS", value_parser = clap::value_parser!(u32).range(2..=50))]
    extrapolate: Option<u32>,
    /// The Frechet distance of each class too: class folders, labelled data sets
    #[arg(long)]
    per_class: bool,
    /// Splits of the Inception Score
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    splits: u32,
    /// Neighbours that make a ball [default: 3 for precision and recall, 5 for density and coverage]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    neighbours: Option<u32>,
    /// Whether balls are closed or open [default: closed for precision and recall, open for density and coverage]
    #[arg(long, value_name = "closed|open")]
    boundary: Option<String>,
    /// Samples to draw where a trained run is named
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    count: u32,
    #[command(flatten)]
    sampler: SamplerFlags,
}

impl Arguments {
    /// The metrics that were asked for; none: all that the inputs allow.
    fn asked(&self) -> Result<Vec<Metric>, Failure> {
        let all = self.metrics.iter().any(|name| name == "all");
        if all { Ok(Vec::new()) } else { self.metrics.iter().map(|name| Ok(name.parse()?)).collect() }
    }

    fn options(&self, seed: u64) -> Result<MetricOptions, Failure> {
        if self.extrapolate.is_some() && self.blocks < 2 {
            let what = format!("--extrapolate with --blocks {}", self.blocks);
            return Err(Failure::input(what, "leave two blocks or more for its error"));
        }
        let boundary: Option<Boundary> = self.boundary.as_deref().map(str::parse).transpose()?;
        Ok(MetricOptions {
            blocks: self.blocks as usize,
            splits: self.splits as usize,
            extrapolate: self.extrapolate.map(|cuts| cuts as usize),
            per_class: self.per_class,
            balls: balls(self.neighbours.map(|k| k as usize), boundary),
            seed,
        })
    }
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let (asked, options) = (arguments.asked()?, arguments.options(workspace.seed)?);
    let on_bad = arguments.images.on_bad()?;
    let request = |model: &Trained, data: &dyn Dataset| {
        arguments.sampler.request(model, data, arguments.count as usize, workspace.seed)
    };
    let names = [&arguments.generated, &arguments.reference];
    arguments.network.check(workspace)?;
    // The reference first: samples may take long, and be drawn in vain.
    let reference = images::open(workspace, names[1], Some(&request))?;
    let sources = [images::open(workspace, names[0], Some(&request))?, reference];
    let scan = |i: usize| match &sources[i] {
        ImageSource::Images(set) => ImageScan::take(set.as_ref(), [1, 1], on_bad, workspace.bar.as_ref()).map(Some),
        ImageSource::Statistics(_) => Ok(None),
    };
    // Both are looked at before either is refused.
    let [generated, reference] = [scan(0), scan(1)];
    let scans = match (generated, reference) {
        (Err(one), Err(other)) => return Err(one.of(other).into()),
        (generated, reference) => [generated?, reference?],
    };
    let known: Vec<&ImageScan> = scans.iter().flatten().collect();
    let network = if known.is_empty() { None } else { Some(arguments.network.open(workspace, &known)?) };
    let mut warnings = warnings(&scans);
    let provenance = provenance_of(network.as_ref(), &sources, names, &mut warnings);
    if let Some(network) = &network {
        network.check_sizes(&known)?;
    }
    for source in &sources {
        if let ImageSource::Statistics(statistics) = source {
            statistics.check_provenance(&provenance)?;
        }
    }

    let cache = arguments.images.cache(workspace);
    let set = |i: usize| match (&scans[i], &network) {
        (Some(scan), Some(network)) => {
            cache.features(network, scan, workspace.bar.as_ref()).map(|outputs| Some(FeatureSet { scan, outputs }))
        }
        _ => Ok(None),
    };
    let sets = [set(0)?, set(1)?];
    let label = network.as_ref().map(FeatureNetwork::label).unwrap_or_default();
    let mut comparison =
        Comparison { provenance: &provenance, label: &label, sources: &sources, sets: &sets, options, warnings };
    let measures = comparison.measure(&asked, workspace.bar.as_ref())?;
    let warnings = comparison.warnings;

    let summary = |i: usize| match (&scans[i], &sources[i]) {
        (Some(scan), _) => json!(scan.summary),
        (None, ImageSource::Statistics(s)) => {
            json!({ "statistics": names[i], "n": s.n, "metric": s.provenance.as_ref().map(|provenance| &provenance.metric) })
        }
        (None, ImageSource::Images(_)) => json!(null),
    };
    let first =
        measures.first().ok_or_else(|| Failure::input("nothing was measured", "name a metric with --metrics"))?;
    let result = json!({
        "metric": first.metric, "value": first.value, "standard_error": first.standard_error,
        "distance": measures.iter().find(|m| m.metric == provenance.metric).map(|m| &m.details),
        "measures": measures, "generated": summary(0), "reference": summary(1), "warnings": warnings,
        "seed": workspace.seed, "network_hash": network.as_ref().map(FeatureNetwork::hash),
        "convention": provenance.convention, "runtime": network.as_ref().map(|network| network.runtime().to_string()),
        "version": provenance::VERSION, "program_hash": provenance::program_hash(),
    });
    workspace.print(&result, || table(&measures, &warnings))
}

/// The provenance of the features: the network's, or that of the statistics.
fn provenance_of(
    network: Option<&FeatureNetwork>,
    sources: &[ImageSource; 2],
    names: [&String; 2],
    warnings: &mut Vec<String>,
) -> FeatureProvenance {
    let mut known = None;
    for (source, name) in sources.iter().zip(names) {
        let ImageSource::Statistics(Statistics { provenance, .. }) = source else { continue };
        if provenance.is_none() {
            warnings
                .push(format!("{name} does not say of which network and convention it is: see that they are the same"));
        }
        known = known.or(provenance.clone());
    }
    match network {
        Some(network) => network.provenance(),
        None => known.unwrap_or_else(|| FeatureProvenance::named("fd (network unknown)")),
    }
}

/// Notes on the images for readers of the numbers.
fn warnings(scans: &[Option<ImageScan>; 2]) -> Vec<String> {
    let mut warnings = Vec::new();
    for scan in scans.iter().flatten() {
        let summary = &scan.summary;
        let mut say = |count: usize, what: &str| {
            if count > 0 {
                warnings.push(format!("{}: {count} of {} images {what}", summary.source, summary.n));
            }
        };
        say(summary.duplicates, "are equal to an earlier one");
        say(summary.skipped.len(), "beside these cannot be read and were skipped");
        summary.converted.iter().for_each(|(what, &count)| say(count, what));
    }
    if let [Some(generated), Some(reference)] = scans {
        let shared = generated.shared_with(reference);
        if shared > 0 {
            warnings.push(format!("{shared} of {} generated images are also in the reference", generated.summary.n));
        }
    }
    warnings
}

fn table(measures: &[MetricValue], warnings: &[String]) -> String {
    let width = measures.iter().map(|m| m.metric.len()).max().unwrap_or(0);
    let count = |n: &Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
    let line = |m: &MetricValue| {
        let error = m.standard_error.map_or(String::new(), |error| format!(" +- {error:.4}"));
        let n: Vec<String> = m.n.iter().map(count).collect();
        format!("{:width$}  {:.6}{error}  (n = {})", m.metric, m.value, n.join(" and "))
    };
    let lines = measures.iter().map(line).chain(warnings.iter().map(|warning| format!("  note: {warning}")));
    lines.collect::<Vec<_>>().join("\n")
}
