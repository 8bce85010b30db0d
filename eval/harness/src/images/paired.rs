//! The difference of two generated sets' distances from one reference.

use elbow_base::{Error, Estimate};
use elbow_metrics::spread_of_left_out;
use serde::Serialize;

use super::metrics::MetricValue;

/// A difference A - B of one metric. The same blocks or images are left out of both sides at once: what both sets have in common,
/// the reference among it, drops out of the error.
#[derive(Clone, Debug, Serialize)]
pub struct PairedMetric {
    /// Metric, network and convention.
    pub metric: String,
    /// The difference; `n` counts the units of its error.
    pub difference: Estimate,
    /// The units of the standard error.
    pub error_over: String,
    /// The standard error of the same difference had the errors of A and B nothing in common.
    pub independent_standard_error: f64,
    /// The variance without pairing over the paired one; none where the difference has no variance.
    pub variance_ratio: Option<f64>,
    /// The metric of A.
    pub a: MetricValue,
    /// The metric of B.
    pub b: MetricValue,
}

/// The differences of all metrics that both sides have, in the order of A's.
///
/// Both sets must have the same number of images: a Frechet distance of few images is biased upwards, and image i of A is paired
/// with image i of B. A metric without an error by a jackknife is refused.
pub fn paired(a: &[MetricValue], b: &[MetricValue]) -> Result<Vec<PairedMetric>, Error> {
    a.iter().zip(b).map(|(a, b)| pair(a, b)).collect()
}

fn pair(a: &MetricValue, b: &MetricValue) -> Result<PairedMetric, Error> {
    if a.metric != b.metric {
        let what = format!("A's number is {}, B's is {}", a.metric, b.metric);
        return Err(Error::input(what, "compare sets whose features come from one network under one convention"));
    }
    if a.n.first() != b.n.first() {
        let count = |n: Option<&Option<u64>>| n.copied().flatten().map_or("?".to_owned(), |n| n.to_string());
        let what = format!("A has {} images and B {}", count(a.n.first()), count(b.n.first()));
        return Err(Error::input(what, "give sets of one size: the bias of a distance depends on it"));
    }
    let (Some(of_a), Some(of_b)) = (a.standard_error, b.standard_error) else {
        return Err(Error::input(format!("{}: {}", a.metric, a.error_over), "a difference needs an error"));
    };
    if a.left_out.is_empty() || a.left_out.len() != b.left_out.len() {
        return Err(Error::internal(format!("{} has no jackknife", a.metric)));
    }
    let spread =
        |(a, b): (&Vec<f64>, &Vec<f64>)| spread_of_left_out(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>());
    let standard_error = a.left_out.iter().zip(&b.left_out).map(spread).fold(0.0, f64::hypot);
    let independent = of_a.hypot(of_b);
    let ratio = (independent / standard_error).powi(2);
    Ok(PairedMetric {
        metric: a.metric.clone(),
        difference: Estimate { value: a.value - b.value, standard_error, n: a.error_units.unwrap_or(0) },
        error_over: a.error_over.clone(),
        independent_standard_error: independent,
        variance_ratio: ratio.is_finite().then_some(ratio),
        a: a.clone(),
        b: b.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use elbow_base::{Key, Silent};
    use elbow_metrics::{FeatureProvenance, Features, GaussianFit, NetworkOutputs};
    use rand_distr::{Distribution, StandardNormal};

    use super::super::frechet;
    use super::super::metrics::{FeatureSet, MetricOptions, balls, kid};
    use super::*;

    const SEEDS: u64 = 200;
    const IMAGES: usize = 150;
    const DIMENSION: usize = 3;

    fn normals(count: usize, key: &Key) -> Vec<f64> {
        let mut rng = key.rng();
        (0..count * DIMENSION).map(|_| StandardNormal.sample(&mut rng)).collect()
    }

    fn set(values: Vec<f64>) -> FeatureSet<'static> {
        let features = Features { dimension: DIMENSION, values: values.into_iter().map(|v| v as f32).collect() };
        FeatureSet { scan: None, outputs: Cow::Owned(NetworkOutputs { features, logits: None }) }
    }

    /// Distances and KID of a set from the reference.
    fn measured(set: &FeatureSet, reference: &FeatureSet, fit: &GaussianFit) -> Vec<MetricValue> {
        let provenance = FeatureProvenance::named("law");
        let balls = balls(None, None);
        let options =
            MetricOptions { blocks: 10, verify: false, splits: 1, extrapolate: None, per_class: false, balls, seed: 0 };
        let own = GaussianFit::of_features(&set.outputs.features, &provenance).expect("enough");
        let distance = frechet::distance(&provenance, [&own, fit], Some(set), &options, &Silent).expect("a distance");
        [vec![distance], kid("law", [set, reference], &Silent).expect("enough")].concat()
    }

    #[test]
    fn the_error_of_a_difference_is_its_deviation_and_less_than_that_of_two_sets_apart() {
        let reference = set(normals(2000, &Key::new(0, "reference")));
        let provenance = FeatureProvenance::named("law");
        let fit = GaussianFit::of_features(&reference.outputs.features, &provenance).expect("enough");
        // Two generators that share their noise, as two samplers with one seed do.
        let differences: Vec<Vec<PairedMetric>> = (0..SEEDS)
            .map(|seed| {
                let key = |part: u64| Key::new(seed, "generated").fold(part);
                let noise = normals(IMAGES, &key(0));
                let side = |part: u64, scale: f64, shift: f64| {
                    let own = normals(IMAGES, &key(part));
                    set(noise.iter().zip(own).map(|(z, own)| scale * z + 0.1 * own + shift).collect())
                };
                let [a, b] = [side(1, 1.0, 0.3), side(2, 1.05, 0.35)].map(|side| measured(&side, &reference, &fit));
                paired(&a, &b).expect("sets of one size")
            })
            .collect();
        for metric in 0..2 {
            let found: Vec<&PairedMetric> = differences.iter().map(|metrics| &metrics[metric]).collect();
            let values: Vec<f64> = found.iter().map(|found| found.difference.value).collect();
            let variance = Estimate::of(&values).standard_error.powi(2) * SEEDS as f64;
            let mean = |square: &dyn Fn(&PairedMetric) -> f64| {
                found.iter().map(|found| square(found)).sum::<f64>() / SEEDS as f64
            };
            let paired = mean(&|found| found.difference.standard_error.powi(2)) / variance;
            let apart = mean(&|found| found.independent_standard_error.powi(2)) / variance;
            println!("{}: mean square of the error over the variance {paired}, of sets apart {apart}", found[0].metric);
            // Four standard errors of a variance of normal numbers; the reference is fixed here, and its part of KID's error is small.
            assert!((paired - 1.0).abs() < 4.0 * (2.0 / SEEDS as f64).sqrt(), "{}: {paired}", found[0].metric);
            assert!(apart > 3.0, "witness: the errors of sets apart are far too large: {apart}");
        }
        let shorter = measured(&set(normals(IMAGES - 1, &Key::new(0, "x"))), &reference, &fit);
        let other = measured(&set(normals(IMAGES, &Key::new(0, "y"))), &reference, &fit);
        let refused = paired(&shorter, &other).expect_err("other sizes");
        assert!(refused.what.contains("A has 149 images and B 150"), "{refused}");
    }
}
