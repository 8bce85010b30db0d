//! Shared parts of the tests: bundled files, toys with enumeration and table denoiser, means against exact numbers.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_harness::denoisers::table_denoiser;
use elbow_harness::likelihood::Estimate;
use elbow_impls::network::TableDenoiser;
use elbow_theory::masked::Enumeration;
use elbow_theory::{Alphabet, Toy};
use serde_json::Value;

/// A bundled file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// A bundled JSON file.
pub fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).expect("bundled")).expect("JSON")
}

/// All numbers of a nested list, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        one => vec![number(one)],
    }
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Distance of a mean from its exact value, in standard errors.
pub fn score(found: &Estimate, exact: f64) -> f64 {
    ((found.value - exact) / found.standard_error).abs()
}

/// Requires a mean within 4 standard errors of its exact value: a right one is rejected once in 16,000 seeds.
#[track_caller]
pub fn agrees(what: &str, found: &Estimate, exact: f64) {
    println!("{what}: {} +- {} against {exact}", found.value, found.standard_error);
    assert!(score(found, exact) < REJECT, "{what}: {found:?} against {exact}");
}

/// Standard errors beyond which a mean is rejected.
pub const REJECT: f64 = 4.0;

/// A toy with its enumeration and its denoiser as a table.
pub struct Bench {
    pub toy: Toy,
    pub all: Enumeration,
    pub table: TableDenoiser,
    pub device: Device,
}

impl Bench {
    pub fn new(name: &str) -> Self {
        let toy = Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("bundled");
        let all = Enumeration::new(&toy).expect("full support");
        let device = Device::flex();
        let table = table_denoiser(&all, &device);
        Self { toy, all, table, device }
    }
}
