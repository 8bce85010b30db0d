//! Mean and covariance: merging, comparability, and npz files of this and of other tools.

use std::io::Write;

use elbow_metrics::{Distance, Error, FeatureProvenance, Features, GaussianFit, Statistics};
use npyz::WriterBuilder;

use crate::fixture::fixture;
use crate::frechet::{features, fixture_provenance};

fn between_statistics(a: &Statistics, b: &Statistics) -> Result<Distance, Error> {
    GaussianFit::of_statistics(a.clone())?.distance(&GaussianFit::of_statistics(b.clone())?)
}

fn whole() -> Statistics {
    Statistics::of(&features("a"), &fixture_provenance()).expect("enough")
}

#[test]
fn merge_of_two_parts_is_the_whole() {
    let a = features("a");
    let whole = Statistics::of(&a, &fixture_provenance()).expect("enough");
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..a.len()).partition(|i| i % 3 == 0);
    let part = |indices: &[usize]| Statistics::of(&a.select(indices), &fixture_provenance()).expect("enough");
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
fn load_reads_files_of_other_tools() {
    let whole = whole();
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
}

#[test]
fn load_reads_what_save_wrote() {
    let (folder, whole) = (tempfile::tempdir().expect("a folder"), whole());
    let path = folder.path().join("own.npz");
    whole.save(&path).expect("writable");
    let back = Statistics::load(&path).expect("readable");
    assert_eq!((back.n, &back.provenance, &back.mean), (Some(200), &Some(fixture_provenance()), &whole.mean));
}

#[test]
fn distance_refuses_another_network_or_convention() {
    let whole = whole();
    let from = |metric: &str, network: &str, convention: &str| {
        let [metric, network, convention] = [metric, network, convention].map(str::to_owned);
        Statistics { provenance: Some(FeatureProvenance { metric, network, convention }), ..whole.clone() }
    };
    let own = from("fd.model.clean", "12ab", "clean");
    // A renamed copy is the same network; another file of the same name, and another convention, are not.
    assert!(between_statistics(&own, &from("fd.copy.clean", "12ab", "clean")).is_ok());
    for other in
        [from("fd.model.clean", "34cd", "clean"), from("fd.model.clean", "12ab", "tf"), from("fixture", "", "")]
    {
        let failure = between_statistics(&own, &other).expect_err("other features");
        assert!(matches!(failure, Error::ProvenanceMismatch(_)), "{failure:?}");
        assert!(failure.to_string().contains("fd.model.clean"), "{failure}");
    }
    // Features of unknown provenance are compared; the command line warns of them.
    assert!(between_statistics(&own, &Statistics { provenance: None, ..whole.clone() }).is_ok());
}

/// sigma of shape (1, 16, 16), as some tools write it.
#[test]
fn load_drops_axes_of_length_one() {
    let (folder, whole) = (tempfile::tempdir().expect("a folder"), whole());
    let path = folder.path().join("squeezed.npz");
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
fn load_and_of_refuse_damaged_statistics() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.npz");
    let whole = Statistics::of(&features("a"), &fixture_provenance()).expect("enough");
    let mut skewed = whole.clone();
    skewed.covariance[(0, 1)] += 1.0;
    skewed.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("not symmetric").to_string().contains("symmetric"));
    let mut endless = whole;
    endless.mean[0] = f64::NAN;
    endless.save(&path).expect("writable");
    assert!(Statistics::load(&path).expect_err("NaN").to_string().contains("finite"));
    std::fs::write(&path, "no zip").expect("writable");
    assert_eq!(Statistics::load(&path).expect_err("not a zip").kind(), elbow_base::Kind::Input);
    let one = Features { dimension: 2, values: vec![1.0, 2.0] };
    assert!(Statistics::of(&one, &fixture_provenance()).expect_err("one image").advice().contains("two images"));
}
