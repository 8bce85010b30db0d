//! Networks and weights: ONNX, safetensors, files of `torch.save`.

use std::fs;
use std::path::Path;

use elbow_base::Silent;
use elbow_impls::network::state_dict::single_precision;
use elbow_metrics::{Convention, FeatureNetwork, Images, Runtime};
use elbow_tests::onnx::{FLOAT, constant, int, ints, model, node, tensor, value};

use super::containers::{protobuf, pth, safetensors};
use super::mutations::bytes;
use super::runner::Format;

/// Loads a network and computes the features of one grey image of 8x8 pixels.
fn features(path: &Path) -> bool {
    let images = Images::new((0..64).map(|i| i * 3).collect(), [8, 8, 1]);
    let network = FeatureNetwork::load(path, Convention::Unit, Runtime::Embedded);
    network.is_ok_and(|network| network.features(&images, &Silent).is_ok())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn whole(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A convolution with a dense layer, a graph of shapes, and one of pooling and padding.
fn small() -> Vec<Vec<u8>> {
    let (x, y) = (value("x", FLOAT, &["N", "1", "8", "8"]), |n| value("features", FLOAT, &["N", n]));
    let dense = model(
        &[
            node("Conv", &["x", "k"], &["a"], &[ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])]),
            node("Relu", &["a"], &["b"], &[]),
            node("Flatten", &["b"], &["c"], &[int("axis", 1)]),
            node("Gemm", &["c", "w", "v"], &["features"], &[int("transB", 1)]),
        ],
        &[
            tensor("k", FLOAT, &[2, 1, 3, 3], &floats(&[0.25; 18])),
            tensor("w", FLOAT, &[4, 32], &floats(&[0.125; 128])),
            tensor("v", FLOAT, &[4], &floats(&[1.0, -1.0, 0.5, 0.0])),
        ],
        std::slice::from_ref(&x),
        &[y("4")],
    );
    let shapes = model(
        &[
            node("ConstantOfShape", &["s"], &["a"], &[constant("value", &tensor("", FLOAT, &[1], &floats(&[0.5])))]),
            node("Expand", &["o", "t"], &["b"], &[]),
            node("Concat", &["x", "b"], &["c"], &[int("axis", 1)]),
            node("Reshape", &["c", "r"], &["d"], &[]),
            node("Transpose", &["d"], &["e"], &[ints("perm", &[0, 2, 1])]),
            node("ReduceMean", &["e"], &["f"], &[ints("axes", &[1]), int("keepdims", 0)]),
            node("Add", &["f", "a"], &["features"], &[]),
        ],
        &[
            tensor("s", 7, &[2], &whole(&[1, 2])),
            tensor("o", FLOAT, &[1, 1, 1, 1], &floats(&[2.0])),
            tensor("t", 7, &[4], &whole(&[1, 1, 8, 8])),
            tensor("r", 7, &[3], &whole(&[1, 2, 64])),
        ],
        std::slice::from_ref(&x),
        &[y("2")],
    );
    let pooled = model(
        &[
            node("Pad", &["x", "p"], &["a"], &[]),
            node("MaxPool", &["a"], &["b"], &[ints("kernel_shape", &[3, 3]), ints("strides", &[3, 3])]),
            node("Slice", &["b", "from", "to", "axes"], &["c"], &[]),
            node("Tile", &["c", "n"], &["d"], &[]),
            node("GlobalAveragePool", &["d"], &["e"], &[]),
            node("Flatten", &["e"], &["features"], &[]),
        ],
        &[
            tensor("p", 7, &[8], &whole(&[0, 0, 1, 1, 0, 0, 0, 0])),
            tensor("from", 7, &[1], &whole(&[0])),
            tensor("to", 7, &[1], &whole(&[2])),
            tensor("axes", 7, &[1], &whole(&[2])),
            tensor("n", 7, &[4], &whole(&[1, 3, 1, 1])),
        ],
        &[x],
        &[y("3")],
    );
    vec![dense, shapes, pooled]
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(elbow_tests::root().join("fixtures").join(name)).expect("bundled")
}

#[test]
fn onnx_files() {
    let format = Format { name: "onnx", file: "current.onnx", mutations: &[protobuf, protobuf, protobuf, bytes] };
    format.fuzz(&small(), features);
}

#[test]
fn the_digits_classifier() {
    let format = Format { name: "classifier", file: "current.onnx", mutations: &[protobuf, bytes] };
    format.fuzz(&[fixture("digits-classifier/digits-classifier.onnx")], features);
}

#[test]
fn safetensors_files() {
    let header = r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]}}"#;
    let small = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[1; 28]].concat();
    let valid = [small, fixture("networks/dit.safetensors")];
    let format = Format { name: "safetensors", file: "current.safetensors", mutations: &[safetensors, bytes] };
    format.fuzz(&valid, |path| single_precision(path).is_ok());
}

#[test]
fn files_of_torch_save() {
    let format = Format { name: "pth", file: "current.pt", mutations: &[pth, bytes] };
    format.fuzz(&[fixture("networks/dit.pt")], |path| single_precision(path).is_ok());
}
