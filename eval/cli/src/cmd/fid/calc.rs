//! `elbow fid calc`: distances between two sets.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use elbow_base::{Error, Estimate, Named};
use elbow_harness::claims::Outcome;
use elbow_harness::images::{Drawing, Metric, MetricOptions, MetricValue, Scores, Scoring, balls, is_model};
use elbow_harness::models::AnyModel;
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::Dataset;
use elbow_metrics::{Boundary, FeatureNetwork};
use serde_json::json;

use super::flags::{ImageFlags, NetworkFlags};
use crate::flags::{SamplerFlags, ThresholdFlags, one_of};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow fid calc samples/ photos/ --json
  elbow fid calc samples.npz cifar10:train --network inception.onnx --convention tf
  elbow fid calc samples/ reference-stats.npz --network inception.onnx --convention pytorch --metrics fd
  elbow fid calc features.npy reference-features.npz --extrapolate 4
  elbow fid calc samples.npz cifar10:train --metrics fd --at-most 12
  elbow fid calc out/runs/md4-digits digits:test --count 1000 --steps 64 --extrapolate 4

A side is a folder (searched through), an npz or npy file of images, CIFAR's .bin, an IDX
file, a data set as digits:test, an npz file of mu and sigma of this or another tool, an npy or
npz file of features (floating point, [n, d]), or a trained run or a model file, whose samples are
drawn and scored without being written. The first side is the generated one: precision counts its
images, recall the reference's. A number of features that were given is called so, as fd.given.

Every number says which network, convention, images and errors it has; features are kept between
runs, and found again only if nothing that shapes them has changed.")]
pub struct Arguments {
    /// Generated images
    generated: String,
    /// Reference images, or their statistics
    reference: String,
    /// What to measure, separated by commas [default: all, as far as the inputs allow]
    #[arg(long, value_delimiter = ',', value_name = "NAMES", value_parser = wanted())]
    metrics: Vec<Wanted>,
    #[command(flatten)]
    network: NetworkFlags,
    #[command(flatten)]
    images: ImageFlags,
    /// Disjoint blocks of generated images, left out in turn, for the errors of the Frechet distance and of MIND, 0 to 50; 0 for no error
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=50))]
    blocks: u32,
    /// Compute the Frechet distance by a second algorithm too; fails where the two disagree. It takes about four times as long
    #[arg(long)]
    verify: bool,
    /// Extrapolate the Frechet distance to infinitely many images, from 1, 2, ... CUTS disjoint blocks, 2 to 50
    #[arg(long, value_name = "CUTS", value_parser = clap::value_parser!(u32).range(2..=50))]
    extrapolate: Option<u32>,
    /// The Frechet distance of each class too: class folders, labelled data sets
    #[arg(long)]
    per_class: bool,
    /// Splits of the Inception Score, 1 to 1000
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    splits: u32,
    /// Neighbours that make a ball, 1 to 1000 [default: 3 for precision and recall, 5 for density and coverage]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    neighbours: Option<u32>,
    /// Whether balls are closed or open [default: closed for precision and recall, open for density and coverage]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Boundary>())]
    boundary: Option<Boundary>,
    /// Samples to draw where a trained run or a model file is named, 2 to 1,000,000 [default: 1000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    count: Option<u32>,
    #[command(flatten)]
    sampler: SamplerFlags,
    #[command(flatten)]
    threshold: ThresholdFlags,
}

/// One metric, or all that the inputs allow.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    All,
    One(Metric),
}

impl Wanted {
    fn metric(&self) -> Option<Metric> {
        match self {
            Self::All => None,
            Self::One(metric) => Some(*metric),
        }
    }
}

fn wanted() -> impl TypedValueParser<Value = Wanted> {
    let names = ["all"].into_iter().chain(Metric::NAMES.iter().copied());
    PossibleValuesParser::new(names).try_map(|name| match name.as_str() {
        "all" => Ok(Wanted::All),
        name => name.parse::<Metric>().map(Wanted::One),
    })
}

impl Arguments {
    fn options(&self, seed: u64) -> MetricOptions {
        MetricOptions {
            blocks: self.blocks as usize,
            verify: self.verify,
            splits: self.splits as usize,
            extrapolate: self.extrapolate.map(|cuts| cuts as usize),
            per_class: self.per_class,
            balls: balls(self.neighbours.map(|k| k as usize), self.boundary),
            seed,
        }
    }
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    let sampling = arguments.count.map(|_| "--count".to_owned()).or_else(|| arguments.sampler.any());
    if let Some(option) =
        sampling.filter(|_| ![&arguments.generated, &arguments.reference].into_iter().any(|name| is_model(name)))
    {
        let what = format!(
            "{option} has no effect: neither side is a trained run or a model file, of which samples are drawn"
        );
        return Err(Error::input(what, "leave it out, or name the folder of a run or a model file"));
    }
    let request = |model: &AnyModel, data: &dyn Dataset| {
        arguments.sampler.request(model, data.length(), arguments.count.unwrap_or(1000) as usize, workspace.seed, &[])
    };
    let runtime = || arguments.network.runtime(workspace);
    arguments.network.check(workspace)?;
    let all = arguments.metrics.contains(&Wanted::All);
    let scoring = Scoring {
        names: [&arguments.generated, &arguments.reference],
        sampling: Some(Drawing { request: &request, runtime: &runtime }),
        on_bad: arguments.images.on_bad,
        arrays: arguments.images.arrays.options(),
        cache: arguments.images.cache(workspace),
        metrics: if all { Vec::new() } else { arguments.metrics.iter().filter_map(Wanted::metric).collect() },
        options: arguments.options(workspace.seed),
    };
    let scores = scoring
        .run(workspace, |scans| arguments.network.open_if_used(workspace, scans))
        .map_err(arguments.images.hint())?;
    let Scores { measures, provenance, network, summaries: [generated, reference], warnings } = scores;
    let first = &measures[0];
    let rulings = match (arguments.threshold.given(), first.standard_error) {
        (Some(option), None) => {
            let what = format!("{option}: {} cannot be judged: {}", first.metric, first.error_over);
            return Err(Error::input(
                what,
                "a threshold needs an error: give images on the generated side, and two --blocks or more",
            ));
        }
        _ => arguments.threshold.judge(&judged(first)),
    };
    let mut result = json!({
        "metric": first.metric, "value": first.value, "standard_error": first.standard_error,
        "distance": measures.iter().find(|m| m.metric == provenance.metric).map(|m| &m.details),
        "measures": measures, "generated": generated, "reference": reference, "warnings": warnings,
        "seed": workspace.seed, "network_hash": network.as_ref().map(FeatureNetwork::hash),
        "layer": network.as_ref().map(layer),
        "convention": provenance.convention, "runtime": network.as_ref().map(|network| network.runtime().to_string()),
        "version": provenance::VERSION, "program_hash": provenance::program_hash(),
    });
    rulings.add_to(&mut result);
    workspace.print(&result, || rulings.below(table(&measures, &warnings), "images"))?;
    Ok(rulings.exit_code())
}

/// The number that thresholds judge: its interval is over the units of its error.
fn judged(value: &MetricValue) -> Outcome {
    let error = value.standard_error.unwrap_or(f64::NAN);
    let estimate = Estimate { value: value.value, standard_error: error, n: value.error_units.unwrap_or(0) };
    Outcome::estimated(&value.metric, estimate, "", &value.error_over)
}

/// The output that holds the features, and its pooling.
fn layer(network: &FeatureNetwork) -> serde_json::Value {
    let (output, pool) = network.layer();
    json!({ "output": output, "pool": pool.map(|pool| pool.to_string()) })
}

/// The measures as a table, with notes below.
fn table(measures: &[MetricValue], warnings: &[String]) -> String {
    let width = measures.iter().map(|m| m.metric.len()).max().unwrap_or(0);
    let count = |n: &Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
    let line = |m: &MetricValue| {
        let error = m.standard_error.map_or(String::new(), |error| format!(" +- {error:.4}"));
        let n: Vec<String> = m.n.iter().map(count).collect();
        // A distance of 0 may be a little below it.
        let value = if m.value.abs() < 5e-7 { 0.0 } else { m.value };
        format!("{:width$}  {value:.6}{error}  (n = {})", m.metric, n.join(" and "))
    };
    let lines = measures.iter().map(line).chain(warnings.iter().map(|warning| format!("  note: {warning}")));
    lines.collect::<Vec<_>>().join("\n")
}
