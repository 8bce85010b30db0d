//! Everything that is measured of two sets of features.

use std::collections::{BTreeMap, BTreeSet};

use impls::Key;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fid::{
    Balls, Boundary, Entropy, Extracted, ImageSet, Origin, Side, Survey, entropy, extrapolated, inception_score, kid,
    prdc, shuffled, standard_error,
};
use crate::likelihood::Estimate;
use elbow_base::Progress;

/// A set of images with its features.
pub struct Set<'a> {
    pub survey: &'a Survey<'a>,
    pub extracted: Extracted,
}

impl Set<'_> {
    /// Number of images.
    pub fn n(&self) -> Option<u64> {
        Some(self.extracted.features.len() as u64)
    }
}

/// The metrics by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Fd,
    Kid,
    Is,
    Prdc,
    Entropy,
}

impls::names!(Metric, "metric": Fd = "fd", Kid = "kid", Is = "is", Prdc = "prdc", Entropy = "entropy");

impl Metric {
    pub const ALL: [Self; 5] = [Self::Fd, Self::Kid, Self::Is, Self::Prdc, Self::Entropy];
}

/// One number, with what its name, its error and its images are.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    pub metric: String,
    pub value: f64,
    pub standard_error: Option<f64>,
    /// What the standard error is over; why there is none.
    pub error_over: String,
    /// Generated and reference images, where known; of one side's own numbers, its images.
    pub n: Vec<Option<u64>>,
    /// What else defines or explains the number.
    pub details: Value,
}

/// How to measure.
pub struct Options {
    /// Disjoint blocks that are left out one at a time for the error of a Frechet distance; 0 for no error.
    pub blocks: usize,
    /// Parts of the Inception Score.
    pub splits: usize,
    /// Cuts of the extrapolation to infinitely many images, if it is wanted.
    pub extrapolate: Option<usize>,
    /// Whether each class is measured too.
    pub per_class: bool,
    /// k and boundary of precision and recall, and of density and coverage.
    pub balls: [Balls; 2],
    pub seed: u64,
}

/// The Frechet distance of two sides, with its error where the generated side has features.
pub fn frechet(
    origin: &Origin,
    [own, reference]: [&Side; 2],
    generated: Option<&Set>,
    options: &Options,
    bar: &dyn Progress,
) -> Result<Measure, Failure> {
    let distance = own.distance(reference)?;
    let blocks = options.blocks;
    let (error, over) = match generated {
        Some(set) if blocks >= 2 && set.extracted.features.len() >= 2 * blocks => {
            let key = Key::new(options.seed, "blocks of images");
            let error = standard_error(&set.extracted.features, reference, origin, blocks, &key, bar)?;
            (Some(error), format!("generated images, the reference fixed: {blocks} disjoint blocks left out in turn"))
        }
        Some(_) => (None, "no error: it needs two blocks, and two images in each".to_owned()),
        None => (None, "no error: it needs images on the generated side".to_owned()),
    };
    Ok(Measure {
        metric: origin.metric.clone(),
        value: distance.value,
        standard_error: error,
        error_over: over,
        n: distance.n.to_vec(),
        details: json!(distance),
    })
}

/// An estimate under its name.
fn measure(name: &str, label: &str, estimate: Estimate, over: &str, n: &[Option<u64>], details: Value) -> Measure {
    Measure {
        metric: format!("{name}.{label}"),
        value: estimate.value,
        standard_error: estimate.standard_error.is_finite().then_some(estimate.standard_error),
        error_over: if estimate.n > 1 { over.to_owned() } else { format!("no error: one unit only of {over}") },
        n: n.to_vec(),
        details,
    }
}

/// KID. `label`: network and convention, here and below.
pub fn kernel_distance(
    label: &str,
    [generated, reference]: [&Set; 2],
    bar: &dyn Progress,
) -> Result<Vec<Measure>, Failure> {
    let found = kid(&generated.extracted.features, &reference.extracted.features, bar)?;
    let details = json!({ "kernel": "(x.y / d + 1)^3", "estimate": "unbiased, over all pairs" });
    let n = [generated.n(), reference.n()];
    Ok(vec![measure("kid", label, found, "images of both sides, left out one at a time", &n, details)])
}

/// The Inception Score of the generated images.
pub fn score(label: &str, generated: &Set, options: &Options) -> Result<Vec<Measure>, Failure> {
    let logits = generated.extracted.logits.as_ref().ok_or_else(|| {
        let fix = "use a classifier that names its logits, as lite0 or the exported Inception";
        Failure::input("this network has no output named logits", fix)
    })?;
    let order = shuffled(logits.len(), &Key::new(options.seed, "splits of images"));
    let found = inception_score(logits, &order, options.splits)?;
    let details = json!({ "splits": options.splits, "order": "shuffled", "classes": logits.dimension });
    Ok(vec![measure("is", label, found, "splits", &[generated.n()], details)])
}

/// Precision, recall, density and coverage.
pub fn shares(
    label: &str,
    [generated, reference]: [&Set; 2],
    options: &Options,
    bar: &dyn Progress,
) -> Result<Vec<Measure>, Failure> {
    let [pr, dc] = options.balls;
    let found = prdc(&generated.extracted.features, &reference.extracted.features, pr, dc, bar)?;
    let n = [generated.n(), reference.n()];
    let over = ["generated images, the balls fixed", "reference images, the balls fixed"];
    Ok(vec![
        measure("precision", label, found.precision, over[0], &n, json!(pr)),
        measure("recall", label, found.recall, over[1], &n, json!(pr)),
        measure("density", label, found.density, over[0], &n, json!(dc)),
        measure("coverage", label, found.coverage, over[1], &n, json!(dc)),
    ])
}

/// Entropies of the generated images, the reference's beside them where it has images: samples of less entropy are too
/// much alike.
pub fn entropies(generated: &Set, reference: Option<&Set>) -> Vec<Measure> {
    let of = |set: &Set| entropy(set.survey, set.extracted.logits.as_ref());
    let (ours, theirs) = (of(generated), reference.map(of));
    let plain = |metric: &str, value: f64, unit: &str, reference: Option<f64>| Measure {
        metric: metric.to_owned(),
        value,
        standard_error: None,
        error_over: "no error: of the set as a whole".to_owned(),
        n: vec![generated.n()],
        details: json!({ "unit": unit, "reference": reference }),
    };
    let their = |number: &dyn Fn(&Entropy) -> f64| theirs.as_ref().map(number);
    let mut all = vec![plain("entropy.pooled", ours.pooled_bits, "bits a value", their(&|e| e.pooled_bits))];
    let error = ours.image_bits.standard_error;
    all.push(Measure {
        standard_error: error.is_finite().then_some(error),
        error_over: if error.is_finite() { "generated images" } else { "no error: one image only" }.to_owned(),
        ..plain("entropy.image", ours.image_bits.value, "bits a value", their(&|e| e.image_bits.value))
    });
    if let Some(bits) = ours.class_bits {
        all.push(plain("entropy.class", bits, "bits", theirs.as_ref().and_then(|e| e.class_bits)));
    }
    all.push(plain("distinct", ours.distinct, "share", their(&|e| e.distinct)));
    all
}

/// The Frechet distance extrapolated to infinitely many generated images.
pub fn at_infinity(
    origin: &Origin,
    generated: &Set,
    reference: &Side,
    cuts: usize,
    options: &Options,
    bar: &dyn Progress,
) -> Result<Measure, Failure> {
    let blocks = options.blocks;
    if blocks < 2 {
        return Err(Failure::input(
            format!("extrapolation with blocks = {blocks}"),
            "its standard error needs two blocks or more",
        ));
    }
    let key = Key::new(options.seed, "extrapolated images");
    let found = extrapolated(&generated.extracted.features, reference, origin, [cuts, blocks], &key, bar)?;
    Ok(Measure {
        metric: format!("{}.infinity", origin.metric),
        value: found.value,
        standard_error: Some(found.standard_error),
        error_over: format!("generated images, the reference fixed: {blocks} disjoint blocks left out in turn"),
        n: vec![generated.n(), reference.statistics.n],
        details: json!({ "slope": found.slope, "points": found.points }),
    })
}

/// The Frechet distance of each class that has two images or more on both sides, and their mean; the classes left out.
pub fn per_class(origin: &Origin, sets: [&Set; 2]) -> Result<(Measure, Vec<String>), Failure> {
    let [ours, theirs] = sets.map(by_class);
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let (mut classes, mut left_out) = (BTreeMap::new(), Vec::new());
    for class in names {
        let (Some(own), Some(other)) = (ours.get(class), theirs.get(class)) else {
            left_out.push(class.clone());
            continue;
        };
        if own.len().min(other.len()) < 2 {
            left_out.push(class.clone());
            continue;
        }
        let side = |set: &Set, rows: &[usize]| Side::of_features(&set.extracted.features.select(rows), origin);
        let named = |e: Failure| e.of(format_args!("class {class}"));
        let value = side(sets[0], own).and_then(|a| a.to(&side(sets[1], other)?)).map_err(named)?;
        let rank_deficient = own.len().min(other.len()) <= sets[0].extracted.features.dimension;
        classes
            .insert(class, json!({ "value": value, "n": [own.len(), other.len()], "rank_deficient": rank_deficient }));
    }
    if classes.is_empty() {
        let fix = "give folders of class folders, data sets with labels, or npz files with arr_1";
        return Err(Failure::input("no class has two images or more on both sides", fix));
    }
    let values: Vec<f64> = classes.values().filter_map(|class| class["value"].as_f64()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let measure = Measure {
        metric: format!("{}.per-class", origin.metric),
        value: mean,
        standard_error: None,
        error_over: "no error: the mean over the classes".to_owned(),
        n: vec![sets[0].n(), sets[1].n()],
        details: json!({ "classes": classes }),
    };
    Ok((measure, left_out))
}

/// The rows of each class.
fn by_class(set: &Set) -> BTreeMap<String, Vec<usize>> {
    let mut classes = BTreeMap::<String, Vec<usize>>::new();
    for row in 0..set.survey.len() {
        if let Some(class) = set.survey.class(row) {
            classes.entry(class).or_default().push(row);
        }
    }
    classes
}

/// The balls that a user asked for, or those of the papers.
pub fn balls(neighbours: Option<usize>, boundary: Option<Boundary>) -> [Balls; 2] {
    [Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE]
        .map(|own| Balls { k: neighbours.unwrap_or(own.k), boundary: boundary.unwrap_or(own.boundary) })
}
