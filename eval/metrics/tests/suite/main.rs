//! Metrics of images, against golden values of the reference tools, each with known-wrong variants that must fail.
//!
//! Mistakes of respected tools, and the test that catches each:
//!
//! | mistake | where it was made | test |
//! |---|---|---|
//! | ImageNet's mean and deviation before FID's Inception; `align_corners`; weights that are partly random | burn-train | `networks`: Inception's witnesses, every tensor has its place |
//! | bilinear with antialias as the default, compared at 299 pixels only; 8-bit resizing | torchmetrics, many scripts | `conventions`: nine sizes, one-pixel patterns |
//! | a switch that changes nothing (`float64` that runs in float32) | torch-fidelity | `networks` and `conventions`: each convention differs from each other one |
//! | precision and recall exchanged | torch-fidelity before 0.4 | `metrics`: a tight cluster is precise and incomplete |
//! | NaN of a square root of eigenvalues; a square root of a singular product | torch-fidelity, SciPy | `metrics`: singular covariances; `frechet`: two algorithms agree |
//! | the reference scored in place of the samples | dgm-eval | black box: both sides' scores differ |
//! | a spread over subsets taken for a standard error; a bootstrap | torch-fidelity, dgm-eval | `metrics`: KID's witness; `standard_errors`: the bootstrap is biased |
//! | unseeded subsets, listings in hash order | clean-fid | black box: the same command, the same bytes; every kind of file, the same numbers |
//! | features of an older preprocessing found in the cache | StyleGAN3 | `images`: nothing stale comes from the cache |
//! | raw moments in single precision | torch-fidelity (the mean), EDM | `metrics`: statistics far from the origin |
//! | results that could not be written, and an exit code of 0 | lm-eval | black box: refused in one line |

mod conventions;
mod files;
mod fixture;
mod frechet;
mod images;
mod inner_tensors;
mod metrics;
mod networks;
mod standard_errors;
mod statistics;
mod vision_transformers;

use elbow_impls::data::{Dataset, Split, digits};
use elbow_metrics::{Convention, FeatureNetwork, Features, Image, Images, Runtime};
use serde_json::Value;

use crate::fixture::fixture;

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).expect("bundled")).expect("valid")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

/// The feature matrix of a fixture.
fn features_of(name: &str) -> Features {
    Features::load(&fixture(name)).expect("bundled")
}

/// Uniform features in [0, 1) from a seed.
fn made(n: usize, dimension: usize, seed: u64) -> Features {
    let value = |i: u64| (splitmix((seed << 32) + i) >> 40) as f32 / (1 << 24) as f32;
    Features { dimension, values: (0..(n * dimension) as u64).map(value).collect() }
}

/// The largest of some non-negative numbers; NaN if one of them is NaN.
fn largest(numbers: impl IntoIterator<Item = f64>) -> f64 {
    numbers.into_iter().fold(0.0, |worst, number| if worst.is_nan() || worst >= number { worst } else { number })
}

/// Whether a value agrees with the exact one to a relative tolerance.
fn agrees(value: f64, exact: f64, tolerance: f64) -> bool {
    (value / exact - 1.0).abs() < tolerance
}

/// SplitMix64 (Steele et al. 2014), as in the fixtures' generators.
fn splitmix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A colour image whose pixels are the top bytes of a random sequence.
fn noise(seed: u64, [height, width]: [usize; 2]) -> Image {
    let pixels = (0..height * width * 3).map(|i| (splitmix((seed << 32).wrapping_add(i as u64)) >> 56) as u8).collect();
    colour(pixels, [height, width])
}

fn colour(pixels: Vec<u8>, [height, width]: [usize; 2]) -> Image {
    Image { height, width, channels: 3, pixels, converted: Vec::new() }
}

/// A bundled network on the embedded runtime.
fn bundled(file: &str, convention: Convention) -> FeatureNetwork {
    FeatureNetwork::load(&fixture(file), convention, Runtime::Embedded).expect("bundled")
}

fn classifier() -> FeatureNetwork {
    bundled("digits-classifier/digits-classifier.onnx", Convention::Unit)
}

/// The bundled digits as images.
fn bundled_digits(split: Split) -> Images {
    let digits = digits::load(&fixture("digits/digits.csv.gz"), split).expect("bundled");
    Images::from_tokens(&digits.all().expect("in memory"), digits.values(), [8, 8, 1])
}
