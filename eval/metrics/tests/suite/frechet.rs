//! Frechet distances and statistics files against golden values.

use std::io::Write;

use elbow_metrics::{Distance, Features, Origin, Side, Statistics, between_features};
use npyz::WriterBuilder;

use crate::fixture::fixture;
use crate::{agrees, features_of, json, made};

fn features(name: &str) -> Features {
    features_of(&format!("frechet/{name}.npy"))
}

fn fixture_origin() -> Origin {
    Origin::made("fixture")
}

fn between_statistics(a: &Statistics, b: &Statistics) -> Result<Distance, elbow_base::Error> {
    Side::of_statistics(a.clone())?.distance(&Side::of_statistics(b.clone())?)
}

fn distance(a: &Features, b: &Features) -> f64 {
    between_features(a, b, &fixture_origin()).expect("comparable").value
}

#[test]
fn golden_distances() {
    let golden = json("frechet/golden.json");
    for (a, b) in [("a", "b"), ("c", "d"), ("e", "f")] {
        let pair = &golden[format!("{a}-{b}")];
        let exact = pair["distance"].as_f64().expect("a number");
        let ours = between_features(&features(a), &features(b), &fixture_origin()).expect("comparable");
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
    let whole = Statistics::of(&a, &fixture_origin()).expect("enough");
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..a.len()).partition(|i| i % 3 == 0);
    let part = |indices: &[usize]| Statistics::of(&a.select(indices), &fixture_origin()).expect("enough");
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
    let whole = Statistics::of(&features("a"), &fixture_origin()).expect("enough");
    for (file, tolerance) in
        [("stats-fortran", 1e-13), ("stats-singleton", 1e-13), ("stats-compressed", 1e-13), ("stats-f32", 4e-7)]
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
    assert_eq!((back.n, &back.origin, &back.mean), (Some(200), &Some(fixture_origin()), &whole.mean));
    let from = |metric: &str, network: &str, convention: &str| {
        let origin = Origin { metric: metric.into(), network: network.into(), convention: convention.into() };
        Statistics { origin: Some(origin), ..whole.clone() }
    };
    let own = from("fd.model.clean", "12ab", "clean");
    // A renamed copy is the same network; another file of the same name, and another convention, are not.
    assert!(between_statistics(&own, &from("fd.copy.clean", "12ab", "clean")).is_ok());
    for other in
        [from("fd.model.clean", "34cd", "clean"), from("fd.model.clean", "12ab", "tf"), from("fixture", "", "")]
    {
        assert!(between_statistics(&own, &other).expect_err("other features").what.contains("fd.model.clean"));
    }
    // Unknown features are compared: whoever gives them is told.
    assert!(between_statistics(&own, &Statistics { origin: None, ..whole.clone() }).is_ok());
    // sigma of shape (1, 16, 16), as some tools write it.
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).expect("writable"));
    let sigma: Vec<f64> = (0..256).map(|i| whole.covariance[(i / 16, i % 16)]).collect();
    for (name, shape, values) in [("mu", vec![1, 16], &whole.mean), ("sigma", vec![1, 16, 16], &sigma)] {
        let mut bytes = Vec::new();
        let mut npy =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd().expect("memory");
        npy.extend(values.iter().copied()).expect("memory");
        npy.finish().expect("memory");
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("writable");
        zip.write_all(&bytes).expect("writable");
    }
    zip.finish().expect("writable");
    assert_eq!(Statistics::load(&path).expect("squeezed").covariance, whole.covariance);
}

#[test]
fn damaged_statistics_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.npz");
    let whole = Statistics::of(&features("a"), &fixture_origin()).expect("enough");
    let mut skewed = whole.clone();
    skewed.covariance[(0, 1)] += 1.0;
    skewed.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("not symmetric").what.contains("symmetric"));
    let mut endless = whole;
    endless.mean[0] = f64::NAN;
    endless.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("NaN").what.contains("finite"));
    std::fs::write(&path, "no zip").expect("writable");
    assert_eq!(Statistics::load(&path).expect_err("not a zip").kind, elbow_base::Kind::Input);
    let one = Features { dimension: 2, values: vec![1.0, 2.0] };
    assert!(Statistics::of(&one, &fixture_origin()).expect_err("one image").advice.contains("two images"));
}

#[test]
fn no_digit_depends_on_the_number_of_threads() {
    // Large enough for the decompositions to be split among threads, were they let.
    let distance = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let found = pool
            .install(|| between_features(&made(700, 600, 1), &made(700, 600, 2), &fixture_origin()))
            .expect("comparable");
        (found.value.to_bits(), found.by_eigenvalues.to_bits())
    };
    let one = distance(1);
    assert_eq!([distance(2), distance(5)], [one, one]);
}

#[test]
fn a_covariance_with_negative_eigenvalues_is_the_users_to_mend() {
    let mut statistics = Statistics::of(&features("a"), &fixture_origin()).expect("enough");
    statistics.covariance[(3, 3)] = -1.0;
    let failure = Side::of_statistics(statistics).err().expect("indefinite");
    assert!(failure.kind == elbow_base::Kind::Input && failure.what.contains("eigenvalue"), "{failure}");
}
