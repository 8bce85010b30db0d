//! The Frechet distance at 256 and 512 dimensions. Inception's 2048 are in the comparison with other tools
//! (`eval/benches/compare/`).

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use elbow_metrics::{FeatureProvenance, GaussianFit, Statistics};

use crate::inputs::{features, slow};

/// Mean and covariance of features; the distance between two sets of statistics by the nuclear norm of known roots, and
/// by both algorithms with the roots.
pub fn frechet(criterion: &mut Criterion) {
    let provenance = FeatureProvenance::named("benchmark");
    let mut group = slow(criterion, "frechet");
    for dimension in [256, 512] {
        let sets = ["generated", "reference"].map(|name| features(4 * dimension, dimension, name));
        let statistics = sets.each_ref().map(|set| Statistics::of(set, &provenance).expect("two images"));
        let sides = statistics.clone().map(|one| GaussianFit::of_statistics(one).expect("a covariance"));
        group.throughput(Throughput::Elements(sets[0].len() as u64));
        let moments = || Statistics::of(&sets[0], &provenance).expect("two images");
        group.bench_function(BenchmarkId::new("statistics", dimension), |bencher| bencher.iter(moments));
        group.throughput(Throughput::Elements(1));
        let nuclear = || sides[0].to(&sides[1]).expect("converges");
        group.bench_function(BenchmarkId::new("nuclear norm", dimension), |bencher| bencher.iter(nuclear));
        let both = |statistics: [Statistics; 2]| {
            let [first, second] = statistics.map(|one| GaussianFit::of_statistics(one).expect("a covariance"));
            first.distance(&second).expect("the algorithms agree")
        };
        group.bench_function(BenchmarkId::new("both algorithms", dimension), |bencher| {
            bencher.iter_batched(|| statistics.clone(), both, BatchSize::LargeInput);
        });
    }
    group.finish();
}
