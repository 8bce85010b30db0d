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

/// All tensors of a file whose names end in `ending`, one after the other in the order of their names.
pub fn tensors(file: &Path, ending: &str) -> Vec<f64> {
    let bytes = std::fs::read(file).expect("written");
    let file = SafeTensors::deserialize(&bytes).expect("safetensors");
    let sorted: BTreeMap<_, _> = file.tensors().into_iter().filter(|(name, _)| name.ends_with(ending)).collect();
    let number = |bytes: &[u8; 4]| f64::from(f32::from_le_bytes(*bytes));
    sorted.values().flat_map(|tensor| tensor.data().as_chunks().0).map(number).collect()
}

/// What one test measures over all cases: the worst difference and the least of the witnesses.
pub struct Measured {
    what: &'static str,
    tolerance: f64,
    worst: f64,
    least: f64,
}

impl Measured {
    pub fn new(what: &'static str, tolerance: f64) -> Self {
        Self { what, tolerance, worst: 0.0, least: f64::INFINITY }
    }

    /// A difference, and that of something known to be wrong.
    pub fn add(&mut self, name: &str, difference: f64, witness: f64) {
        println!("{}, {name}: {difference:.1e}, witness {witness:.1e}", self.what);
        self.worst = self.worst.max(difference);
        self.least = self.least.min(witness);
    }

    /// Fails where a difference is too large, or a witness is not.
    pub fn judge(self) {
        println!(
            "{}: at most {:.1e}, tolerance {:e}, witnesses from {:.1e}",
            self.what, self.worst, self.tolerance, self.least
        );
        assert!(self.worst <= self.tolerance, "{}: {:e} is more than {:e}", self.what, self.worst, self.tolerance);
        assert!(self.least > self.tolerance, "{}: the witness passes with {:e}", self.what, self.least);
    }
}
