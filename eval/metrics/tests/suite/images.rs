//! Sets of images: what is read, what is converted, what is refused, and the cache of their features.

use std::error::Error as _;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use elbow_base::Silent;
use elbow_impls::data::Split;
use elbow_metrics::{
    BadImagePolicy, Convention, Error, FeatureCache, FeatureNetwork, Features, Folder, ImageError, ImageScan, ImageSet,
    Images, Runtime, entropy,
};

use crate::fixture::fixture;
use crate::{bundled, bundled_digits, classifier, json, largest, numbers};

fn place(folder: &Folder, name: &str) -> usize {
    (0..folder.len()).find(|&i| folder.name(i) == name).unwrap_or_else(|| panic!("{name} is listed"))
}

#[test]
fn folder_reads_images_as_pillow_does() {
    let golden = json("photos/golden.json");
    let folder = Folder::open(&fixture("photos")).expect("a folder");
    for (name, row) in golden["odd"].as_object().expect("files") {
        let image = folder.image(place(&folder, name));
        if !row["error"].is_null() {
            assert!(image.is_err(), "{name} cannot be read");
            continue;
        }
        let image = image.unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected: Vec<f64> = row["pixels"].as_array().expect("rows").iter().flat_map(numbers).collect();
        let ours: Vec<f64> = match image.channels {
            1 => image.pixels.iter().flat_map(|&v| [f64::from(v); 3]).collect(),
            _ => image.pixels.iter().map(|&v| f64::from(v)).collect(),
        };
        assert_eq!(ours.len(), expected.len(), "{name}");
        let worst = largest(ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()));
        println!("{name}: {worst} {:?}", image.converted);
        match name.as_str() {
            // Pillow clips 16 bits to 8, which makes nearly everything white; here they are rounded.
            "odd/grey16.png" => {
                let path = fixture("photos/odd/grey16.png");
                let deep = image::open(path).expect("whole").into_luma16().into_raw();
                let rounded: Vec<u8> = deep.iter().map(|&v| (f64::from(v) / 257.0).round() as u8).collect();
                assert!(image.pixels == rounded && worst > 100.0, "{worst}");
                assert_eq!(image.converted, ["more than 8 bits rounded to 8"]);
            }
            "odd/rgba.png" => assert!(worst == 0.0 && image.converted == ["transparency dropped"]),
            "odd/cmyk.jpg" => assert!(worst <= 2.0, "{name}: {worst}"),
            _ => assert!(worst == 0.0 && image.converted.is_empty(), "{name}: {worst}"),
        }
    }
    for (name, row) in golden["photos"].as_object().expect("photos") {
        let image = folder.image(place(&folder, name)).expect("whole");
        assert_eq!(elbow_impls::hash::sha256(&image.pixels), row["rgb_sha256"].as_str().expect("a hash"), "{name}");
    }
    // JPEG decoders round differently: measured 2 levels without subsampled colour, 3 with it.
    for (name, tolerance) in [("flower-small-444", 4.0), ("flower-small", 6.0)] {
        let image = folder.image(place(&folder, &format!("jpeg/{name}.jpg"))).expect("whole");
        let npy = fs::read(fixture(&format!("photos/jpeg/{name}.npy"))).expect("bundled");
        let expected: Vec<u8> = npyz::NpyFile::new(&npy[..]).expect("npy").into_vec().expect("bytes");
        let apart = image.pixels.iter().zip(&expected).map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
        let (worst, mean) = (largest(apart.clone()), apart.sum::<f64>() / expected.len() as f64);
        println!("{name}: {worst}, mean {mean}");
        assert!(worst <= tolerance && mean < 1.0, "{name}: {worst}, mean {mean}");
        assert_eq!(image.converted, ["decoded from JPEG, which is lossy"]);
    }
}

#[test]
fn scan_names_unreadable_images_or_skips_them() {
    let folder = Folder::open(&fixture("photos/odd")).expect("a folder");
    // Hidden, capitals, by content: UPPER.PNG is listed.
    assert!((0..folder.len()).any(|i| folder.name(i) == "UPPER.PNG"));
    let failure = ImageScan::take(&folder, BadImagePolicy::Error, &Silent).err().expect("two bad files");
    let Error::UnreadableImages { total: 8, images, .. } = &failure else { panic!("{failure:?}") };
    assert_eq!(images.len(), 2);
    for word in ["2 of 8 images", "truncated.png", "fake.png"] {
        assert!(failure.to_string().contains(word), "{word}: {failure}");
    }
    // The command line's error keeps what, where, what to do, and the cause.
    let (what, advice) = (failure.to_string(), failure.advice());
    let shown = elbow_base::Error::from(failure);
    assert_eq!((shown.kind, &shown.what, &shown.advice), (elbow_base::Kind::Input, &what, &advice));
    assert!(advice.contains("leave them out") && shown.source().is_some_and(|cause| cause.is::<Error>()));
    let scan = ImageScan::take(&folder, BadImagePolicy::Skip, &Silent).expect("six good files");
    let summary = &scan.summary;
    assert_eq!((summary.n, summary.skipped.len(), scan.kept.len()), (6, 2, 6));
    assert_eq!(summary.converted["transparency dropped"], 1);
    assert_eq!(summary.sizes.values().sum::<usize>(), 6);
    let empty = tempfile::tempdir().expect("a folder");
    fs::write(empty.path().join("notes.txt"), "none").expect("writable");
    let failure = Folder::open(empty.path()).err().expect("no images");
    assert!(matches!(failure, ImageError::NoImageFiles(_, 1)), "{failure:?}");
    assert!(failure.to_string().contains("no images among 1 file"), "{failure}");
}

fn save(folder: &Path, name: &str, pixels: &[u8]) {
    fs::create_dir_all(folder.join(name).parent().expect("a folder")).expect("writable");
    image::GrayImage::from_raw(8, 8, pixels.to_vec()).expect("8x8").save(folder.join(name)).expect("writable");
}

#[test]
fn scan_of_a_folder_is_that_of_the_same_images_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = bundled_digits(Split::Test).select(&[0, 1, 2, 1]);
    let names = ["a/0.PNG", "a/1.png", "b/c/2.png", "b/c/3.Png"];
    names.iter().enumerate().for_each(|(i, name)| save(&folder.path().join("set"), name, images.pixels(i)));
    save(&folder.path().join("set"), ".hidden/9.png", images.pixels(0));
    let files = Folder::open(&folder.path().join("set")).expect("images");
    assert_eq!((0..4).map(|i| files.class(i)).collect::<Vec<_>>(), ["a", "a", "b", "b"].map(|c| Some(c.to_owned())));
    let ours = scan_all(&files);
    let theirs = scan_all(&images);
    assert_eq!(ours.summary.sha256, theirs.summary.sha256);
    assert_eq!((ours.summary.duplicates, ours.shared_with(&theirs)), (1, 4));
    assert!(ours.is_all([8, 8, 1]));
    // Entropy: four images of which three differ.
    let found = entropy(&ours, None);
    assert_eq!((found.distinct, found.class_bits), (0.75, None));
    assert!(found.pooled_bits > found.image_bits.value, "images together have more levels than one");
    // Parts of the set, in order.
    let parts = [0..1, 1..2, 2..4].map(|places| {
        let part = ImageScan::take_part(&files, places, BadImagePolicy::Error, &Silent).expect("whole");
        (part.summary.clone(), part.hashes().to_vec())
    });
    let joined = elbow_metrics::ScanSummary::joined(&files, parts.into());
    let whole = ImageScan::take(&files, BadImagePolicy::Error, &Silent).expect("whole").summary;
    assert_eq!(serde_json::json!(joined), serde_json::json!(whole));
}

#[test]
fn cache_never_returns_features_of_other_inputs() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = FeatureCache::new(Some(folder.path().to_owned()));
    let path = fixture("digits-classifier/digits-classifier.onnx");
    let network = classifier();
    let images = bundled_digits(Split::Test).select(&(0..40).collect::<Vec<_>>());
    let files = || {
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        names.sort();
        names
    };
    let features = |network: &FeatureNetwork, images: &Images| {
        let scan = scan_all(images);
        cache.features(network, &scan, &Silent).expect("runs").features.values
    };
    let fresh = network.features(&images, &Silent).expect("runs").values;
    assert_eq!(features(&network, &images), fresh);
    assert_eq!(files().len(), 1);
    // The stored features are what comes back: changed by hand under the right key, they show.
    let stored = files()[0].clone();
    let whole = fs::read(&stored).expect("readable");
    // NaN in a whole file is an error that names it.
    change_last_feature(&stored, f32::NAN);
    let scan = scan_all(&images);
    let failure = cache.features(&network, &scan, &Silent).expect_err("NaN");
    assert!(matches!(&failure, Error::NonFiniteCache(file) if *file == stored), "{failure}");
    fs::write(&stored, &whole).expect("writable");
    change_last_feature(&stored, -1.0);
    let changed = features(&network, &images);
    assert_eq!((&changed[..changed.len() - 1], changed.last()), (&fresh[..fresh.len() - 1], Some(&-1.0)));
    // One flipped bit is seen by the archive's checksums: computed again.
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&stored, flipped).expect("writable");
    let lines = Lines::default();
    assert_eq!(cache.features(&network, &scan, &lines).expect("runs").features.values, fresh);
    assert!(lines.0.into_inner().expect("told").contains("is damaged: its features are computed again"));
    // A damaged file is computed again.
    fs::write(&stored, &whole[..whole.len() / 2]).expect("writable");
    assert_eq!(features(&network, &images), fresh);
    assert_eq!(fs::read(&stored).expect("readable"), whole);
    // One level of one pixel, the order, the convention, one weight: none finds the old file.
    let mut pixels: Vec<u8> = (0..40).flat_map(|i| images.pixels(i).to_vec()).collect();
    pixels[777] ^= 1;
    let changed = Images::new(pixels, [8, 8, 1]);
    assert_ne!(features(&network, &changed), fresh);
    assert_eq!(files().len(), 2);
    let mut order: Vec<usize> = (0..40).collect();
    order.swap(0, 1);
    assert_ne!(features(&network, &images.select(&order)), fresh);
    assert_ne!(features(&network.with_convention(Convention::Signed), &images), fresh);
    assert_eq!(files().len(), 4);
    let mut bytes = fs::read(&path).expect("bundled");
    let last = bytes.len() / 2;
    bytes[last] ^= 1;
    if let Ok(other) = FeatureNetwork::from_bytes("other".into(), bytes, Convention::Unit, Runtime::Embedded) {
        features(&other, &images);
    }
    assert_eq!(files().len(), 5, "another network file has another place");
    // A file in the right place that says it is of something else is not believed.
    let [a, b] = [&files()[0], &files()[1]].map(|path| fs::read(path).expect("readable"));
    fs::write(&files()[0], &b).expect("writable");
    fs::write(&files()[1], &a).expect("writable");
    assert_eq!(features(&network, &images), fresh);
    assert_ne!(features(&network, &changed), fresh);
}

/// The lines that are said.
#[derive(Default)]
struct Lines(std::sync::Mutex<String>);

impl elbow_base::Progress for Lines {
    fn say(&self, line: &str) {
        self.0.lock().expect("one thread").push_str(line);
    }
}

/// Writes a number in the place of the last feature of a shard, checksums and all.
fn change_last_feature(path: &Path, number: f32) {
    let mut old = zip::ZipArchive::new(fs::File::open(path).expect("readable")).expect("an archive");
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut entry = old.by_index(i).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("readable");
        if entry.name() == "features.npy" {
            let last = bytes.len() - 4;
            bytes[last..].copy_from_slice(&number.to_le_bytes());
        }
        new.start_file(entry.name(), zip::write::SimpleFileOptions::default()).expect("memory");
        new.write_all(&bytes).expect("memory");
    }
    fs::write(path, new.finish().expect("memory").into_inner()).expect("writable");
}

#[test]
fn cache_key_includes_the_resizing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = FeatureCache::new(Some(folder.path().to_owned()));
    let photos = Folder::open(&fixture("photos/jpeg")).expect("a folder");
    let scan = scan_all(&photos);
    let network = bundled("lite0/lite0.onnx", Convention::Tf);
    let features = |convention| {
        let network = network.with_convention(convention);
        cache.features(&network, &scan, &Silent).expect("runs").features.values
    };
    let [tf, clean] = [Convention::Tf, Convention::Clean].map(features);
    assert_ne!(tf, clean);
    assert_eq!([features(Convention::Tf), features(Convention::Clean)], [tf, clean]);
}

fn scan_all(set: &dyn ImageSet) -> ImageScan<'_> {
    ImageScan::take(set, BadImagePolicy::Error, &Silent).expect("whole")
}

#[test]
fn scan_refuses_an_image_that_changed_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = bundled_digits(Split::Test);
    save(folder.path(), "0.png", images.pixels(0));
    save(folder.path(), "1.png", images.pixels(1));
    let files = Folder::open(folder.path()).expect("images");
    let scan = scan_all(&files);
    save(folder.path(), "1.png", images.pixels(2));
    let failure = FeatureCache::new(None).features(&classifier(), &scan, &Silent).expect_err("changed").to_string();
    assert!(failure.contains("1.png") && failure.contains("changed"), "{failure}");
}

#[test]
fn check_sizes_refuses_mixed_sizes_that_nothing_resizes() {
    let folder = tempfile::tempdir().expect("a folder");
    save(folder.path(), "0.png", bundled_digits(Split::Test).pixels(0));
    image::GrayImage::new(9, 8).save(folder.path().join("2.png")).expect("writable");
    let files = Folder::open(folder.path()).expect("images");
    let network = classifier();
    let failure = FeatureCache::new(None).features(&network, &scan_all(&files), &Silent).expect_err("two sizes");
    assert!(failure.to_string().contains("images of 2 sizes: 8x8, 8x9"), "{failure}");
    // Two sets of one size each have two sizes together.
    let [small, large] = [[8, 8, 1], [8, 9, 1]].map(|[h, w, c]| Images::new(vec![0; h * w * c], [h, w, c]));
    let (small, large) = (scan_all(&small), scan_all(&large));
    assert!(network.check_sizes(&[&small, &small]).is_ok() && network.check_sizes(&[&small, &large]).is_err());
}

/// An image without pixels, and a broken link, are unreadable images.
#[test]
fn scan_counts_empty_images_and_broken_links_as_unreadable() {
    let folder = tempfile::tempdir().expect("a folder");
    (0..3).for_each(|i| save(folder.path(), &format!("{i}.png"), bundled_digits(Split::Test).pixels(i)));
    fs::write(folder.path().join("3.pgm"), "P5 0 0 255\n").expect("writable");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", folder.path().join("4.png")).expect("writable");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", folder.path().join(".#notes")).expect("writable");
    let files = Folder::open(folder.path()).expect("images");
    let failure = ImageScan::take(&files, BadImagePolicy::Error, &Silent).err().expect("bad images");
    let failure = failure.to_string();
    assert!(failure.contains("3.pgm") && !failure.contains("notes"), "{failure}");
    #[cfg(unix)]
    assert!(failure.contains("4.png") && failure.contains("2 of 5 images"), "{failure}");
}

#[test]
fn entropy_is_exact() {
    // Levels 0, 0, 1, 1: one bit; 0, 1, 2, 3: two. Together 3/8, 3/8, 1/8, 1/8.
    let images = Images::new(vec![0, 0, 1, 1, 0, 1, 2, 3], [2, 2, 1]);
    let scan = scan_all(&images);
    // Class probabilities 1/2, 1/2 and 1, 0: in the mean 3/4, 1/4.
    let logits = Features { dimension: 2, values: vec![0.0, 0.0, 0.0, -1e4] };
    let found = entropy(&scan, Some(&logits));
    let pooled = 0.75 * (8.0_f64 / 3.0).log2() + 0.25 * 3.0;
    let class = 0.75 * (4.0_f64 / 3.0).log2() + 0.25 * 2.0;
    for (name, value, exact) in [
        ("pooled", found.pooled_bits, pooled),
        ("image", found.image_bits.value, 1.5),
        ("error", found.image_bits.standard_error, 0.5),
        ("class", found.class_bits.expect("logits"), class),
        ("distinct", found.distinct, 1.0),
    ] {
        assert!((value - exact).abs() < 1e-15, "{name}: {value} against {exact}");
    }
    // Witness: nats.
    assert!((found.pooled_bits * std::f64::consts::LN_2 - pooled).abs() > 0.1);
}

#[test]
fn cache_resumes_an_interrupted_extraction() {
    let folder = tempfile::tempdir().expect("a folder");
    let network = classifier();
    let images = bundled_digits(Split::Train);
    let scan = scan_all(&images);
    let cache = FeatureCache::new(Some(folder.path().to_owned()));
    let whole = cache.features(&network, &scan, &Silent).expect("runs").features.values;
    let mut shards: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    assert_eq!(shards.len(), 2, "1498 images, 1024 a shard");
    // The first shard was finished, the second was not: only it is made again.
    shards.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).expect("a file").len()));
    let first = fs::metadata(&shards[0]).and_then(|m| m.modified()).expect("a time");
    fs::remove_file(&shards[1]).expect("removable");
    assert_eq!(cache.features(&network, &scan, &Silent).expect("runs").features.values, whole);
    assert!(shards[1].is_file());
    assert_eq!(fs::metadata(&shards[0]).and_then(|m| m.modified()).expect("a time"), first);
}

#[test]
fn scan_summary_serialises() {
    let images = bundled_digits(Split::Test).select(&[3, 3]);
    let summary = serde_json::to_value(&scan_all(&images).summary).expect("JSON");
    assert_eq!((&summary["n"], &summary["duplicates"], &summary["sizes"]["8x8x1"]), (&2.into(), &1.into(), &2.into()));
}
