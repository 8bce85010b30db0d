//! Nearest neighbours: precision, recall, density and coverage.

use criterion::{BenchmarkId, Criterion, Throughput};
use elbow_base::Silent;
use elbow_metrics::{Balls, prdc};

use crate::inputs::{features, slow};

const DIMENSION: usize = 256;

/// Two sets of as many images, every pair of them looked at; images a second.
pub fn neighbours(criterion: &mut Criterion) {
    let mut group = slow(criterion, "neighbours");
    let bar = Silent;
    for images in [500, 1000] {
        let [generated, reference] = ["generated", "reference"].map(|name| features(images, DIMENSION, name));
        group.throughput(Throughput::Elements(2 * images as u64));
        let counts = || prdc(&generated, &reference, Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE, &bar);
        group.bench_function(BenchmarkId::new("prdc", images), |bencher| {
            bencher.iter(|| counts().expect("more images than neighbours"));
        });
    }
    group.finish();
}
