//! Frechet distances of two sets: of all images, extrapolated to infinitely many, and per class.

use std::collections::{BTreeMap, BTreeSet};

use elbow_base::{Error, Progress};
use elbow_impls::Key;
use elbow_metrics::{FeatureProvenance, GaussianFit, ImageSet};
use serde_json::json;

use super::metrics::{FeatureSet, MetricOptions, MetricValue};

/// The Frechet distance of two fitted Gaussians, with its standard error where the generated images have features.
pub fn distance(
    provenance: &FeatureProvenance,
    [own, reference]: [&GaussianFit; 2],
    generated: Option<&FeatureSet>,
    options: &MetricOptions,
    bar: &dyn Progress,
) -> Result<MetricValue, Error> {
    let distance = if options.verify { own.verified(reference) } else { own.distance(reference) }?;
    let blocks = options.blocks;
    let (left_out, over) = match generated {
        Some(set) if blocks >= 2 && set.outputs.features.len() >= 2 * blocks => {
            let key = Key::new(options.seed, "blocks of images");
            let features = &set.outputs.features;
            let left_out = elbow_metrics::distances_left_out(features, reference, provenance, blocks, &key, bar)?;
            (
                Some(left_out),
                format!("generated images, the reference fixed: {blocks} disjoint blocks left out in turn"),
            )
        }
        Some(_) => (None, "no error: it needs two blocks, and two images in each".to_owned()),
        None => (None, "no error: it needs images on the generated side".to_owned()),
    };
    let error = left_out.as_deref().map(elbow_metrics::spread_of_left_out);
    let value = MetricValue::new(&provenance.metric, distance.value, error, &over, &distance.n, json!(distance));
    Ok(MetricValue { left_out: left_out.into_iter().collect(), ..value.over_units(blocks) })
}

/// The Frechet distance extrapolated to infinitely many generated images `[FID-infinity]`.
pub fn at_infinity(
    provenance: &FeatureProvenance,
    generated: &FeatureSet,
    reference: &GaussianFit,
    cuts: usize,
    options: &MetricOptions,
    bar: &dyn Progress,
) -> Result<MetricValue, Error> {
    let blocks = options.blocks;
    if blocks < 2 {
        let what = format!("extrapolation to infinitely many images with {blocks} blocks");
        return Err(Error::input(what, "leave two blocks or more for its error"));
    }
    let key = Key::new(options.seed, "extrapolated images");
    let found =
        elbow_metrics::extrapolated(&generated.outputs.features, reference, provenance, [cuts, blocks], &key, bar)?;
    let metric = format!("{}.infinity", provenance.metric);
    let over = format!("generated images, the reference fixed: {blocks} disjoint blocks left out in turn");
    let (n, details) =
        ([generated.n(), reference.statistics.n], json!({ "slope": found.slope, "points": found.points }));
    let value = MetricValue::new(&metric, found.value, Some(found.standard_error), &over, &n, details);
    Ok(value.over_units(blocks))
}

/// The mean over classes of the Frechet distance within a class, and the classes left out: those with fewer than two
/// images in a set.
pub fn per_class(provenance: &FeatureProvenance, sets: [&FeatureSet; 2]) -> Result<(MetricValue, Vec<String>), Error> {
    let [ours, theirs] = sets.map(by_class);
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let (mut classes, mut left_out) = (BTreeMap::new(), Vec::new());
    for class in names {
        let both = ours.get(class).zip(theirs.get(class)).filter(|(own, other)| own.len().min(other.len()) >= 2);
        let Some((own, other)) = both else {
            left_out.push(class.clone());
            continue;
        };
        let side =
            |set: &FeatureSet, rows: &[usize]| GaussianFit::of_features(&set.outputs.features.select(rows), provenance);
        let named = |e: elbow_metrics::Error| e.of(format_args!("class {class}"));
        let value = side(sets[0], own).and_then(|a| a.to(&side(sets[1], other)?)).map_err(named)?;
        let rank_deficient = own.len().min(other.len()) <= sets[0].outputs.features.dimension;
        classes
            .insert(class, json!({ "value": value, "n": [own.len(), other.len()], "rank_deficient": rank_deficient }));
    }
    if sets.iter().any(|set| set.scan.is_none()) {
        return Err(Error::input("features were given, without classes", "give images"));
    }
    if classes.is_empty() {
        let fix = "give folders of class folders, data sets with labels, or npz files with arr_1";
        return Err(Error::input("no class has two images or more on both sides", fix));
    }
    let values: Vec<f64> = classes.values().filter_map(|class| class["value"].as_f64()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let (metric, n) = (format!("{}.per-class", provenance.metric), sets.map(FeatureSet::n));
    let over = "no error: the mean over the classes";
    Ok((MetricValue::new(&metric, mean, None, over, &n, json!({ "classes": classes })), left_out))
}

/// The indices of the images of each class.
fn by_class(set: &FeatureSet) -> BTreeMap<String, Vec<usize>> {
    let mut classes = BTreeMap::<String, Vec<usize>>::new();
    for (scan, row) in set.scan.iter().flat_map(|scan| (0..scan.len()).map(move |row| (scan, row))) {
        if let Some(class) = scan.class(row) {
            classes.entry(class).or_default().push(row);
        }
    }
    classes
}
