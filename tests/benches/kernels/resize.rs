//! Images as the input of FID's network, by the conventions of its tools.

use criterion::{Criterion, Throughput};
use elbow_impls::Key;
use elbow_impls::key::open_uniform;
use elbow_metrics::{Convention, Image};

/// Height and width before and after.
const FROM: usize = 64;
const TO: usize = 299;
const COLOURS: usize = 3;

/// One colour image, resized and scaled; images a second.
pub fn resize(criterion: &mut Criterion) {
    let mut rng = Key::new(0, "pixels").rng();
    let pixels = (0..FROM * FROM * COLOURS).map(|_| (256.0 * open_uniform(&mut rng)) as u8).collect();
    let image = Image { height: FROM, width: FROM, channels: COLOURS, pixels, converted: Vec::new() };
    let mut group = criterion.benchmark_group("resize");
    group.throughput(Throughput::Elements(1));
    for convention in [Convention::Tf, Convention::Pytorch, Convention::Clean] {
        let input = || convention.prepare(&image, COLOURS, Some([TO; 2])).expect("resizes");
        group.bench_function(convention.to_string(), |bencher| bencher.iter(input));
    }
    group.finish();
}
