//! Frechet distances against golden values and invariances.

use elbow_metrics::{Error, FeatureProvenance, Features, GaussianFit, Statistics, between_features};

use crate::{agrees, features_of, json, made};

pub fn features(name: &str) -> Features {
    features_of(&format!("frechet/{name}.npy"))
}

pub fn fixture_provenance() -> FeatureProvenance {
    FeatureProvenance::named("fixture")
}

fn distance(a: &Features, b: &Features) -> f64 {
    between_features(a, b, &fixture_provenance()).expect("comparable").value
}

#[test]
fn distance_is_the_golden_value_by_both_algorithms() {
    let golden = json("frechet/golden.json");
    for (a, b) in [("a", "b"), ("c", "d"), ("e", "f")] {
        let pair = &golden[format!("{a}-{b}")];
        let exact = pair["distance"].as_f64().expect("a number");
        let ours = between_features(&features(a), &features(b), &fixture_provenance()).expect("comparable");
        // Nuclear norm of the features: measured 3.4e-15 relative.
        assert!(agrees(ours.value, exact, 2e-14), "{a}-{b}: {} against {exact}", ours.value);
        // Eigenvalues: as good at full rank, measured 7e-15; roots of rounding errors otherwise, measured 3.4e-9.
        let tolerance = if ours.rank_deficient { 3e-8 } else { 6e-14 };
        assert!(ours.disagreement / exact < tolerance, "{a}-{b}: disagreement {:e}", ours.disagreement);
        assert_eq!(ours.rank_deficient, (a, b) == ("c", "d"));
    }
    // Witness: the square root of a matrix product, as other tools take it, fails this test where the rank is low.
    let sqrtm = golden["c-d"]["routes"]["scipy_sqrtm"]["value"].as_f64().expect("a number");
    assert!(!agrees(sqrtm, golden["c-d"]["distance"].as_f64().expect("a number"), 2e-14));
}

#[test]
fn distance_of_a_shift_is_its_squared_length() {
    let a = features("a");
    assert!(distance(&a, &a).abs() < 1e-12);
    let mut shifted = a.clone();
    for (i, value) in shifted.values.iter_mut().enumerate() {
        *value += if i % a.dimension == 0 { 3.0 } else { 0.0 };
    }
    assert!((distance(&a, &shifted) - 9.0).abs() < 1e-12);
}

#[test]
fn distance_is_symmetric_scales_and_ignores_the_order_of_images() {
    let (a, b) = (features("a"), features("b"));
    let value = distance(&a, &b);
    assert!((distance(&b, &a) - value).abs() < 1e-12, "symmetry");
    let reversed: Vec<usize> = (0..a.len()).rev().collect();
    assert!((distance(&a.select(&reversed), &b) - value).abs() < 1e-12, "order of the images");
    let scale = |f: &Features| Features { dimension: f.dimension, values: f.values.iter().map(|v| v * 4.0).collect() };
    assert!((distance(&scale(&a), &scale(&b)) - 16.0 * value).abs() < 1e-10, "scaling");
}

#[test]
fn distance_does_not_depend_on_the_number_of_threads() {
    // Large enough for faer to split the decompositions among threads where it is allowed to.
    let distance = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let found = pool
            .install(|| between_features(&made(700, 600, 1), &made(700, 600, 2), &fixture_provenance()))
            .expect("comparable");
        (found.value.to_bits(), found.by_eigenvalues.to_bits())
    };
    let one = distance(1);
    assert_eq!([distance(2), distance(5)], [one, one]);
}

#[test]
fn fit_refuses_negative_eigenvalues() {
    let mut statistics = Statistics::of(&features("a"), &fixture_provenance()).expect("enough");
    statistics.covariance[(3, 3)] = -1.0;
    let failure = GaussianFit::of_statistics(statistics).err().expect("indefinite");
    assert!(matches!(failure, Error::NegativeEigenvalue { .. }), "{failure:?}");
    assert_eq!(failure.kind(), elbow_base::Kind::Input);
}
