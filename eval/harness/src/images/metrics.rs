//! Metrics of two sets of features by name, each number with its standard error and the number of images.

use std::borrow::Cow;

use elbow_base::{Error, Progress};
use elbow_impls::Key;
use elbow_metrics::{Balls, Boundary, Entropy, ImageScan, NetworkOutputs};
use serde::Serialize;
use serde_json::{Value, json};

use crate::likelihood::Estimate;

/// The features of a set of images.
pub struct FeatureSet<'a> {
    /// The readable images; `None` where features were given.
    pub scan: Option<&'a ImageScan<'a>>,
    /// Their features, and their class logits where the network has them.
    pub outputs: Cow<'a, NetworkOutputs>,
}

impl FeatureSet<'_> {
    /// Number of images: always known, in the type that statistics of unknown size share.
    pub fn n(&self) -> Option<u64> {
        Some(self.outputs.features.len() as u64)
    }
}

/// The metrics by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The Frechet distance.
    Fd,
    /// The kernel inception distance.
    Kid,
    /// The Monge inception distance, a sliced Wasserstein distance.
    Mind,
    /// The Inception Score.
    Is,
    /// Precision, recall, density and coverage.
    Prdc,
    /// Entropies of levels and classes, and the share of different images.
    Entropy,
}

elbow_impls::names!(Metric, "metric": Fd = "fd", Kid = "kid", Mind = "mind", Is = "is", Prdc = "prdc", Entropy = "entropy");

impl Metric {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 6] = [Self::Fd, Self::Kid, Self::Mind, Self::Is, Self::Prdc, Self::Entropy];
}

/// Directions of MIND: the error over them is part of its standard error.
const DIRECTIONS: usize = 1000;

/// One number of a metric.
#[derive(Clone, Debug, Serialize)]
pub struct MetricValue {
    /// Metric, network and convention: `kid.NETWORK.CONVENTION`.
    pub metric: String,
    /// The number.
    pub value: f64,
    /// Its standard error, if there is one.
    pub standard_error: Option<f64>,
    /// The units of the standard error, or why there is none.
    pub error_over: String,
    /// Number of those units, where there is an error.
    pub error_units: Option<u64>,
    /// Number of generated and of reference images, where known; only the first for a number of one set.
    pub n: Vec<Option<u64>>,
    /// Settings and further numbers.
    pub details: Value,
    /// The values without one unit each, where a jackknife gave the error: for each kind of units, which add in squares.
    #[serde(skip)]
    pub left_out: Vec<Vec<f64>>,
}

/// Settings of the metrics.
pub struct MetricOptions {
    /// Number of disjoint blocks of the jackknife of a Frechet distance and of MIND; 0 for no standard error.
    pub blocks: usize,
    /// Whether the Frechet distance is computed by two algorithms, which must agree.
    pub verify: bool,
    /// Number of parts of the Inception Score.
    pub splits: usize,
    /// Largest number of blocks of the extrapolation to infinitely many images; `None` for no extrapolation.
    pub extrapolate: Option<usize>,
    /// Whether the Frechet distance is computed per class too.
    pub per_class: bool,
    /// k and boundary of precision and recall, and of density and coverage.
    pub balls: [Balls; 2],
    /// Seed of the random orders of images.
    pub seed: u64,
}

impl MetricValue {
    pub(super) fn new(
        metric: &str,
        value: f64,
        standard_error: Option<f64>,
        over: &str,
        n: &[Option<u64>],
        details: Value,
    ) -> Self {
        let (metric, error_over) = (metric.to_owned(), over.to_owned());
        let (error_units, left_out) = (None, Vec::new());
        Self { metric, value, standard_error, error_over, error_units, n: n.to_vec(), details, left_out }
    }

    /// With the number of the units of its error.
    pub(super) fn over_units(self, units: usize) -> Self {
        Self { error_units: self.standard_error.map(|_| units as u64), ..self }
    }
}

/// An estimate as the number `NAME.LABEL`.
fn named(name: &str, label: &str, estimate: Estimate, over: &str, n: &[Option<u64>], details: Value) -> MetricValue {
    let error = estimate.standard_error.is_finite().then_some(estimate.standard_error);
    let over = if estimate.n > 1 { over.to_owned() } else { format!("no error: one unit only of {over}") };
    MetricValue::new(&format!("{name}.{label}"), estimate.value, error, &over, n, details)
        .over_units(estimate.n as usize)
}

/// KID. `label`, here and below: `NETWORK.CONVENTION`.
pub fn kid(
    label: &str,
    [generated, reference]: [&FeatureSet; 2],
    bar: &dyn Progress,
) -> Result<Vec<MetricValue>, Error> {
    let left_out = elbow_metrics::kid_left_out(&generated.outputs.features, &reference.outputs.features, bar)?;
    let found = left_out.estimate()?;
    let details = json!({ "kernel": "(x.y / d + 1)^3", "estimate": "unbiased, over all pairs" });
    let n = [generated.n(), reference.n()];
    let kid = named("kid", label, found, "images of both sides, left out one at a time", &n, details);
    Ok(vec![MetricValue { left_out: vec![left_out.without_x, left_out.without_y], ..kid }])
}

/// MIND.
pub fn mind(
    label: &str,
    [generated, reference]: [&FeatureSet; 2],
    options: &MetricOptions,
    bar: &dyn Progress,
) -> Result<Vec<MetricValue>, Error> {
    let [ours, theirs] = [generated, reference].map(|set| &set.outputs.features);
    let key = |purpose: &str| Key::new(options.seed, purpose);
    let directions = elbow_metrics::directions(ours.dimension, DIRECTIONS, &key("directions"));
    let found = elbow_metrics::mind(ours, theirs, &directions, options.blocks, &key("blocks of images"), bar)?;
    let error = found.standard_error();
    let over = match error {
        Some(_) => "generated images, the reference fixed: blocks left out in turn; and directions",
        None => "no error: it needs two blocks, and an image in each",
    };
    let n = [generated.n(), reference.n()];
    let details = json!({ "directions": DIRECTIONS, "scale": "3 d" });
    let mind = MetricValue::new(&format!("mind.{label}"), found.value, error, over, &n, details);
    let left_out = if error.is_some() { vec![found.without_block, found.without_direction] } else { Vec::new() };
    Ok(vec![MetricValue { left_out, ..mind }.over_units(options.blocks)])
}

/// The Inception Score of the generated images.
pub fn inception_score(
    label: &str,
    generated: &FeatureSet,
    options: &MetricOptions,
) -> Result<Vec<MetricValue>, Error> {
    let logits = generated.outputs.logits.as_ref().ok_or_else(|| match generated.scan {
        None => Error::input("features were given, without class logits", "give images"),
        Some(_) => {
            let fix = "use a classifier that names its logits, as lite0 or the exported Inception";
            Error::input("this network has no output named logits", fix)
        }
    })?;
    let order = elbow_metrics::shuffled(logits.len(), &Key::new(options.seed, "splits of images"));
    let found = elbow_metrics::inception_score(logits, &order, options.splits)?;
    let details = json!({ "splits": options.splits, "order": "shuffled", "classes": logits.dimension });
    Ok(vec![named("is", label, found, "splits", &[generated.n()], details)])
}

/// Precision, recall, density and coverage.
pub fn prdc(
    label: &str,
    [generated, reference]: [&FeatureSet; 2],
    options: &MetricOptions,
    bar: &dyn Progress,
) -> Result<Vec<MetricValue>, Error> {
    let [pr, dc] = options.balls;
    let found = elbow_metrics::prdc(&generated.outputs.features, &reference.outputs.features, pr, dc, bar)?;
    let n = [generated.n(), reference.n()];
    let over = ["generated images, the balls fixed", "reference images, the balls fixed"];
    Ok(vec![
        named("precision", label, found.precision, over[0], &n, json!(pr)),
        named("recall", label, found.recall, over[1], &n, json!(pr)),
        named("density", label, found.density, over[0], &n, json!(dc)),
        named("coverage", label, found.coverage, over[1], &n, json!(dc)),
    ])
}

/// Entropies of the generated images, with those of the reference beside them where it has images.
pub fn entropies(generated: &FeatureSet, reference: Option<&FeatureSet>) -> Result<Vec<MetricValue>, Error> {
    let of = |set: &FeatureSet| Some(elbow_metrics::entropy(set.scan?, set.outputs.logits.as_ref()));
    let ours = of(generated).ok_or_else(|| Error::input("features were given, without images", "give images"))?;
    let theirs = reference.and_then(of);
    let plain = |metric: &str, value: f64, unit: &str, reference: Option<f64>| {
        let details = json!({ "unit": unit, "reference": reference });
        MetricValue::new(metric, value, None, "no error: of the set as a whole", &[generated.n()], details)
    };
    let their = |number: &dyn Fn(&Entropy) -> f64| theirs.as_ref().map(number);
    let mut all = vec![plain("entropy.pooled", ours.pooled_bits, "bits a value", their(&|e| e.pooled_bits))];
    let error = ours.image_bits.standard_error;
    all.push(MetricValue {
        standard_error: error.is_finite().then_some(error),
        error_over: if error.is_finite() { "generated images" } else { "no error: one image only" }.to_owned(),
        error_units: error.is_finite().then_some(ours.image_bits.n),
        ..plain("entropy.image", ours.image_bits.value, "bits a value", their(&|e| e.image_bits.value))
    });
    if let Some(bits) = ours.class_bits {
        all.push(plain("entropy.class", bits, "bits", theirs.as_ref().and_then(|e| e.class_bits)));
    }
    all.push(plain("distinct", ours.distinct, "share", their(&|e| e.distinct)));
    Ok(all)
}

/// The balls of precision and recall, and of density and coverage; those of the papers by default.
pub fn balls(neighbours: Option<usize>, boundary: Option<Boundary>) -> [Balls; 2] {
    [Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE]
        .map(|own| Balls { k: neighbours.unwrap_or(own.k), boundary: boundary.unwrap_or(own.boundary) })
}
