//! Everything that is measured of two sets of features.

use std::collections::BTreeMap;

use impls::Key;
use serde::Serialize;
use serde_json::{Value, json};

use super::comparison::Set;
use crate::failure::Failure;
use crate::fid::{
    Balls, Boundary, Entropy, Side, entropy, extrapolated, inception_score, kid, prdc, shuffled, standard_error,
};
use crate::likelihood::Estimate;
use crate::progress::Bar;

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
    metric: &str,
    sides: &[Side; 2],
    generated: Option<&Set>,
    options: &Options,
    bar: &Bar,
) -> Result<Measure, Failure> {
    let distance = sides[0].distance(&sides[1])?;
    let blocks = options.blocks;
    let (error, over) = match generated {
        Some(set) if blocks >= 2 && set.extracted.features.len() >= 2 * blocks => {
            let key = Key::new(options.seed, "blocks of images");
            let error = standard_error(&set.extracted.features, &sides[1], metric, blocks, &key, bar)?;
            (Some(error), format!("generated images, the reference fixed: {blocks} disjoint blocks left out in turn"))
        }
        Some(_) => (None, "no error: it needs two blocks of two images at least".to_owned()),
        None => (None, "no error: it needs images on the generated side".to_owned()),
    };
    Ok(Measure {
        metric: metric.to_owned(),
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
        standard_error: Some(estimate.standard_error),
        error_over: over.to_owned(),
        n: n.to_vec(),
        details,
    }
}

/// KID. `label`: network and convention, here and below.
pub fn kernel_distance(label: &str, [generated, reference]: [&Set; 2], bar: &Bar) -> Result<Vec<Measure>, Failure> {
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
    bar: &Bar,
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
    all.push(Measure {
        standard_error: Some(ours.image_bits.standard_error),
        error_over: "generated images".to_owned(),
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
    metric: &str,
    generated: &Set,
    reference: &Side,
    cuts: usize,
    options: &Options,
    bar: &Bar,
) -> Result<Measure, Failure> {
    let key = Key::new(options.seed, "extrapolated images");
    let features = &generated.extracted.features;
    let found = extrapolated(features, reference, metric, [cuts, options.blocks.max(2)], &key, bar)?;
    Ok(Measure {
        metric: format!("{metric}.infinity"),
        value: found.value,
        standard_error: Some(found.standard_error),
        error_over: "generated images, the reference fixed: disjoint blocks left out in turn".to_owned(),
        n: vec![generated.n(), reference.statistics.n],
        details: json!({ "slope": found.slope, "points": found.points }),
    })
}

/// The Frechet distance of each class that both sides have, and their mean; the classes that only one side has.
pub fn per_class(metric: &str, sets: [&Set; 2]) -> Result<(Measure, Vec<String>), Failure> {
    let [ours, theirs] = sets.map(by_class);
    let mut alone: Vec<String> = ours.keys().filter(|class| !theirs.contains_key(*class)).cloned().collect();
    alone.extend(theirs.keys().filter(|class| !ours.contains_key(*class)).cloned());
    let mut classes = BTreeMap::new();
    for (class, own) in &ours {
        let Some(other) = theirs.get(class) else { continue };
        let side = |set: &Set, rows: &[usize]| Side::of_features(&set.extracted.features.select(rows), metric);
        let named = |e: Failure| Failure { what: format!("class {class}: {}", e.what), ..e };
        let value = side(sets[0], own).and_then(|a| a.to(&side(sets[1], other)?)).map_err(named)?;
        let dimension = sets[0].extracted.features.dimension;
        let rank_deficient = own.len().min(other.len()) <= dimension;
        classes
            .insert(class, json!({ "value": value, "n": [own.len(), other.len()], "rank_deficient": rank_deficient }));
    }
    if classes.is_empty() {
        let fix = "give folders of class folders, data sets with labels, or npz files with arr_1";
        return Err(Failure::input("no class is known on both sides", fix));
    }
    let values: Vec<f64> = classes.values().filter_map(|class| class["value"].as_f64()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let measure = Measure {
        metric: format!("{metric}.per-class"),
        value: mean,
        standard_error: None,
        error_over: "no error: the mean over the classes".to_owned(),
        n: vec![sets[0].n(), sets[1].n()],
        details: json!({ "classes": classes }),
    };
    Ok((measure, alone))
}

/// The rows of each class.
fn by_class(set: &Set) -> BTreeMap<String, Vec<usize>> {
    let mut classes = BTreeMap::<String, Vec<usize>>::new();
    for (row, &index) in set.survey.kept.iter().enumerate() {
        if let Some(class) = set.survey.set.class(index) {
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
