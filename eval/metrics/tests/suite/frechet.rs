//! Frechet distances against golden values and invariances.

use elbow_metrics::{Error, FeatureProvenance, Features, GaussianFit, Statistics, TraceAlgorithm, between_features};

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
        let disagreement = ours.disagreement.expect("few dimensions");
        assert!(disagreement / exact < tolerance, "{a}-{b}: disagreement {disagreement:e}");
        assert!((ours.value - exact).abs() <= ours.error_bound && ours.error_bound < 1e-11 * exact, "{ours:?}");
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
        assert_eq!(found.algorithm, TraceAlgorithm::Eigenvalues);
        (found.value.to_bits(), found.error_bound.to_bits())
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

/// A law of `d` dimensions whose variances fall from 1 to `least`, and its distance to itself scaled by `factor`:
/// (factor - 1)^2 times its trace.
fn scaled_law(d: usize, least: f64, factor: f64) -> ([GaussianFit; 2], f64) {
    // Householder's reflection of a diagonal matrix: dense, with known eigenvalues.
    let direction: Vec<f64> = (0..d).map(|i| ((i * i % 97) as f64 - 48.0) / 40.0).collect();
    let length: f64 = direction.iter().map(|v| v * v).sum();
    let reflection = faer::Mat::from_fn(d, d, |i, j| f64::from(i == j) - 2.0 * direction[i] * direction[j] / length);
    let variance = |i: usize| least.powf(i as f64 / (d - 1) as f64);
    let scaled = faer::Mat::from_fn(d, d, |i, j| reflection[(i, j)] * variance(j));
    let covariance = &scaled * reflection.transpose();
    let covariance = faer::Mat::from_fn(d, d, |i, j| (covariance[(i, j)] + covariance[(j, i)]) / 2.0);
    let total: f64 = (0..d).map(|i| covariance[(i, i)]).sum();
    let fit = |covariance: faer::Mat<f64>| {
        GaussianFit::of_statistics(Statistics { mean: vec![0.0; d], covariance, n: None, provenance: None })
            .expect("a covariance")
    };
    let squared = factor * factor;
    let other = faer::Mat::from_fn(d, d, |i, j| squared * covariance[(i, j)]);
    ([fit(covariance), fit(other)], (factor - 1.0).powi(2) * total)
}

#[test]
fn many_dimensions_have_a_distance_within_its_error_bound() {
    // Variances down to 1e-2 and 1e-6: eigenvalues. Down to 1e-13: the bound is too large, and the nuclear norm decides.
    for (least, algorithm) in [
        (1e-2, TraceAlgorithm::Eigenvalues),
        (1e-6, TraceAlgorithm::Eigenvalues),
        (1e-13, TraceAlgorithm::SingularValues),
    ] {
        let ([a, b], exact) = scaled_law(300, least, 1.5);
        let found = a.distance(&b).expect("comparable");
        let error = (found.value - exact).abs();
        println!("{least:e}: error {error:e}, bound {:e}, {:?}", found.error_bound, found.algorithm);
        assert_eq!((found.algorithm, found.by_eigenvalues), (algorithm, None), "{least:e}");
        assert!(error <= found.error_bound && found.error_bound < 1e-5 * exact, "{least:e}: {found:?}");
        assert_eq!(a.to(&b).expect("comparable").to_bits(), found.value.to_bits());
        // The other algorithm, on request.
        let verified = a.verified(&b).expect("agree");
        assert_eq!(verified.algorithm, TraceAlgorithm::SingularValues);
        assert!((verified.value - found.value).abs() <= found.error_bound + verified.error_bound, "{verified:?}");
        assert!(verified.disagreement.is_some());
    }
}
