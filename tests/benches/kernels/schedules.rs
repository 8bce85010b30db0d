//! Functions of the noise schedules, at ten thousand times.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use elbow_impls::Key;
use elbow_impls::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};
use elbow_impls::time_sampling::TimeSampling;

const TIMES: usize = 10_000;
const MASKED: [&str; 5] = ["linear", "cosine", "poly:2", "geometric", "md4:cosine"];
const GAUSSIAN: [&str; 3] = ["vdm", "cosine:-13.3:5", "normal:2.4:2.4:-8:5"];

/// alpha, the weight of the bound (of the cross-entropy, or of the squared error), and the inverse of the log-SNR.
pub fn schedules(criterion: &mut Criterion) {
    let times = TimeSampling::Stratified.draw(TIMES, &Key::new(0, "times"));
    let mut group = criterion.benchmark_group("schedules");
    group.measurement_time(Duration::from_millis(500)).throughput(Throughput::Elements(TIMES as u64));
    for name in MASKED {
        let schedule: MaskedSchedule = name.parse().expect("a masked schedule");
        at_each(&mut group, &format!("masked {name}/alpha"), &times, |t| schedule.alpha(t));
        at_each(&mut group, &format!("masked {name}/elbo weight"), &times, |t| schedule.elbo_weight(t));
        inverse(&mut group, &format!("masked {name}"), &times, &schedule);
    }
    for name in GAUSSIAN {
        let schedule: GaussianSchedule = name.parse().expect("a Gaussian schedule");
        at_each(&mut group, &format!("Gaussian {name}/alpha"), &times, |t| schedule.alpha(t));
        at_each(&mut group, &format!("Gaussian {name}/elbo weight"), &times, |t| schedule.gamma_prime(t));
        inverse(&mut group, &format!("Gaussian {name}"), &times, &schedule);
    }
    group.finish();
}

fn inverse(group: &mut BenchmarkGroup<WallTime>, name: &str, times: &[f64], schedule: &impl LogSnr) {
    let log_snrs: Vec<f64> = times.iter().map(|&t| schedule.log_snr(t)).collect();
    at_each(group, &format!("{name}/time of log-SNR"), &log_snrs, |log_snr| schedule.time_of_log_snr(log_snr));
}

fn at_each(group: &mut BenchmarkGroup<WallTime>, name: &str, points: &[f64], of: impl Fn(f64) -> f64) {
    let all = || black_box(points).iter().map(|&point| of(point)).collect::<Vec<f64>>();
    group.bench_function(name, |bencher| bencher.iter(all));
}
