//! Tests of the reference implementations, in one program: linking it takes longer than most of them.

mod data;
mod flops;
mod known_mistakes;
mod networks;
mod objectives;
mod plan;
mod schedules;
mod settings;
mod training;
mod unet;
mod weight_sets;

use std::path::{Path, PathBuf};

use burn::tensor::{Float, Tensor};
use elbow_impls::Error;
use elbow_impls::network::{GaussianDenoiser, Input, TokenDenoiser};
use elbow_impls::train::Settings;
use serde_json::Value;

/// A file of the repository's fixtures.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// A fixture of golden values.
fn golden(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).expect("the fixture")).expect("JSON")
}

/// Every number inside a value, in order; NaN for null.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        Value::Null => vec![f64::NAN],
        number => vec![number.as_f64().expect("a number")],
    }
}

/// Every number inside a value as a token or a class.
fn ids(value: &Value) -> Vec<u32> {
    flat(value).into_iter().map(|id| id as u32).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a whole number") as usize
}

fn resolve(preset: &str, changes: &[&str]) -> Result<Settings, Error> {
    Settings::resolve(preset, &changes.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>())
}

/// A denoiser of tokens by its logits, perhaps with a schedule per value.
struct FnTokens<F> {
    values: usize,
    logits: F,
    theta: Option<Tensor<1>>,
}

impl<F: Fn(&Input) -> Tensor<3> + Send + Sync> TokenDenoiser for FnTokens<F> {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        (self.logits)(input)
    }

    fn value_schedule(&self) -> Option<Tensor<1>> {
        self.theta.clone()
    }
}

/// A denoiser of points by its output, perhaps with learned ends.
struct FnPoints<F> {
    values: usize,
    output: F,
    theta: Option<Tensor<1>>,
}

impl<F: Fn(&Input<Float>) -> Tensor<2> + Send + Sync> GaussianDenoiser for FnPoints<F> {
    fn values(&self) -> usize {
        self.values
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        (self.output)(input)
    }

    fn learned_ends(&self) -> Option<Tensor<1>> {
        self.theta.clone()
    }
}
