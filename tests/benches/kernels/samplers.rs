//! Samplers with an untrained network of the digits.

use criterion::{BenchmarkId, Criterion, Throughput};
use elbow_harness::sampling::{Request, Sampler, draw};

use crate::inputs::{Subject, slow};

const SAMPLES: usize = 32;
/// Of the samplers that have steps; first-hitting makes one for each of the 64 tokens.
const STEPS: usize = 16;

/// A batch of samples from noise to tokens, on one thread; samples a second.
pub fn samplers(criterion: &mut Criterion) {
    let mut group = slow(criterion, "samplers");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    for (preset, sampler) in [
        ("md4-digits", Sampler::Ancestral),
        ("md4-digits", Sampler::FirstHitting),
        ("vdm-digits", Sampler::Ancestral),
        ("vdm-digits", Sampler::Heun),
    ] {
        let subject = Subject::new(preset);
        let (workspace, settings, model) = (&subject.workspace, &subject.settings, subject.model(false));
        let request = Request::new(settings, &model, SAMPLES, subject.data.length(), 0);
        let request = Request { sampler, steps: STEPS, ..request };
        let samples =
            || draw(&workspace.device, settings, &model, &request, workspace.bar.as_ref()).expect("finite points");
        group.bench_function(BenchmarkId::new(preset, sampler), |bencher| bencher.iter(samples));
    }
    group.finish();
}
