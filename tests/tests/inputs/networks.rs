//! Feature networks: which layer, of which precision, and files that are damaged.

use std::fs;
use std::path::{Path, PathBuf};

use elbow_metrics::Images;
use elbow_tests::onnx::{FLOAT, constant, int, ints, model, node, tensor, value};
use elbow_tests::{Call, elbow};
use serde_json::Value;

/// Numbers of ONNX's types.
const UINT8: u64 = 2;
const INT64: u64 = 7;
const STRING: u64 = 8;
const HALF: u64 = 10;
const DOUBLE: u64 = 11;
const BFLOAT16: u64 = 16;

/// Two sets of grey images of 8x8 pixels, and networks beside them.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, factor) in [("a.npz", 37), ("b.npz", 101)] {
            let levels = (0..12 * 64).map(|i: usize| (i * i * factor + i * 11) as u8).collect();
            Images::new(levels, [8, 8, 1]).save_npz(&folder.path().join(name)).expect("writable");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `elbow fid calc` of the two sets by this network, with more options.
    fn calc(&self, network: &[u8], options: &[&str]) -> Call {
        fs::write(self.path("net.onnx"), network).expect("writable");
        let text = |path: &Path| path.display().to_string();
        let [a, b, out, file] = ["a.npz", "b.npz", "out", "net.onnx"].map(|name| text(&self.path(name)));
        let fixed = ["--convention", "unit", "--metrics", "fd", "--ort-lib", "none", "--json", "--out", &out];
        let arguments = [&["fid", "calc", &a, &b, "--network", &file], &fixed[..], options].concat();
        elbow(super::ELBOW, &arguments)
    }

    /// Its metric and its value.
    fn distance(&self, network: &[u8], options: &[&str]) -> (String, f64) {
        let result: Value = self.calc(network, options).json();
        (result["metric"].as_str().expect("a name").to_owned(), result["value"].as_f64().expect("a number"))
    }

    /// What a refused network is told.
    fn refusal(&self, network: &[u8], options: &[&str]) -> String {
        let call = self.calc(network, options);
        assert_eq!(call.code, 2, "{}{}", call.stdout, call.stderr);
        assert!(!call.stderr.contains("panicked") && call.stderr.len() < 600, "{}", call.stderr);
        call.stderr
    }
}

fn image(kind: u64) -> Vec<u8> {
    value("x", kind, &["N", "1", "8", "8"])
}

/// Means of the quarters of an image, \[N, 1, 2, 2\].
fn quarters() -> Vec<u8> {
    node("AveragePool", &["x"], &["quarters"], &[ints("kernel_shape", &[4, 4]), ints("strides", &[4, 4])])
}

fn flat(from: &str, to: &str) -> Vec<u8> {
    node("Flatten", &[from], &[to], &[int("axis", 1)])
}

/// The largest level of an image, \[N, 1\].
fn largest(to: &str) -> [Vec<u8>; 2] {
    [node("GlobalMaxPool", &["x"], &["most"], &[]), flat("most", to)]
}

/// A network whose outputs are the largest level and the quarters, under these names.
fn two(first: &str, second: &str) -> Vec<u8> {
    let nodes = [&largest(first)[..], &[quarters(), flat("quarters", second)]].concat();
    let outputs = [value(first, FLOAT, &["N", "1"]), value(second, FLOAT, &["N", "4"])];
    model(&nodes, &[], &[image(FLOAT)], &outputs)
}

/// A network with one output, the largest level.
fn one(name: &str) -> Vec<u8> {
    model(&largest(name), &[], &[image(FLOAT)], &[value(name, FLOAT, &["N", "1"])])
}

#[test]
fn the_layer_of_the_features_is_chosen_by_its_name() {
    let bench = Bench::new();
    let only = model(&[quarters(), flat("quarters", "y")], &[], &[image(FLOAT)], &[value("y", FLOAT, &["N", "4"])]);
    let (metric, right) = bench.distance(&only, &[]);
    assert_eq!(metric, "fd.net.unit");
    for name in ["features", "pooler_output", "image_embeds"] {
        assert_eq!(bench.distance(&two("logits", name), &[]), ("fd.net.unit".to_owned(), right), "{name}");
    }
    assert_eq!(bench.distance(&two("a", "b"), &["--features", "b"]), ("fd.net.b.unit".to_owned(), right));
    let (metric, witness) = bench.distance(&two("logits", "features"), &["--features", "logits"]);
    assert_eq!(metric, "fd.net.logits.unit");
    assert!((witness / right - 1.0).abs() > 0.1, "the first output is another number: {witness} and {right}");
}

#[test]
fn a_layer_that_no_name_tells_is_asked_for() {
    let bench = Bench::new();
    for network in [two("a", "b"), two("logits", "b")] {
        let text = bench.refusal(&network, &[]);
        assert!(
            text.contains("it has 2 outputs") && text.contains("b [N, 4]") && text.contains("--features NAME"),
            "{text}"
        );
    }
    let text = bench.refusal(&one("logits"), &[]);
    assert!(text.contains("logits [N, 1], holds scores of classes") && text.contains("--features NAME"), "{text}");
    assert_eq!(bench.distance(&one("logits"), &["--features", "logits"]).0, "fd.net.logits.unit");
    assert!(bench.refusal(&two("a", "b"), &["--features", "c"]).contains("no output \"c\" among a [N, 1], b [N, 4]"));
}

#[test]
fn maps_and_tokens_are_pooled_only_when_it_is_said() {
    let bench = Bench::new();
    let map = model(&[quarters()], &[], &[image(FLOAT)], &[value("quarters", FLOAT, &["N", "1", "2", "2"])]);
    let text = bench.refusal(&map, &[]);
    assert!(text.contains("[1, 1, 2, 2]") && text.contains("--pool mean"), "{text}");
    let mean =
        model(&[node("GlobalAveragePool", &["x"], &["y"], &[])], &[], &[image(FLOAT)], &[value("y", FLOAT, &[])]);
    let ((metric, pooled), (_, right)) = (bench.distance(&map, &["--pool", "mean"]), bench.distance(&mean, &[]));
    assert_eq!(metric, "fd.net.mean.unit");
    assert!((pooled / right - 1.0).abs() < 1e-5, "{pooled} and {right}");
    assert!(bench.refusal(&map, &["--pool", "cls"]).contains("which cls does not take"));
    assert!(bench.refusal(&mean, &["--pool", "mean"]).contains("a vector already"));

    // The rows of an image are its tokens, the first column of each its class. Features that are kept under one pooling
    // are not found again under another.
    let rows = [node("Reshape", &["x", "s"], &["y"], &[])];
    let shape = tensor("s", INT64, &[3], &[1_i64, 8, 8].map(i64::to_le_bytes).concat());
    let tokens = model(&rows, &[shape], &[image(FLOAT)], &[value("y", FLOAT, &["N", "8", "8"])]);
    assert!(bench.refusal(&tokens, &[]).contains("[1, 8, 8]"));
    let kept = ["mean", "cls", "mean", "cls"].map(|pool| bench.distance(&tokens, &["--pool", pool]).1);
    let fresh = ["mean", "cls"].map(|pool| bench.distance(&tokens, &["--pool", pool, "--no-cache"]).1);
    assert_eq!(kept, [fresh[0], fresh[1], fresh[0], fresh[1]]);
    assert!((fresh[0] / fresh[1] - 1.0).abs() > 0.1, "witness: {fresh:?}");
}

/// Dense layer of 64 to 1 whose weights are all this number, in the type of the bytes.
fn dense(kind: u64, weight: &[u8]) -> Vec<u8> {
    let nodes = [flat("x", "f"), node("MatMul", &["f", "w"], &["y"], &[])];
    model(&nodes, &[tensor("w", kind, &[64, 1], &weight.repeat(64))], &[image(kind)], &[value("y", kind, &["N", "1"])])
}

#[test]
fn half_precision_is_computed_in_single_precision() {
    let bench = Bench::new();
    let single = |weight: f32| bench.distance(&dense(FLOAT, &weight.to_le_bytes()), &[]).1;
    // A third, and the numbers of half precision that are nearest to it.
    let (third, half, brain) = (1.0_f32 / 3.0, 0x3555_u16, 0x3eab_u16);
    assert_eq!(bench.distance(&dense(HALF, &half.to_le_bytes()), &[]).1, single(0.333_251_95));
    assert_eq!(bench.distance(&dense(BFLOAT16, &brain.to_le_bytes()), &[]).1, single(0.333_984_38));
    assert!((single(0.333_251_95) / single(third) - 1.0).abs() > 1e-4, "witness: the weights before rounding");
    let double = bench.distance(&dense(DOUBLE, &f64::from(third).to_le_bytes()), &[]).1;
    assert!((double / single(third) - 1.0).abs() < 1e-5, "{double}");
}

#[test]
fn a_network_of_bytes_is_given_levels() {
    let bench = Bench::new();
    let sum = |kind| {
        let nodes = [node("Cast", &["x"], &["c"], &[int("to", FLOAT)]), node("GlobalAveragePool", &["c"], &["y"], &[])];
        bench.distance(&model(&nodes, &[], &[image(kind)], &[value("y", FLOAT, &["N", "1", "1", "1"])]), &[]).1
    };
    // Distances are squared: 255 times the input of `unit`.
    assert!((sum(UINT8) / sum(FLOAT) / 255.0_f64.powi(2) - 1.0).abs() < 1e-4);
}

#[test]
fn damaged_networks_are_refused_in_a_line() {
    let bench = Bench::new();
    let mean = |from: &str| node("GlobalAveragePool", &[from], &["y"], &[]);
    let y = || [value("y", FLOAT, &["N", "1", "1", "1"])];
    let input = |kind, shape: &[&str]| [value("x", kind, shape)];
    let add = |a: &str, b: &str, to: &str| node("Add", &[a, b], &[to], &[]);
    let zero = tensor("", FLOAT, &[1], &[0; 4]);
    let huge = [
        node("Mul", &["s", "s"], &["t"], &[]),
        node("ConstantOfShape", &["t"], &["h"], &[constant("value", &zero)]),
        node("ReduceSum", &["h"], &["q"], &[int("keepdims", 0)]),
        add("x", "q", "a"),
        mean("a"),
    ];
    let side = |n: i64| tensor("s", INT64, &[2], &[n, n].map(i64::to_le_bytes).concat());
    let cut = tensor("w", FLOAT, &[1_000_000, 1_000_000], &[0; 8]);
    let outside = [tensor("w", FLOAT, &[1], &[]), vec![14 << 3, 1]].concat();
    let logarithm = [mean("x"), node("Log", &["y"], &["l"], &[]), node("Sqrt", &["l"], &["z"], &[])];
    let images = [image(FLOAT)];
    for (network, expected) in [
        (b"no network".to_vec(), "not an ONNX file"),
        (model(&[mean("x")], &[], &images, &[]), "no outputs"),
        (model(&[mean("x")], &[], &images, &[value("z", FLOAT, &["N", "4"])]), "no node computes its output z"),
        (model(&[mean("w")], &[], &images, &y()), "takes tensor w, which no node computes"),
        (model(&[mean("x"), mean("x")], &[], &images, &y()), "tensor y is computed twice"),
        (model(&[add("x", "b", "a"), add("a", "a", "b"), mean("b")], &[], &images, &y()), "Loop detected"),
        (model(&huge, &[side(10_000)], &images, &y()), "makes a tensor of 38146"),
        (model(&[add("x", "w", "a"), mean("a")], &[cut], &images, &y()), "has the shape [1000000, 1000000]"),
        (model(&[add("x", "w", "a"), mean("a")], &[outside], &images, &y()), "lies in another file"),
        (
            model(&[node("Transpose", &["x"], &["y"], &[ints("perm", &[0, 2, 0, 1])])], &[], &images, &y()),
            "no permutation",
        ),
        (model(&[node("Frobnicate", &["x"], &["y"], &[])], &[], &images, &y()), "has no operator Frobnicate"),
        (model(&[mean("x")], &[], &[], &y()), "takes tensor x"),
        (model(&[mean("x")], &[], &[image(FLOAT), value("z", FLOAT, &["N"])], &y()), "it has 2 inputs: x"),
        (model(&[mean("x")], &[], &input(STRING, &["N", "1", "8", "8"]), &y()), "its input x is string"),
        (model(&[mean("x")], &[], &input(FLOAT, &["N", "64"]), &y()), "its input x [N, 64] is no image"),
        (model(&[mean("x")], &[], &input(FLOAT, &["N", "C", "8", "8"]), &y()), "no fixed number of channels"),
        (model(&[mean("x")], &[], &input(FLOAT, &["N", "8", "8", "1"]), &y()), "looks like [N, H, W, C]"),
        (
            model(&logarithm, &[], &images, &[value("z", FLOAT, &["N", "1"])]),
            "net: its features hold NaN for this image",
        ),
    ] {
        let text = bench.refusal(&network, &[]);
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    assert!(bench.distance(&model(&huge, &[side(2)], &images, &y()), &[]).1 > 0.0, "the same with a small constant");
}

#[test]
fn the_missing_inception_is_told_where_to_get() {
    let call = elbow(super::ELBOW, &["fid", "calc", "digits:test", "digits:train", "--network", "inception"]);
    assert_eq!(call.code, 2);
    assert!(
        call.stderr.contains("fid export pt_inception-2015-12-05-6726825d.pth -o DIR/inception.onnx"),
        "{}",
        call.stderr
    );
}
