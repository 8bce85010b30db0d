//! Passes of untrained networks.

use criterion::{Criterion, Throughput};
use elbow_harness::likelihood::BoundEstimation;

use crate::inputs::{Subject, slow};

/// Sequences whose likelihood is bounded.
const SEQUENCES: usize = 64;

/// Logits of a batch, without gradients; tokens a second.
pub fn forward(criterion: &mut Criterion) {
    let mut group = slow(criterion, "forward");
    for preset in ["md4-digits", "ar-digits", "md4-shakespeare"] {
        let subject = Subject::new(preset);
        let (model, batch) = (subject.model(false), subject.batch());
        let model = model.tokens().expect("it reads tokens");
        let input = batch.input(batch.x.ids(), &batch.u, &subject.workspace.device);
        group.throughput(Throughput::Elements((batch.len() * batch.x.length()) as u64));
        group.bench_function(preset, |bencher| bencher.iter(|| model.value_logits(&input).into_data()));
    }
    group.finish();
}

/// One draw of the bound of each sequence, or the likelihood where it is exact, on all cores; tokens a second.
pub fn likelihood(criterion: &mut Criterion) {
    let mut group = slow(criterion, "likelihood");
    for preset in ["md4-digits", "d3pm-uniform-digits", "vdm-digits", "ar-digits"] {
        let subject = Subject::new(preset);
        let model = subject.model(false);
        let objective = subject.settings.objective();
        let estimation = BoundEstimation {
            sequences: Some(SEQUENCES),
            ..BoundEstimation::new(objective.with(&model).expect("of one family"), subject.data.as_ref(), 1, 0)
        };
        let (device, bar) = (&subject.workspace.device, subject.workspace.bar.as_ref());
        group.throughput(Throughput::Elements((SEQUENCES * subject.data.length()) as u64));
        group.bench_function(preset, |bencher| bencher.iter(|| estimation.run(device, bar).expect("two sequences")));
    }
    group.finish();
}
