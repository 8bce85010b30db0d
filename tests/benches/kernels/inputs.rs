//! What several topics share: seeded inputs, and how slow things are sampled.

use std::path::PathBuf;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use elbow_harness::workspace::Workspace;
use elbow_impls::Key;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::key::open_uniform;
use elbow_impls::network::Model;
use elbow_impls::objective::Batch;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::{DataShape, Settings};
use elbow_metrics::Features;

/// A group of what takes milliseconds: ten samples of as many calls each.
pub fn slow<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(2));
    group
}

/// A preset, its training data, and where it runs: the CPU.
pub struct Subject {
    pub workspace: Workspace,
    pub settings: Settings,
    pub data: Box<dyn Dataset>,
}

impl Subject {
    /// A bundled preset of bundled data.
    pub fn new(preset: &str) -> Self {
        let fixtures = elbow_tests::root().join("fixtures");
        let workspace = Workspace::new(PathBuf::new(), vec![fixtures], 0, "cpu", true, false).expect("a CPU");
        let settings = Settings::resolve(preset, &[]).expect("a bundled preset");
        let data = workspace.open(&settings.data(Split::Train)).expect("bundled data");
        Self { workspace, settings, data }
    }

    /// An untrained model; with gradients, if it is to learn.
    pub fn model(&self, learns: bool) -> Model {
        let shape = self.settings.network(&DataShape::of(self.data.as_ref())).expect("fits its data");
        let learned = self.settings.objective.learned_schedule();
        let plain = self.workspace.device.clone();
        let device = if learns { plain.autodiff() } else { plain };
        Model::new(&shape, learned, &Key::new(0, "weights"), &device).expect("a bundled preset")
    }

    /// As many sequences as a training step has, the first of the data.
    pub fn batch(&self) -> Batch {
        let size = self.settings.batch_size;
        let x = self.data.select(&(0..size).collect::<Vec<_>>()).expect("in memory");
        Batch::new(x, TimeSampling::Stratified.draw(size, &Key::new(0, "times")))
    }
}

/// Features whose spectrum falls as that of Inception's does.
pub fn features(images: usize, dimension: usize, purpose: &str) -> Features {
    let mut rng = Key::new(0, purpose).rng();
    let scale = |place: usize| (1.0 + (place % dimension) as f64).powf(-0.6);
    let values = (0..images * dimension).map(|place| (scale(place) * (open_uniform(&mut rng) - 0.5)) as f32).collect();
    Features { dimension, values }
}
