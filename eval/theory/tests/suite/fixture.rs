//! Bundled toys and golden values, and comparisons with them.

use std::path::{Path, PathBuf};

use elbow_process::Weighting;
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, Cascade, Toy};
use serde_json::Value;

/// The path of a bundled file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The golden values of a topic.
pub fn golden(topic: &str) -> Value {
    let text = std::fs::read_to_string(fixture(topic).join("golden.json")).expect("bundled");
    serde_json::from_str(&text).expect("valid")
}

/// A bundled toy of masked diffusion.
pub fn toy(name: &str) -> Enumeration {
    let toy = Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("a valid toy");
    Enumeration::new(&toy).expect("full support")
}

/// The masked cascade under a named schedule and weighting.
pub fn run(enumeration: &Enumeration, schedule: &str, steps: usize, weighting: &str) -> Cascade {
    let weighting: Weighting = weighting.parse().expect("known");
    cascade(enumeration, &schedule.parse().expect("known"), steps, &weighting).expect("small")
}

/// The largest error against golden numbers, relative above 1; where the golden value is null, ours must not be finite.
pub fn worst(name: &str, ours: &[f64], golden: &Value) -> f64 {
    let golden = golden.as_array().expect(name);
    assert_eq!(ours.len(), golden.len(), "{name}");
    let error = |(ours, golden): (&f64, &Value)| match golden.as_f64() {
        Some(golden) => (ours - golden).abs() / golden.abs().max(1.0),
        None => {
            assert!(!ours.is_finite(), "{name}: {ours} where the reference is infinite");
            0.0
        }
    };
    ours.iter().zip(golden).map(error).fold(0.0, f64::max)
}
