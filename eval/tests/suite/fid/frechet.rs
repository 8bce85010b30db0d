//! Frechet distances and statistics files against golden values.

use eval::fid::{Features, Side, Statistics, between_features};

use super::{features_of, json};
use crate::bench::fixture;

fn features(name: &str) -> Features {
    features_of(&format!("frechet/{name}.npy"))
}

fn between_statistics(a: &Statistics, b: &Statistics) -> Result<eval::fid::Distance, eval::failure::Failure> {
    Side::of_statistics(a.clone())?.distance(&Side::of_statistics(b.clone())?)
}

fn distance(a: &Features, b: &Features) -> f64 {
    between_features(a, b, "fixture").expect("comparable").value
}

#[test]
fn golden_distances() {
    let golden = json("frechet/golden.json");
    for (a, b) in [("a", "b"), ("c", "d"), ("e", "f")] {
        let pair = &golden[format!("{a}-{b}")];
        let exact = pair["distance"].as_f64().expect("a number");
        let ours = between_features(&features(a), &features(b), "fixture").expect("comparable");
        // Nuclear norm of the features: measured 4e-15 relative.
        assert!((ours.value / exact - 1.0).abs() < 2e-14, "{a}-{b}: {} against {exact}", ours.value);
        // Eigenvalues: as good at full rank; roots of rounding errors otherwise.
        let tolerance = if ours.rank_deficient { 1e-5 } else { 1e-12 };
        assert!(ours.disagreement / exact < tolerance, "{a}-{b}: disagreement {:e}", ours.disagreement);
        assert_eq!(ours.rank_deficient, (a, b) == ("c", "d"));
    }
    // Witness: the square root of a matrix product, as other tools take it, fails this test where the rank is low.
    let sqrtm = golden["c-d"]["routes"]["scipy_sqrtm"]["value"].as_f64().expect("a number");
    assert!((sqrtm / golden["c-d"]["distance"].as_f64().expect("a number") - 1.0).abs() > 1e-9);
}

#[test]
fn a_pure_shift_costs_its_squared_length_and_equal_sets_nothing() {
    let a = features("a");
    assert!(distance(&a, &a).abs() < 1e-12);
    let mut shifted = a.clone();
    for (i, value) in shifted.values.iter_mut().enumerate() {
        *value += if i % a.dimension == 0 { 3.0 } else { 0.0 };
    }
    assert!((distance(&a, &shifted) - 9.0).abs() < 1e-12);
}

#[test]
fn invariances() {
    let (a, b) = (features("a"), features("b"));
    let value = distance(&a, &b);
    assert!((distance(&b, &a) - value).abs() < 1e-12, "symmetry");
    let reversed: Vec<usize> = (0..a.len()).rev().collect();
    assert!((distance(&a.select(&reversed), &b) - value).abs() < 1e-12, "order of the images");
    let scale = |f: &Features| Features { dimension: f.dimension, values: f.values.iter().map(|v| v * 4.0).collect() };
    assert!((distance(&scale(&a), &scale(&b)) - 16.0 * value).abs() < 1e-10, "scaling");
}

#[test]
fn statistics_of_shards_merge_to_those_of_the_whole() {
    let a = features("a");
    let whole = Statistics::of(&a, "fixture").expect("enough");
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..a.len()).partition(|i| i % 3 == 0);
    let part = |indices: &[usize]| Statistics::of(&a.select(indices), "fixture").expect("enough");
    let merged = part(&first).merge(&part(&rest)).expect("comparable");
    assert_eq!(merged.n, whole.n);
    for i in 0..a.dimension {
        assert!((merged.mean[i] - whole.mean[i]).abs() < 1e-14);
        for j in 0..a.dimension {
            assert!((merged.covariance[(i, j)] - whole.covariance[(i, j)]).abs() < 1e-13);
        }
    }
}

#[test]
fn statistics_files_of_other_tools_are_read() {
    let whole = Statistics::of(&features("a"), "fixture").expect("enough");
    for (file, tolerance) in
        [("stats-fortran", 1e-13), ("stats-singleton", 1e-13), ("stats-compressed", 1e-13), ("stats-f32", 1e-5)]
    {
        let read = Statistics::load(&fixture(&format!("frechet/{file}.npz"))).expect(file);
        let gap = between_statistics(&read, &whole).expect(file);
        assert!(gap.value.abs() < tolerance, "{file}: {:e}", gap.value);
        let worst = (0..16).flat_map(|i| (0..16).map(move |j| (i, j)));
        let worst = worst.map(|(i, j)| (read.covariance[(i, j)] - whole.covariance[(i, j)]).abs()).fold(0.0, f64::max);
        assert!(worst < tolerance, "{file}: {worst:e}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.npz");
    whole.save(&path).expect("writable");
    let back = Statistics::load(&path).expect("readable");
    assert_eq!((back.n, back.metric.as_deref(), &back.mean), (Some(200), Some("fixture"), &whole.mean));
    let other = Statistics { metric: Some("another".into()), ..whole };
    assert!(between_statistics(&other, &back).expect_err("another network").what.contains("another"));
}

#[test]
fn damaged_statistics_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.npz");
    let whole = Statistics::of(&features("a"), "fixture").expect("enough");
    let mut skewed = whole.clone();
    skewed.covariance[(0, 1)] += 1.0;
    skewed.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("not symmetric").what.contains("symmetric"));
    let mut endless = whole;
    endless.mean[0] = f64::NAN;
    endless.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("NaN").what.contains("finite"));
    std::fs::write(&path, "no zip").expect("writable");
    assert_eq!(Statistics::load(&path).expect_err("not a zip").exit_code(), 2);
    let one = Features { dimension: 2, values: vec![1.0, 2.0] };
    assert!(Statistics::of(&one, "x").expect_err("one image").fix.contains("two images"));
}
