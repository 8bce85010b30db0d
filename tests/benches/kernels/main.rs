//! What the program spends its time on, measured: `cargo bench --package tests --bench kernels`, or with `-- losses` at
//! its end one topic. Inputs are seeded; their making is not timed.

mod enumeration;
mod frechet;
mod inputs;
mod losses;
mod neighbours;
mod network;
mod resize;
mod samplers;
mod schedules;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// Few samples and short times: the whole takes about two minutes on two cores.
fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .sample_size(20)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = kernels;
    config = short();
    targets =
        schedules::schedules,
        losses::losses,
        losses::training_steps,
        network::forward,
        network::likelihood,
        samplers::samplers,
        enumeration::enumeration,
        frechet::frechet,
        neighbours::neighbours,
        resize::resize
}
criterion_main!(kernels);
