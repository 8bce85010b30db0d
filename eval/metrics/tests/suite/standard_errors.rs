//! Standard errors and extrapolation, against the spread over fresh draws of known laws.

use elbow_base::{Key, Silent};
use elbow_metrics::{
    FeatureProvenance, Features, GaussianFit, Statistics, directions, extrapolated, kid, mind, standard_error,
};
use rand_distr::{Distribution, StandardNormal};

const DIMENSION: usize = 6;

/// n draws of a normal law with these means and unit covariance.
fn normal(n: usize, mean: f64, key: &Key) -> Features {
    let mut rng = key.rng();
    let mut draw = || (mean + Distribution::<f64>::sample(&StandardNormal, &mut rng)) as f32;
    Features { dimension: DIMENSION, values: (0..n * DIMENSION).map(|_| draw()).collect() }
}

/// The normal law itself: mean 0, unit covariance.
fn exact() -> GaussianFit {
    let covariance = faer::Mat::identity(DIMENSION, DIMENSION);
    GaussianFit::of_statistics(Statistics { mean: vec![0.0; DIMENSION], covariance, n: None, provenance: None })
        .expect("a root")
}

fn provenance() -> FeatureProvenance {
    FeatureProvenance::named("law")
}

fn distance(x: &Features, reference: &GaussianFit) -> f64 {
    GaussianFit::of_features(x, &provenance()).expect("enough").to(reference).expect("comparable")
}

fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    [mean, variance.sqrt()]
}

fn key(draw: usize) -> Key {
    Key::new(7, "laws").fold(draw as u64)
}

#[test]
fn standard_error_is_the_spread_of_the_distance_over_fresh_images() {
    let (reference, bar) = (exact(), Silent);
    let (mut values, mut errors, mut bootstraps) = (Vec::new(), Vec::new(), Vec::new());
    for draw in 0..200 {
        let x = normal(400, 0.3, &key(draw));
        let own = distance(&x, &reference);
        values.push(own);
        errors.push(standard_error(&x, &reference, &provenance(), 10, &key(draw), &bar).expect("enough"));
        // Witness: images drawn again with replacement.
        let mut rng = key(draw).fold(1).rng();
        let again: Vec<usize> =
            (0..400).map(|_| rand_distr::Uniform::new(0, 400).expect("a range").sample(&mut rng)).collect();
        bootstraps.push(distance(&x.select(&again), &reference) - own);
    }
    let [_, spread] = mean_and_deviation(&values);
    let [error, _] = mean_and_deviation(&errors);
    // 200 draws give a standard deviation to 5 %: measured 1.08.
    println!("error {error}, spread {spread}: {}", error / spread);
    assert!((error / spread - 1.0).abs() < 0.15, "{error} against {spread}");
    // Witness: the bootstrap is biased upwards by about as much as the distance itself, 6 shifts of 0.3.
    let [bias, deviation] = mean_and_deviation(&bootstraps);
    let own = mean_and_deviation(&values)[0] - 6.0 * 0.09;
    let error = deviation / 200_f64.sqrt();
    println!("bootstrap's bias {bias} +- {error}, the distance's {own} +- {}", spread / 200_f64.sqrt());
    assert!(bias > 5.0 * error, "{bias} +- {error}");
    assert!((bias - own).abs() < 4.0 * deviation.hypot(spread) / 200_f64.sqrt(), "{bias} against {own}");
}

#[test]
fn extrapolated_removes_the_bias_of_the_distance() {
    let (reference, bar) = (exact(), Silent);
    // The true distance: 6 shifts of 0.3.
    let truth = 6.0 * 0.09;
    let (mut plain, mut far, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for draw in 0..100 {
        let x = normal(240, 0.3, &key(1000 + draw));
        plain.push(distance(&x, &reference));
        let found = extrapolated(&x, &reference, &provenance(), [6, 10], &key(draw), &bar).expect("enough");
        assert_eq!(found.points.iter().map(|point| point.0).collect::<Vec<_>>(), [240, 120, 80, 60, 48, 40]);
        assert!(found.slope > 0.0);
        far.push(found.value);
        errors.push(found.standard_error);
    }
    let [biased, spread] = mean_and_deviation(&plain);
    assert!(biased - truth > 5.0 * spread / 10.0, "a finite distance is biased: {biased} against {truth}");
    let [mean, spread] = mean_and_deviation(&far);
    // The remaining bias is of order (dimension / images)^2.
    assert!((mean - truth).abs() < 3.0 * spread / 10.0, "{mean} +- {} against {truth}", spread / 10.0);
    let [error, _] = mean_and_deviation(&errors);
    // Measured 0.93: 100 draws give a standard deviation to 7 %.
    println!("error {error}, spread {spread}: {}", error / spread);
    assert!((error / spread - 1.0).abs() < 0.3, "{error} against {spread}");
    let few = normal(40, 0.0, &key(0));
    let failure = extrapolated(&few, &reference, &provenance(), [6, 10], &key(0), &bar).expect_err("too few");
    assert!(failure.to_string().contains("6 blocks"), "{failure}");
}

#[test]
fn kid_error_is_the_spread_of_kid_over_fresh_images() {
    let bar = Silent;
    let (mut values, mut errors, mut null) = (Vec::new(), Vec::new(), Vec::new());
    for draw in 0..200 {
        let law = |part: u64, mean: f64| normal(100, mean, &key(5000 + draw).fold(part));
        let [x, y, z] = [law(0, 0.3), law(1, 0.0), law(2, 0.0)];
        let found = kid(&x, &y, &bar).expect("enough");
        values.push(found.value);
        errors.push(found.standard_error);
        null.push(kid(&z, &y, &bar).expect("enough").value);
    }
    let [_, spread] = mean_and_deviation(&values);
    let [error, _] = mean_and_deviation(&errors);
    // Measured 1.02: 200 draws give a standard deviation to 5 %.
    println!("error {error}, spread {spread}: {}", error / spread);
    assert!((error / spread - 1.0).abs() < 0.15, "{error} against {spread}");
    // Unbiased: zero in the mean for two sets of one law, and below it about as often as not.
    let [mean, spread] = mean_and_deviation(&null);
    assert!(mean.abs() < 3.0 * spread / 200_f64.sqrt(), "{mean} +- {}", spread / 200_f64.sqrt());
    assert!(null.iter().any(|v| *v < 0.0));
}

#[test]
fn mind_error_is_the_spread_of_mind_over_fresh_images_and_directions() {
    let bar = Silent;
    let reference = normal(400, 0.0, &key(9000));
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for draw in 0..200 {
        let own = key(9001 + draw);
        let (x, along) = (normal(200, 0.3, &own.fold(0)), directions(DIMENSION, 20, &own.fold(1)));
        let found = mind(&x, &reference, &along, 20, &own.fold(2), &bar).expect("enough");
        values.push(found.value);
        errors.push(found.standard_error().expect("blocks"));
    }
    let [_, spread] = mean_and_deviation(&values);
    let [error, _] = mean_and_deviation(&errors);
    // 200 draws give a standard deviation to 5 %.
    println!("error {error}, spread {spread}: {}", error / spread);
    assert!((error / spread - 1.0).abs() < 0.15, "{error} against {spread}");
}
