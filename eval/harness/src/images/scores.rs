//! Metrics of two sets of images by name, by the features of a network.

use std::borrow::Cow;

use elbow_base::{Error, Silent};
use elbow_impls::data::Dataset;
use elbow_metrics::{
    ArrayOptions, BadImagePolicy, Convention, FeatureCache, FeatureNetwork, FeatureProvenance, GaussianFit, ImageScan,
    Reading, ScanSummary, Statistics, check_extrapolation,
};
use serde_json::{Value, json};

use super::comparison::Comparison;
use super::image_source::{Drawing, ImageSource, images, open};
use super::metrics::{FeatureSet, Metric, MetricOptions, MetricValue};
use crate::models::AnyModel;
use crate::workspace::Workspace;

/// Which sets are compared, and how.
pub struct Scoring<'a> {
    /// The generated set and the reference: folders, files, data sets, features, statistics, trained runs or model files.
    pub names: [&'a str; 2],
    /// How samples are drawn, where a set is a trained run or a model file.
    pub sampling: Option<Drawing<'a>>,
    /// Whether unreadable images are left out or refused.
    pub on_bad: BadImagePolicy,
    /// The meaning of npz and npy files, on both sides.
    pub arrays: ArrayOptions,
    /// Features of earlier calls.
    pub cache: FeatureCache,
    /// The metrics; empty for all that the sources allow.
    pub metrics: Vec<Metric>,
    /// Settings of the metrics.
    pub options: MetricOptions,
}

/// The metrics of two sets.
pub struct Scores {
    /// The values, at least one.
    pub measures: Vec<MetricValue>,
    /// Network and convention of the features.
    pub provenance: FeatureProvenance,
    /// The network; absent where no set is of images.
    pub network: Option<FeatureNetwork>,
    /// The generated set and the reference in numbers.
    pub summaries: [Value; 2],
    /// Notes for readers of the numbers.
    pub warnings: Vec<String>,
}

impl Scoring<'_> {
    /// Compares the sets. `network` chooses the network for the images that were found; it is asked where there are none, too,
    /// before anything is computed.
    pub fn run(
        self,
        workspace: &Workspace,
        network: impl Fn(&[&ImageScan]) -> Result<Option<FeatureNetwork>, Error>,
    ) -> Result<Scores, Error> {
        let Self { names, sampling, on_bad, arrays, cache, metrics, options } = self;
        let bar = workspace.bar.as_ref();
        // The reference first: samples may take long, and be drawn in vain.
        let reference = open(workspace, names[1], &arrays, sampling)?;
        let (other, chosen) = (&reference, &network);
        let checked = sampling.map(|sampling| {
            move |model: &AnyModel, data: &dyn Dataset| {
                let request = (sampling.request)(model, data)?;
                let dimension = if options.extrapolate.is_some() { dimension(other, chosen) } else { None };
                if let (Some(cuts), Some(dimension)) = (options.extrapolate, dimension) {
                    check_extrapolation(request.count, dimension, [cuts, options.blocks])?;
                }
                Ok(request)
            }
        });
        let drawing = sampling.zip(checked.as_ref()).map(|(sampling, request)| Drawing { request, ..sampling });
        let generated = open(workspace, names[0], &arrays, drawing)?;
        let sources = [generated, reference];
        let readings = sources.each_ref().map(|source| match source {
            ImageSource::Images(set) => set.reading(),
            _ => Reading::default(),
        });
        arrays.check_used(&readings)?;
        let scan = |i: usize| match &sources[i] {
            ImageSource::Images(set) => ImageScan::take(set.as_ref(), on_bad, bar).map(Some),
            _ => Ok(None),
        };
        // Both are scanned before either is refused.
        let scans = match [scan(0), scan(1)] {
            [Err(one), Err(other)] => return Err(one.of(other).into()),
            [generated, reference] => [generated?, reference?],
        };
        let known: Vec<&ImageScan> = scans.iter().flatten().collect();
        let network = network(&known)?;
        let mut warnings = notes(&known.iter().map(|scan| &scan.summary).collect::<Vec<_>>());
        warnings.extend(shared(&scans));
        let provenance = provenance_of(network.as_ref(), &sources, names, &mut warnings);
        if let Some(network) = &network {
            network.check_sizes(&known)?;
        }
        let given = provenance == FeatureProvenance::given();
        for source in &sources {
            match source {
                ImageSource::Statistics(statistics) if !given => statistics.check_provenance(&provenance)?,
                _ => {}
            }
        }
        let set = |i: usize| -> Result<Option<FeatureSet>, Error> {
            Ok(match (&sources[i], &scans[i], &network) {
                (ImageSource::Features(outputs), ..) => {
                    Some(FeatureSet { scan: None, outputs: Cow::Borrowed(outputs) })
                }
                (_, Some(scan), Some(network)) => {
                    let outputs = Cow::Owned(cache.features(network, scan, bar)?);
                    Some(FeatureSet { scan: Some(scan), outputs })
                }
                _ => None,
            })
        };
        let sets = [set(0)?, set(1)?];
        let label = match (given, &network) {
            (true, _) => "given".to_owned(),
            (false, network) => network.as_ref().map(FeatureNetwork::label).unwrap_or_default(),
        };
        let mut comparison =
            Comparison { provenance: &provenance, label: &label, sources: &sources, sets: &sets, options, warnings };
        let measures = comparison.measure(&metrics, bar)?;
        let warnings = comparison.warnings;
        if measures.is_empty() {
            return Err(Error::input("nothing was measured", "name a metric"));
        }
        let summaries = [0, 1].map(|i| match (&scans[i], &sources[i]) {
            (Some(scan), _) => json!(scan.summary),
            (None, ImageSource::Statistics(s)) => {
                json!({ "statistics": names[i], "n": s.n, "metric": s.provenance.as_ref().map(|provenance| &provenance.metric) })
            }
            (None, ImageSource::Features(outputs)) => {
                json!({ "features": names[i], "n": outputs.features.len(), "dimension": outputs.features.dimension })
            }
            (None, ImageSource::Images(_)) => Value::Null,
        });
        Ok(Scores { measures, provenance, network, summaries, warnings })
    }
}

/// Number of features per image: those of the first image, where a network computes them. `None` where that fails, which
/// the whole set's measurement will tell.
fn dimension(
    source: &ImageSource,
    network: &dyn Fn(&[&ImageScan]) -> Result<Option<FeatureNetwork>, Error>,
) -> Option<usize> {
    match source {
        ImageSource::Statistics(statistics) => Some(statistics.mean.len()),
        ImageSource::Features(outputs) => Some(outputs.features.dimension),
        ImageSource::Images(set) => {
            let first = ImageScan::take_part(set.as_ref(), 0..1, BadImagePolicy::Error, &Silent).ok()?;
            Some(network(&[&first]).ok()??.features(&first, &Silent).ok()?.dimension)
        }
    }
}

/// Network and convention of the features: the network's, or those that the statistics name. Features that were given
/// have neither, whatever they are compared with.
fn provenance_of(
    network: Option<&FeatureNetwork>,
    sources: &[ImageSource; 2],
    names: [&str; 2],
    warnings: &mut Vec<String>,
) -> FeatureProvenance {
    let (mut known, mut given) = (None, false);
    for (source, name) in sources.iter().zip(names) {
        let provenance = match source {
            ImageSource::Images(_) => continue,
            ImageSource::Features(_) => None,
            ImageSource::Statistics(Statistics { provenance, .. }) => provenance.clone(),
        };
        given |= matches!(source, ImageSource::Features(_));
        if provenance.is_none() {
            warnings
                .push(format!("{name} does not say of which network and convention it is: see that they are the same"));
        }
        known = known.or(provenance);
    }
    match network {
        _ if given => FeatureProvenance::given(),
        Some(network) => network.provenance(),
        None => known.unwrap_or_else(|| FeatureProvenance::named("fd (network unknown)")),
    }
}

/// Notes on sets of images: the array that was read, duplicates, unreadable and other files, conversions.
pub fn notes(summaries: &[&ScanSummary]) -> Vec<String> {
    let mut warnings = Vec::new();
    for summary in summaries {
        let all = summary.n + summary.skipped.len();
        let Reading { array, other_files } = &summary.reading;
        warnings.extend(array.as_ref().map(|array| format!("{}: {array}", summary.source)));
        if !other_files.is_empty() {
            let kinds = other_files.iter().map(|(ending, n)| match ending.as_str() {
                "" => format!("{n} without an ending"),
                ending => format!("{n} .{ending}"),
            });
            let kinds: Vec<String> = kinds.collect();
            warnings.push(format!("{}: files that are no images were left out: {}", summary.source, kinds.join(", ")));
        }
        let mut say = |count: usize, of: usize, what: &str| {
            if count > 0 {
                warnings.push(format!("{}: {count} of {of} images{what}", summary.source));
            }
        };
        say(summary.duplicates, summary.n, &format!(" {} equal to an earlier one", be(summary.duplicates)));
        let left_out = if summary.skipped.len() == 1 { "was" } else { "were" };
        say(summary.skipped.len(), all, &format!(" cannot be read and {left_out} left out"));
        summary.converted.iter().for_each(|(what, &count)| say(count, summary.n, &format!(": {what}")));
    }
    warnings
}

fn be(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A note on images in both sets.
fn shared(scans: &[Option<ImageScan>; 2]) -> Option<String> {
    let [Some(generated), Some(reference)] = scans else { return None };
    let (shared, n) = (generated.shared_with(reference), generated.summary.n);
    (shared > 0).then(|| format!("{shared} of {n} generated images {} also in the reference", be(shared)))
}

/// The Frechet distances of one pair of sets under every convention that resizes.
pub struct ConventionMatrix {
    /// The network.
    pub network: FeatureNetwork,
    /// The generated set and the reference in numbers.
    pub summaries: [Value; 2],
    /// `[generated, reference]`, by [`Convention::RESIZING`].
    pub distances: Vec<Vec<f64>>,
    /// Notes for readers of the numbers.
    pub notes: Vec<String>,
}

/// Compares two sets of images under every pair of conventions that resize. `network` is as for [`Scoring::run`].
pub fn convention_matrix(
    workspace: &Workspace,
    names: [&str; 2],
    on_bad: BadImagePolicy,
    arrays: &ArrayOptions,
    cache: &FeatureCache,
    network: impl FnOnce(&[&ImageScan]) -> Result<FeatureNetwork, Error>,
) -> Result<ConventionMatrix, Error> {
    let bar = workspace.bar.as_ref();
    let [generated, reference] = names.map(|name| images(workspace, name, arrays, None));
    let sets = [generated?, reference?];
    arrays.check_used(&sets.each_ref().map(|set| set.reading()))?;
    let [generated, reference] = [0, 1].map(|i| ImageScan::take(sets[i].as_ref(), on_bad, bar));
    let scans = [generated?, reference?];
    let network = network(&[&scans[0], &scans[1]])?;
    let mut fits: [Vec<GaussianFit>; 2] = Default::default();
    for convention in Convention::RESIZING {
        let network = network.with_convention(convention);
        for (scan, fits) in scans.iter().zip(&mut fits) {
            let features = cache.features(&network, scan, bar)?.features;
            // One provenance for all: here features of different conventions are compared on purpose.
            fits.push(GaussianFit::of_features(&features, &FeatureProvenance::named("of any convention"))?);
        }
    }
    let row = |a: &GaussianFit| fits[1].iter().map(|b| a.to(b)).collect::<Result<Vec<f64>, _>>();
    let distances = fits[0].iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let summaries = [0, 1].map(|i| json!(scans[i].summary));
    let notes = notes(&[&scans[0].summary, &scans[1].summary]);
    Ok(ConventionMatrix { network, summaries, distances, notes })
}
