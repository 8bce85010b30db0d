//! Arrays of images: types, layouts, names, classes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_images::{ArrayImages, ArrayOptions, ImageSet, Layout};
use tempfile::TempDir;
use zip::CompressionMethod::{self, Deflated, Stored};

/// An npy array of entries in this type.
fn npy(descr: &str, shape: &str, entries: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    [&b"\x93NUMPY\x01\0"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), entries].concat()
}

fn npz(path: &Path, method: CompressionMethod, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).expect("writable"));
    for (name, bytes) in arrays {
        // NumPy writes every array so, whatever its size.
        let options = zip::write::SimpleFileOptions::default().compression_method(method).large_file(true);
        zip.start_file(format!("{name}.npy"), options).expect("writable");
        zip.write_all(bytes).expect("writable");
    }
    zip.finish().expect("writable");
}

/// Two images of 4x5 colours by formula, \[2, 4, 5, 3\].
fn levels() -> Vec<u8> {
    (0..120).map(|i| (i * 83 % 256) as u8).collect()
}

fn f4(numbers: impl Iterator<Item = f32>) -> Vec<u8> {
    numbers.flat_map(f32::to_le_bytes).collect()
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn npz(&self, arrays: &[(&str, Vec<u8>)]) -> PathBuf {
        let path = self.0.path().join("set.npz");
        npz(&path, Stored, arrays);
        path
    }

    fn npy(&self, array: &[u8]) -> PathBuf {
        let path = self.0.path().join("set.npy");
        fs::write(&path, array).expect("writable");
        path
    }
}

fn options(array: Option<&str>, range: Option<&str>, layout: Option<Layout>) -> ArrayOptions {
    let range = range.map(|range| range.parse().expect("a range"));
    ArrayOptions { array: array.map(str::to_owned), range, layout }
}

fn pixels(path: &Path, options: &ArrayOptions) -> Vec<u8> {
    let set = ArrayImages::open(path, options).unwrap_or_else(|e| panic!("{e} {}", e.advice()));
    (0..set.len()).flat_map(|i| set.image(i).expect("readable").pixels).collect()
}

fn fails(path: &Path, options: &ArrayOptions, words: &[&str]) {
    let failure = ArrayImages::open(path, options).err().unwrap_or_else(|| panic!("{words:?}: no error"));
    let said = format!("{failure}\n{}", failure.advice());
    words.iter().for_each(|word| assert!(said.contains(word), "{said:?} does not say {word:?}"));
}

const NONE: ArrayOptions = ArrayOptions { array: None, range: None, layout: None };

#[test]
fn one_array_is_taken_whatever_its_name_and_packing() {
    let files = Files::new();
    let array = || npy("|u1", "2, 4, 5, 3", &levels());
    for name in ["arr_0", "samples", "images", "x", "data"] {
        for method in [Stored, Deflated] {
            let path = files.0.path().join("set.npz");
            npz(&path, method, &[("info", npy("<f8", "3,", &[0; 24])), (name, array())]);
            assert_eq!(pixels(&path, &NONE), levels(), "{name} {method}");
            let reading = ArrayImages::open(&path, &NONE).expect("whole").reading().array.expect("an array");
            assert_eq!((reading.array.as_deref(), reading.layout), (Some(name), Layout::Nhwc));
            assert_eq!(reading.other_arrays, ["info: float64 [3]"]);
        }
    }
    let two = files.npz(&[("a", array()), ("b", npy("|u1", "2, 4, 5, 3", &[7; 120]))]);
    fails(&two, &NONE, &["several arrays", "a: uint8 [2, 4, 5, 3], b: uint8", "--array NAME"]);
    assert_eq!(pixels(&two, &options(Some("b"), None, None)), [7; 120]);
    let none = files.npz(&[("foo", npy("<i8", "2,", &[0; 16])), ("bar", npy("<U2", "1,", &[0; 8]))]);
    fails(&none, &NONE, &["no array of images", "foo: int64 [2], bar: \"<U2\" [1]"]);
    // Each image an array of its own.
    let all = levels();
    let single = |i: usize| npy("|u1", "4, 5, 3", &all[i * 60..][..60]);
    let list = files.npz(&[("arr_0", single(0)), ("arr_1", single(1))]);
    assert_eq!(pixels(&list, &NONE), all);
    let odd = files.npz(&[("arr_0", single(0)), ("arr_1", npy("|u1", "2, 5, 3", &[0; 30]))]);
    fails(&odd, &NONE, &["arr_1", "[2, 5, 3]", "unlike", "[4, 5, 3]"]);
}

#[test]
fn numbers_other_than_bytes_need_their_range() {
    let files = Files::new();
    let unit = |v: u8| f32::from(v) / 255.0;
    for (range, number) in [
        ("0,1", Box::new(unit) as Box<dyn Fn(u8) -> f32>),
        ("-1,1", Box::new(move |v| unit(v) * 2.0 - 1.0)),
        ("0,255", Box::new(f32::from)),
    ] {
        let path = files.npz(&[("x", npy("<f4", "2, 4, 5, 3", &f4(levels().into_iter().map(number))))]);
        assert_eq!(pixels(&path, &options(None, Some(range), None)), levels(), "{range}");
        fails(&path, &NONE, &["array x: float32 from ", "uint8", "--range 0,1 or -1,1 or 0,255"]);
        // Witness: another range gives other levels, or does not hold the numbers.
        let wrong = if range == "0,1" { "-1,1" } else { "0,1" };
        let set = ArrayImages::open(&path, &options(None, Some(wrong), None)).expect("a range");
        assert!(set.image(0).is_err() || pixels(&path, &options(None, Some(wrong), None)) != levels());
    }
    // Half, double and big-endian; integers, which may be levels or classes of levels.
    let halves: Vec<u8> =
        [0.0_f32, 1.0, 0.5, 0.25].iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
    let doubles: Vec<u8> = [0.0_f64, 1.0, 0.5, 0.25].iter().flat_map(|v| v.to_be_bytes()).collect();
    let integers: Vec<u8> = [0_i64, 255, 128, 64].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (descr, entries, range) in [("<f2", halves, "0,1"), (">f8", doubles, "0,1"), ("<i8", integers.clone(), "0,255")]
    {
        let path = files.npy(&npy(descr, "1, 2, 2, 1", &entries));
        assert_eq!(pixels(&path, &options(None, Some(range), None)), [0, 255, 128, 64], "{descr}");
    }
    fails(&files.npy(&npy("<i8", "1, 2, 2, 1", &integers)), &NONE, &["int64 from 0 to 255", "--range"]);
    let outside = files.npy(&npy("<f4", "1, 2, 2, 1", &f4([0.0, 1.5, f32::NAN, 0.5].into_iter())));
    let failure = ArrayImages::open(&outside, &options(None, Some("0,1"), None)).expect("a range").image(0);
    assert!(failure.expect_err("outside").to_string().contains("1.5, outside of the range 0,1"));
    for text in ["1,0", "0", "0,nan", "0,inf", "a,b", "-1e308,1e308", "0,1,2"] {
        assert!(text.parse::<elbow_images::Range>().is_err(), "{text}");
    }
}

#[test]
fn a_layout_is_never_guessed() {
    let files = Files::new();
    let open = |shape: &str, count: usize| files.npy(&npy("|u1", shape, &levels()[..count]));
    for shape in ["4, 5, 3", "4, 5, 1", "3, 4, 5"] {
        let path = open(shape, if shape.contains('1') { 20 } else { 60 });
        fails(&path, &NONE, &["one image", "add a dimension", "--layout nhw"]);
        let count = ArrayImages::open(&path, &options(None, None, Some(Layout::Nhw))).expect("grey").len();
        assert_eq!(count.to_string(), shape[..1]);
    }
    // The same pixels in both meanings.
    assert_eq!(pixels(&open("1, 4, 5", 20), &NONE), levels()[..20]);
    let both = open("2, 3, 5, 3", 90);
    fails(&both, &NONE, &["channels last, or before height and width?", "--layout nhwc or nchw"]);
    assert_eq!(pixels(&both, &options(None, None, Some(Layout::Nhwc))), levels()[..90]);
    let planar = pixels(&both, &options(None, None, Some(Layout::Nchw)));
    assert_eq!(planar[..4], [levels()[0], levels()[15], levels()[30], levels()[1]]);
    let (path, nhw) = (open("2, 4, 5, 3", 120), options(None, None, Some(Layout::Nhw)));
    fails(&path, &nhw, &["not [n, height, width]"]);
    fails(&open("5, 2, 3, 4", 120), &NONE, &["4 channels", "x[..., :3]"]);
    fails(&open("0, 4, 5, 3", 0), &NONE, &["no images"]);
    let fortran = b"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 4, 5, 3), }";
    let bytes = [&b"\x93NUMPY\x01\0"[..], &[fortran.len() as u8, 0], fortran, &levels()].concat();
    fails(&files.npy(&bytes), &NONE, &["Fortran's order", "np.ascontiguousarray(x)"]);
}

#[test]
fn classes_are_numbers_or_one_hot() {
    let files = Files::new();
    let images = || npy("|u1", "2, 4, 5, 3", &levels());
    let one_hot = f4([0.0, 0.0, 1.0, 1.0, 0.0, 0.0].into_iter());
    for (images_name, name, labels) in [
        ("arr_0", "arr_1", npy("<i4", "2,", &[2, 0, 0, 0, 0, 0, 0, 0])),
        ("images", "labels", npy("|u1", "2, 1", &[2, 0])),
        ("x_train", "y_train", npy("<f4", "2,", &f4([2.0, 0.0].into_iter()))),
        ("samples", "classes", npy("<f4", "2, 3", &one_hot)),
    ] {
        let set = ArrayImages::open(&files.npz(&[(images_name, images()), (name, labels)]), &NONE).expect("classes");
        assert_eq!((set.classes(), set.class(0)), (&[2, 0][..], Some("2".to_owned())), "{name}");
        assert_eq!(set.reading().array.and_then(|array| array.classes).as_deref(), Some(name));
    }
    let soft = f4([0.5, 0.5, 0.0, 1.0, 0.0, 0.0].into_iter());
    let soft = files.npz(&[("arr_0", images()), ("arr_1", npy("<f4", "2, 3", &soft))]);
    fails(&soft, &NONE, &["array arr_1: row 0 is not one 1 among zeros"]);
    let few = files.npz(&[("arr_0", images()), ("arr_1", npy("|u1", "1,", &[0]))]);
    fails(&few, &NONE, &["array arr_1: shape [1] where [2] was expected"]);
}

#[test]
fn pickles_are_never_loaded() {
    let files = Files::new();
    fails(
        &files.npy(&npy("|O", "", b"\x80\x04.")),
        &NONE,
        &["a pickle", "np.savez(", "set.arrays.npz\", **np.load(", "set.npy\", allow_pickle=True).item())"],
    );
    let path = files.npz(&[("arr_0", npy("|O", "2,", b"\x80\x04."))]);
    fails(&path, &NONE, &["array arr_0", "a pickle", "allow_pickle=True)[\"arr_0\"])"]);
}

#[test]
fn options_without_effect_are_refused() {
    let files = Files::new();
    let set = |options: &ArrayOptions| {
        let path = files.npz(&[("x", npy("|u1", "2, 4, 5, 3", &levels()))]);
        ArrayImages::open(&path, options).expect("images").reading()
    };
    for (given, word) in [
        (options(Some("z"), None, None), "--array has no effect"),
        (options(None, Some("0,1"), None), "--range has no effect"),
    ] {
        let failure = given.check_used(&[set(&given)]).expect_err("idle").to_string();
        assert!(failure.contains(word), "{failure}");
    }
    let given = options(None, None, Some(Layout::Nhwc));
    assert!(given.check_used(&[set(&given)]).is_ok());
    assert!(given.check_used(&[elbow_images::Reading::default()]).is_err(), "a folder has no layout");
    let given = options(Some("x"), None, None);
    assert!(given.check_used(&[elbow_images::Reading::default(), set(&given)]).is_ok(), "one side is enough");
}
