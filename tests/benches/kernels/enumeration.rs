//! The exact theory of masked diffusion.

use std::path::PathBuf;

use criterion::{BenchmarkId, Criterion, Throughput};
use elbow_impls::key::open_uniform;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::{Key, Weighting};
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, DenoiserKind, Toy};

/// Values and tokens of the made toy.
const STATES: usize = 3;
const LENGTH: usize = 7;
/// T of the cascade.
const STEPS: usize = 8;

/// All sums of a toy, and the cascade of bounds that is made of them; patterns a second.
pub fn enumeration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("enumeration");
    group.sample_size(10);
    let bundled = toy_files().into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, Toy::load(&path, Alphabet::Masked).expect("a bundled toy"))
    });
    for (name, toy) in bundled.chain([(format!("{STATES} values, {LENGTH} tokens"), made_toy())]) {
        let all = Enumeration::new(&toy).expect("full support");
        group.throughput(Throughput::Elements(all.patterns() as u64));
        let sums = || Enumeration::new(&toy).expect("full support");
        group.bench_function(BenchmarkId::new("sums", &name), |bencher| bencher.iter(sums));
        let bounds = || cascade(&all, &MaskedSchedule::Cosine, STEPS, &Weighting::Sigmoid(1.0)).expect("a small toy");
        group.bench_function(BenchmarkId::new("cascade", &name), |bencher| bencher.iter(bounds));
    }
    group.finish();
}

/// The bundled toys by name.
fn toy_files() -> Vec<PathBuf> {
    let folder = elbow_tests::root().join("fixtures/toys");
    let entries = folder.read_dir().expect("the bundled toys").flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// A toy in which every outcome is possible, its probabilities uniform on the simplex.
fn made_toy() -> Toy {
    let mut rng = Key::new(0, "toy").rng();
    let weights: Vec<f64> = (0..STATES.pow(LENGTH as u32)).map(|_| -open_uniform(&mut rng).ln()).collect();
    let total: f64 = weights.iter().sum();
    let digit = |number: usize, place: usize| (number / STATES.pow(place as u32) % STATES) as u8;
    let word = |number: usize| (0..LENGTH).rev().map(|place| digit(number, place)).collect();
    let outcomes = weights.iter().enumerate().map(|(number, weight)| (word(number), weight / total)).collect();
    let denoiser = DenoiserKind::Tempered { temperature: 1.5, floor: 0.02 };
    Toy { states: STATES, length: LENGTH, outcomes, denoiser }
}
