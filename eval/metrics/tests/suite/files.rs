//! Files of features and of statistics, as other tools write them and as they should not be.

use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_base::Kind;
use elbow_metrics::{
    Contents, FeatureProvenance, Features, GaussianFit, NpzWriter, Statistics, check_extrapolation, kid,
};

use crate::fixture::fixture;

/// An npy file of this type and shape, as NumPy writes them.
fn npy(kind: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("writable"));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("writable");
        zip.write_all(bytes).expect("writable");
    }
    zip.finish().expect("writable");
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        path
    }

    fn arrays(&self, arrays: &[(&str, Vec<u8>)]) -> PathBuf {
        let path = self.0.path().join("arrays.npz");
        npz(&path, arrays);
        path
    }
}

/// The whole message of an error of the user's input.
fn refused<T>(result: elbow_metrics::Result<T>) -> String {
    let error = result.err().expect("refused");
    assert_eq!(error.kind(), Kind::Input, "{error}");
    elbow_base::Error::from(error).to_string()
}

#[test]
fn features_are_read_from_npy_and_npz_in_single_and_double_precision() {
    let place = Place::new();
    let golden = Features::load(&fixture("frechet/a.npy")).expect("bundled");
    let shape = format!("({}, {})", golden.len(), golden.dimension);
    let single: Vec<u8> = golden.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let double = doubles(&golden.values.iter().map(|&v| v.into()).collect::<Vec<_>>());
    let labels = npy("<i8", "(1,)", &[0; 8]);
    let files = [
        place.file("single.NPY", &npy("<f4", &shape, &single)),
        place.file("double.npy", &npy("<f8", &shape, &double)),
    ];
    for path in files {
        assert_eq!(Contents::of(&path).expect("an array"), Contents::Features);
        assert_eq!(Features::load(&path).expect("a matrix").values, golden.values, "{}", path.display());
    }
    for arrays in [
        vec![("arr_0", npy("<f4", &shape, &single))],
        vec![("labels", labels.clone()), ("features", npy("<f4", &shape, &single))],
        vec![("features", npy("<f8", &shape, &double))],
    ] {
        let path = place.arrays(&arrays);
        assert_eq!(Contents::of(&path).expect("arrays"), Contents::Features);
        assert_eq!(Features::load(&path).expect("a matrix").values, golden.values);
    }
}

#[test]
fn images_are_not_taken_for_features_nor_features_for_images() {
    let place = Place::new();
    let of = |kind: &str, shape: &str| Contents::of(&place.file("file.npy", &npy(kind, shape, &[0; 64])));
    assert_eq!(of("<f4", "(4, 4)").expect("a matrix"), Contents::Features);
    for (kind, shape) in [("|u1", "(4, 4, 4)"), ("<f4", "(4, 2, 2)"), ("|u1", "(4, 4, 4, 1)"), ("<f4", "(16,)")] {
        assert_eq!(of(kind, shape).expect("for the readers of images"), Contents::Images, "{kind} {shape}");
    }
    for kind in ["|u1", "<i8", "|b1"] {
        let message = refused(of(kind, "(4, 4)"));
        for word in ["file.npy", "[4, 4]", "features in floating point", "[n, height, width, channels]"] {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
    // Downsampled ImageNet has a row of pixels per image.
    let rows = npy("|u1", "(1, 12)", &[0; 12]);
    assert_eq!(Contents::of(&place.arrays(&[("data", rows)])).expect("images"), Contents::Images);
    let statistics = [("mu", npy("<f8", "(1,)", &[0; 8])), ("sigma", npy("<f8", "(1, 1)", &[0; 8]))];
    assert_eq!(Contents::of(&place.arrays(&statistics)).expect("both"), Contents::Statistics { images: false });
    let message = refused(Contents::of(&place.arrays(&[("features", npy("<f4", "(2, 2, 1)", &[0; 16]))])));
    assert!(message.contains("[2, 2, 1]") && message.contains("[n, d]"), "{message}");
}

#[test]
fn features_that_are_not_finite_or_none_are_refused() {
    let place = Place::new();
    let load =
        |kind: &str, shape: &str, bytes: &[u8]| Features::load(&place.file("file.npy", &npy(kind, shape, bytes)));
    let message = refused(load("<f8", "(2, 2)", &doubles(&[0.0, 1.0, f64::NAN, 2.0])));
    assert!(message.contains("file.npy: feature 0 of image 1 is NaN"), "{message}");
    // Finite in double precision, and not in the single precision of features.
    assert!(refused(load("<f8", "(1, 2)", &doubles(&[0.0, 1e300]))).contains("feature 1 of image 0 is inf"));
    assert!(refused(load("<f4", "(0, 4)", &[])).contains("[0, 4]"));
    assert!(refused(load("<f4", "(4,)", &[0; 16])).contains("[n, d]"));
}

#[test]
fn pickles_are_never_loaded_and_their_conversion_is_told() {
    let place = Place::new();
    let pickle = npy("|O", "()", b"\x80\x04}.");
    let paths =
        [place.file("st.npy", &pickle), place.file("st.pkl", b"\x80\x04}."), place.arrays(&[("arr_0", pickle)])];
    for path in paths {
        let message = refused(Contents::of(&path));
        for word in ["never loaded", "python3 -c", "np.savez", &path.display().to_string()] {
            assert!(message.contains(word), "{word}: {message}");
        }
        assert_eq!(message.lines().count(), 2, "{message}");
    }
}

#[test]
fn statistics_of_other_tools_are_read() {
    let place = Place::new();
    let (mu, sigma) =
        (npy("<f8", "(2,)", &doubles(&[1.0, 2.0])), npy("<f8", "(2, 2)", &doubles(&[2.0, 0.5, 0.5, 1.0])));
    let with = |names: [&'static str; 2], more: Option<Vec<u8>>| {
        let mut arrays = vec![(names[0], mu.clone()), (names[1], sigma.clone())];
        arrays.extend(more.map(|n| ("n", n)));
        Statistics::load(&place.arrays(&arrays)).expect("statistics")
    };
    let read = with(["mu", "sigma"], None);
    assert_eq!((&read.mean[..], read.covariance[(0, 1)], read.n), (&[1.0, 2.0][..], 0.5, None));
    assert_eq!(with(["m", "s"], None).mean, read.mean);
    // NumPy writes n=50000 as an integer without axes, or as whatever it was.
    for n in [
        npy("<i8", "()", &50000_i64.to_le_bytes()),
        npy("<i4", "(1,)", &50000_i32.to_le_bytes()),
        npy("<f8", "()", &doubles(&[5e4])),
    ] {
        assert_eq!(with(["mu", "sigma"], Some(n)).n, Some(50000));
    }
}

#[test]
fn statistics_that_are_none_are_refused() {
    let place = Place::new();
    let load = |mu: &[f64], sigma: &[f64], shape: &str, n: &[u8]| {
        let mean = npy("<f8", &format!("({},)", mu.len()), &doubles(mu));
        let arrays = [("mu", mean), ("sigma", npy("<f8", shape, &doubles(sigma))), ("n", n.to_vec())];
        Statistics::load(&place.arrays(&arrays))
    };
    let [ten, none, half] = [10.0, -3.0, 2.5].map(|n| npy("<f8", "()", &doubles(&[n])));
    let unit = [1.0, 0.0, 0.0, 1.0];
    let zero = [0.0; 2];
    for (result, word) in [
        (load(&zero, &[1.0, 0.9, 0.0, 1.0], "(2, 2)", &ten), "not symmetric"),
        (load(&zero, &[f64::INFINITY, 0.0, 0.0, 1.0], "(2, 2)", &ten), "not finite"),
        (load(&[f64::NAN, 0.0], &unit, "(2, 2)", &ten), "not finite"),
        (load(&[0.0; 3], &unit, "(2, 2)", &ten), "mu has 3 entries"),
        (load(&zero, &unit, "(4,)", &ten), "square matrix"),
        (load(&zero, &unit, "(2, 2)", &none), "n is -3"),
        (load(&zero, &unit, "(2, 2)", &half), "n is 2.5"),
        (load(&[], &[], "(0, 0)", &ten), "mu is empty"),
    ] {
        let message = refused(result);
        assert!(message.contains(word) && message.contains("arrays.npz"), "{word}: {message}");
    }
}

/// Distances of absurd sizes overflow, or vanish, in the middle of their computation.
#[test]
fn statistics_of_absurd_sizes_have_no_distance() {
    let fit = |mean: f64, variance: f64| {
        let covariance = faer::Mat::from_fn(2, 2, |i, j| if i == j { variance } else { 0.0 });
        GaussianFit::of_statistics(Statistics { mean: vec![mean; 2], covariance, n: None, provenance: None })
    };
    for (mean, variance) in
        [(1e200, 1.0), (0.0, 1e300), (0.0, 1e-200), (f64::NAN, 1.0), (0.0, f64::NAN), (f64::INFINITY, 1.0)]
    {
        assert!(refused(fit(mean, variance)).contains("size"), "{mean}, {variance}");
    }
    // The borders of what is accepted: d^2 = 2 (v + w - 2 sqrt(v w)) for equal means; a constant image has no variance.
    for (v, w) in [(1e100, 1e-100), (1e100, 4e99), (1e-100, 4e-100), (0.0, 1e100), (0.0, 0.0)] {
        let [a, b] = [v, w].map(|variance| fit(0.0, variance).expect("accepted"));
        let (value, exact) = (a.distance(&b).expect("finite").value, 2.0 * (v + w - 2.0 * v.sqrt() * w.sqrt()));
        assert!((value - exact).abs() <= 1e-15 * (v + w), "{v:e}, {w:e}: {value:e} against {exact:e}");
    }
    // Witness: the squares that the borders keep finite are not finite beyond them.
    assert!((1e200_f64.powi(2)).is_infinite() && (1e-100_f64 * 1e-100 * 1e-200) == 0.0);
}

#[test]
fn kid_that_overflows_is_no_number() {
    let features = |size: f32| Features { dimension: 2, values: (0..8).map(|i| size * (i % 3) as f32).collect() };
    let message = refused(kid(&features(1e38), &features(1e37), &elbow_base::Silent));
    assert!(message.contains("KID is not finite"), "{message}");
    assert!(kid(&features(1e20), &features(1e19), &elbow_base::Silent).expect("finite").value.is_finite());
    let three = refused(kid(&Features { dimension: 2, values: vec![0.0; 4] }, &features(1.0), &elbow_base::Silent));
    assert!(three.contains("three images or more on each side, not 2 and 4"), "{three}");
}

#[test]
fn extrapolation_says_how_many_images_it_needs() {
    let message = refused(check_extrapolation(200, 64, [4, 10]));
    for word in ["200 images", "without the 20", "4 blocks have 45 images each", "64 dimensions", "288 images or more"]
    {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(check_extrapolation(288, 64, [4, 10]).is_ok() && check_extrapolation(287, 64, [4, 10]).is_err());
    assert!(refused(check_extrapolation(1000, 64, [4, 1])).contains("blocks"));
}

/// Features that were given belong to no network.
#[test]
fn a_file_of_statistics_keeps_unknown_networks_unknown() {
    let place = Place::new();
    let path = place.0.path().join("own.npz");
    let features = Features::load(&fixture("frechet/a.npy")).expect("bundled");
    let statistics = Statistics::of(&features, &FeatureProvenance::given()).expect("enough");
    Statistics { provenance: None, ..statistics }.save(&path).expect("writable");
    assert_eq!(Statistics::load(&path).expect("whole").provenance, None);
    let mut writer = NpzWriter::create(&path).expect("writable");
    writer.array("mu", &[1], &[1.0_f64]).expect("writable");
    writer.finish().expect("writable");
    assert_eq!(Contents::of(&path).expect("one vector"), Contents::Images, "a mean without a covariance");
}
