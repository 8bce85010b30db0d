//! Distances between two lists of numbers.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;

/// The largest difference over the largest number of the second list.
pub fn largest(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most: f64, x| if x.is_nan() { f64::INFINITY } else { most.max(x) }) / scale
}

/// The Euclidean norm of the difference over that of the second list.
pub fn euclidean(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}

/// A third of this tensor of the U-Net, the bias of keys, has no gradient, since a softmax does not see it: AdamW makes a
/// whole step of its rounding.
const WITHOUT_GRADIENT: &str = "qkv.bias";

/// All tensors of a file whose names end in `ending`, one after the other in the order of their names, without those that
/// only rounding moves.
pub fn tensors(file: &Path, ending: &str) -> Vec<f64> {
    let bytes = std::fs::read(file).expect("written");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let wanted = |name: &str| name.ends_with(ending) && !name.contains(WITHOUT_GRADIENT);
    let sorted: BTreeMap<_, _> = file.tensors().into_iter().filter(|(name, _)| wanted(name)).collect();
    let number = |bytes: &[u8; 4]| f64::from(f32::from_le_bytes(*bytes));
    sorted.values().flat_map(|tensor| tensor.data().as_chunks().0).map(number).collect()
}

/// What the comparisons of one case find.
pub struct Findings {
    case: &'static str,
    failures: Vec<String>,
}

impl Findings {
    /// None yet of the case of this name.
    pub fn of(case: &'static str) -> Self {
        Self { case, failures: Vec::new() }
    }

    /// A difference, that of something known to be wrong, and the most that a difference may be.
    pub fn add(&mut self, what: &str, difference: f64, witness: f64, tolerance: f64) {
        println!("{}, {what}: {difference:.1e}, tolerance {tolerance:.0e}, witness {witness:.1e}", self.case);
        if difference > tolerance {
            self.failures.push(format!("{what}: {difference:e} is more than {tolerance:e}"));
        }
        if witness <= tolerance {
            self.failures.push(format!("{what}: the witness passes with {witness:e}"));
        }
    }

    /// Fails where a difference is too large, or a witness is not.
    pub fn judge(self) {
        assert!(self.failures.is_empty(), "{}:\n{}", self.case, self.failures.join("\n"));
    }
}
