//! Training losses on the digits.

use std::slice::from_ref;

use criterion::{Criterion, Throughput};
use elbow_impls::Key;
use elbow_impls::train::Trainer;

use crate::inputs::{Subject, slow};

const LOSSES: [&str; 6] =
    ["md4-digits", "genmd4-digits", "mdlm-digits", "d3pm-uniform-digits", "vdm-digits", "edm-digits"];
const STEPS: [&str; 4] = ["md4-digits", "mdlm-digits", "d3pm-uniform-digits", "vdm-digits"];

/// The loss of a batch and its gradient, forward and backward, of an untrained network; tokens a second.
pub fn losses(criterion: &mut Criterion) {
    let mut group = slow(criterion, "losses");
    for preset in LOSSES {
        let subject = Subject::new(preset);
        let (model, batch, key) = (subject.model(true), subject.batch(), Key::new(0, "mask"));
        let device = subject.workspace.device.clone().autodiff();
        let objective = subject.settings.objective();
        group.throughput(Throughput::Elements((batch.len() * batch.x.length()) as u64));
        let subject = objective.with(&model).expect("of one family");
        let gradient = || subject.loss(&batch, &key, &device).expect("a loss").sum().backward();
        group.bench_function(preset, |bencher| bencher.iter(gradient));
    }
    group.finish();
}

/// Whole steps of the trainer from the first on: loss and gradient by shards, clipping, AdamW, EMA; tokens a second.
pub fn training_steps(criterion: &mut Criterion) {
    let mut group = slow(criterion, "training steps");
    for preset in STEPS {
        let Subject { workspace, settings, data } = Subject::new(preset);
        let mut trainer = Trainer::new(&settings, data.as_ref(), from_ref(&workspace.device)).expect("starts");
        group.throughput(Throughput::Elements((settings.batch_size * data.length()) as u64));
        group.bench_function(preset, |bencher| bencher.iter(|| trainer.advance().expect("converges")));
    }
    group.finish();
}
