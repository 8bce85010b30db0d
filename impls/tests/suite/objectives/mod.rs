//! The losses that train, at given x, z and t, against golden values of the papers' formulas, computed with JAX and
//! PyTorch (`fixtures/objectives`).

mod block;
mod gaussian;
mod learned_and_uniform;
mod learned_ends;
mod masked;

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::corruption::{Corruption, MaskedBatch};
use elbow_impls::data::Tokens;
use elbow_impls::network::{Input, TokenDenoiser, to_f64_vec};
use elbow_impls::objective::{Batch, TokenObjective};
use serde_json::Value;

use crate::{flat, ids};

/// Largest error relative to max(1, |golden|). Measured: 2.4e-6 for uniform D3PM in steps, below 4e-7 for all others
/// (single-precision tensors, double-precision weights).
const TOLERANCE: f64 = 9e-6;

/// A denoiser whose logits do not depend on its input.
struct Fixed {
    logits: Tensor<3>,
    values: usize,
}

impl TokenDenoiser for Fixed {
    fn values(&self) -> usize {
        self.values
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        assert_eq!(input.z.dims()[0], self.logits.dims()[0]);
        self.logits.clone()
    }
}

struct Golden {
    document: Value,
    device: Device,
}

impl Golden {
    fn load() -> Self {
        Self { document: crate::golden("objectives/golden.json"), device: Device::flex() }
    }

    fn input(&self, name: &str) -> &Value {
        &self.document["inputs"][name]
    }

    fn cases<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        let cases = self.document["cases"].as_array().expect("cases").iter();
        let mut found = cases.filter(move |case| case["name"] == name).peekable();
        assert!(found.peek().is_some(), "no case {name}");
        found
    }

    fn case<'a>(&'a self, name: &'a str) -> &'a Value {
        self.cases(name).next().expect("a case")
    }

    fn witness<'a>(&'a self, name: &str) -> &'a Value {
        let all = self.document["witnesses"].as_array().expect("witnesses");
        all.iter().find(|case| case["name"] == name).expect("a witness")
    }

    fn logits(&self, name: &str) -> Fixed {
        let rows = flat(self.input(name));
        let width = rows.len() / 42;
        let data = rows.into_iter().map(|x| x as f32).collect::<Vec<_>>();
        Fixed { logits: Tensor::from_data(TensorData::new(data, [6, 7, width]), &self.device), values: 5 }
    }

    fn batch(&self) -> Batch {
        Batch::new(Tokens::new(ids(self.input("x")), 7), self.times())
    }

    fn times(&self) -> Vec<f64> {
        flat(self.input("times"))
    }

    /// The fixture's x with these masks, at these times.
    fn masked(&self, masks: &str, times: &[f64]) -> MaskedBatch {
        let masked = self.input(masks).as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("a row"));
        let masked = masked.map(|m| m.as_bool().expect("a flag")).collect();
        MaskedBatch::new(&self.batch(), times, 5, masked, &self.device).expect("data values")
    }

    /// The objective's own loss of the fixture's logits and masks at these times.
    fn loss(&self, objective: &dyn TokenObjective, logits: &str, times: &[f64]) -> Vec<f64> {
        let corruption = Corruption::from(self.masked("masked", times));
        to_f64_vec(objective.loss_of(&self.logits(logits), &corruption).expect("a loss"))
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {}", case["name"]))
}

/// The largest relative error.
fn error(found: &[f64], golden: &[f64]) -> f64 {
    assert_eq!(found.len(), golden.len());
    let one = |(a, b): (&f64, &f64)| if b.is_nan() { 0.0 } else { (a - b).abs() / b.abs().max(1.0) };
    found.iter().zip(golden).map(one).fold(0.0, f64::max)
}

#[track_caller]
fn agrees(what: &str, found: &[f64], golden: &Value) {
    let worst = error(found, &flat(golden));
    println!("{what}: {worst:.1e}");
    assert!(worst < TOLERANCE, "{what}: error {worst:e}\n{found:?}\n{golden}");
}

#[track_caller]
fn rejects(what: &str, found: &[f64], wrong: &Value) {
    let distance = error(found, &flat(wrong));
    assert!(distance > 10.0 * TOLERANCE, "witness {what} is only {distance:e} away");
}
