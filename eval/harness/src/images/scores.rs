//! Two sets by name, put through a feature network and measured.

use serde_json::{Value, json};

use super::comparison::Comparison;
use super::input::{Input, Sampling, images, open};
use super::measures::{Measure, Metric, Options, Set};
use crate::failure::Failure;
use crate::fid::{Cache, Convention, FeatureNetwork, OnBad, Origin, Side, Statistics, Survey};
use crate::workspace::Workspace;

/// Which sets are compared, and how.
pub struct Scoring<'a> {
    /// The generated set and the reference: folders, files, data sets, statistics, or trained runs.
    pub names: [&'a str; 2],
    /// How a trained run is sampled.
    pub sampling: Option<Sampling<'a>>,
    pub on_bad: OnBad,
    pub cache: Cache,
    /// What to measure; empty for all that the inputs allow.
    pub metrics: Vec<Metric>,
    pub options: Options,
}

/// Everything that was measured of two sets.
pub struct Scores {
    /// One or more.
    pub measures: Vec<Measure>,
    /// What makes the features.
    pub origin: Origin,
    /// Absent where both sides are statistics.
    pub network: Option<FeatureNetwork>,
    /// The generated set and the reference in numbers.
    pub summaries: [Value; 2],
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
}

impl Scoring<'_> {
    /// Compares the sets. `network` chooses the network for the images that were found.
    pub fn run(
        self,
        workspace: &Workspace,
        network: impl FnOnce(&[&Survey]) -> Result<FeatureNetwork, Failure>,
    ) -> Result<Scores, Failure> {
        let Self { names, sampling, on_bad, cache, metrics, options } = self;
        let bar = workspace.bar.as_ref();
        // The reference first: samples may take long, and be drawn in vain.
        let reference = open(workspace, names[1], sampling.as_ref())?;
        let inputs = [open(workspace, names[0], sampling.as_ref())?, reference];
        let survey = |i: usize| match &inputs[i] {
            Input::Images(set) => Survey::take(set.as_ref(), [1, 1], on_bad, bar).map(Some),
            Input::Statistics(_) => Ok(None),
        };
        // Both are looked at before either is refused.
        let surveys = match [survey(0), survey(1)] {
            [Err(one), Err(other)] => return Err(one.of(other.what)),
            [generated, reference] => [generated?, reference?],
        };
        let known: Vec<&Survey> = surveys.iter().flatten().collect();
        let network = if known.is_empty() { None } else { Some(network(&known)?) };
        let mut warnings = warnings(&surveys);
        let origin = origin_of(network.as_ref(), &inputs, names, &mut warnings);
        if let Some(network) = &network {
            network.check_sizes(&known)?;
        }
        for input in &inputs {
            if let Input::Statistics(statistics) = input {
                statistics.check_origin(&origin)?;
            }
        }
        let set = |i: usize| match (&surveys[i], &network) {
            (Some(survey), Some(network)) => {
                cache.features(network, survey, bar).map(|extracted| Some(Set { survey, extracted }))
            }
            _ => Ok(None),
        };
        let sets = [set(0)?, set(1)?];
        let label = network.as_ref().map(FeatureNetwork::label).unwrap_or_default();
        let mut comparison =
            Comparison { origin: &origin, label: &label, inputs: &inputs, sets: &sets, options, warnings };
        let measures = comparison.measure(&metrics, bar)?;
        let warnings = comparison.warnings;
        if measures.is_empty() {
            return Err(Failure::input("nothing was measured", "name a metric"));
        }
        let summaries = [0, 1].map(|i| match (&surveys[i], &inputs[i]) {
            (Some(survey), _) => json!(survey.summary),
            (None, Input::Statistics(s)) => {
                json!({ "statistics": names[i], "n": s.n, "metric": s.origin.as_ref().map(|origin| &origin.metric) })
            }
            (None, Input::Images(_)) => Value::Null,
        });
        Ok(Scores { measures, origin, network, summaries, warnings })
    }
}

/// What makes the features: the network, or what the statistics say.
fn origin_of(
    network: Option<&FeatureNetwork>,
    inputs: &[Input; 2],
    names: [&str; 2],
    warnings: &mut Vec<String>,
) -> Origin {
    let mut known = None;
    for (input, name) in inputs.iter().zip(names) {
        let Input::Statistics(Statistics { origin, .. }) = input else { continue };
        if origin.is_none() {
            warnings
                .push(format!("{name} does not say of which network and convention it is: see that they are the same"));
        }
        known = known.or(origin.clone());
    }
    match network {
        Some(network) => network.origin(),
        None => known.unwrap_or_else(|| Origin::made("fd (network unknown)")),
    }
}

/// What a reader of the numbers should know of the images.
fn warnings(surveys: &[Option<Survey>; 2]) -> Vec<String> {
    let mut warnings = Vec::new();
    for survey in surveys.iter().flatten() {
        let summary = &survey.summary;
        let all = summary.n + summary.skipped.len();
        let mut say = |count: usize, of: usize, what: &str| {
            if count > 0 {
                warnings.push(format!("{}: {count} of {of} images {what}", summary.source));
            }
        };
        say(summary.duplicates, summary.n, "are equal to an earlier one");
        say(summary.skipped.len(), all, "cannot be read and were left out");
        summary.converted.iter().for_each(|(what, &count)| say(count, summary.n, what));
    }
    if let [Some(generated), Some(reference)] = surveys {
        let shared = generated.shared_with(reference);
        if shared > 0 {
            warnings.push(format!("{shared} of {} generated images are also in the reference", generated.summary.n));
        }
    }
    warnings
}

/// The Frechet distances of one pair of sets under every convention that resizes.
pub struct ConventionMatrix {
    pub network: FeatureNetwork,
    /// The generated set and the reference in numbers.
    pub summaries: [Value; 2],
    /// `[generated, reference]`, by [`Convention::RESIZING`].
    pub distances: Vec<Vec<f64>>,
}

/// Compares two sets of images under every pair of conventions that resize. `network` is as for [`Scoring::run`].
pub fn convention_matrix(
    workspace: &Workspace,
    names: [&str; 2],
    on_bad: OnBad,
    cache: &Cache,
    network: impl FnOnce(&[&Survey]) -> Result<FeatureNetwork, Failure>,
) -> Result<ConventionMatrix, Failure> {
    let bar = workspace.bar.as_ref();
    let [generated, reference] = names.map(|name| images(workspace, name, None));
    let sets = [generated?, reference?];
    let [generated, reference] = [0, 1].map(|i| Survey::take(sets[i].as_ref(), [1, 1], on_bad, bar));
    let surveys = [generated?, reference?];
    let network = network(&[&surveys[0], &surveys[1]])?;
    let mut sides: [Vec<Side>; 2] = Default::default();
    for convention in Convention::RESIZING {
        let network = network.with_convention(convention);
        for (survey, sides) in surveys.iter().zip(&mut sides) {
            let features = cache.features(&network, survey, bar)?.features;
            // One origin for all: here features of different conventions are compared on purpose.
            sides.push(Side::of_features(&features, &Origin::made("of any convention"))?);
        }
    }
    let row = |a: &Side| sides[1].iter().map(|b| a.to(b)).collect::<Result<Vec<f64>, Failure>>();
    let distances = sides[0].iter().map(row).collect::<Result<Vec<_>, Failure>>()?;
    let summaries = [0, 1].map(|i| json!(surveys[i].summary));
    Ok(ConventionMatrix { network, summaries, distances })
}
