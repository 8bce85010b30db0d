//! Small models of every implementation and network, trained a little on the CPU: fresh ones answer 0 to everything.

use std::path::Path;
use std::sync::OnceLock;

use burn::tensor::Device;
use elbow_harness::device;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::{Settings, Trainer};
use tempfile::TempDir;

/// A preset and its changes.
pub struct Case {
    /// Name of the test.
    pub name: &'static str,
    /// Preset.
    pub preset: &'static str,
    /// Changes, separated by spaces.
    pub changes: &'static str,
}

/// Changes of every case.
const COMMON: &str = "batch_size=8 shards=2 steps=1000 warmup_steps=5 ema_decay=0.9 learning_rate=0.01";

/// Steps of the training on the CPU.
const STEPS: usize = 20;

/// A trained case, in a folder that goes with it.
pub struct Ready {
    /// Its settings.
    pub settings: Settings,
    /// What it learnt from.
    pub data: Box<dyn Dataset>,
    folder: TempDir,
}

impl Case {
    /// The settings of its training.
    fn settings(&self) -> Settings {
        let changes: Vec<String> =
            [COMMON, self.changes].iter().flat_map(|changes| changes.split(' ')).map(str::to_owned).collect();
        Settings::resolve(self.preset, &changes).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name))
    }

    /// Trains it on the CPU.
    pub fn train(&self) -> Ready {
        let settings = self.settings();
        let data = workspace().open(&settings.data(Split::Train)).expect("bundled data");
        let folder = tempfile::tempdir().expect("a folder");
        let mut trainer = Trainer::new(&settings, data.as_ref(), &[Device::flex()]).expect("starts");
        steps(&mut trainer, STEPS);
        trainer.save(folder.path()).expect("saves");
        std::fs::write(folder.path().join("config.toml"), settings.to_toml()).expect("writes");
        Ready { settings, data, folder }
    }
}

impl Ready {
    /// The folder of the run.
    pub fn run(&self) -> &Path {
        self.folder.path()
    }
}

/// Goes on by some steps.
pub fn steps(trainer: &mut Trainer, count: usize) {
    for _ in 0..count {
        trainer.advance().expect("a step");
    }
}

/// Where the bundled data are.
pub fn workspace() -> Workspace {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    Workspace::new("out".into(), vec![data], 0, "cpu", true, false).expect("the CPU")
}

/// The name of the device under test.
pub fn device_name() -> String {
    let own = if cfg!(feature = "wgpu") { "wgpu" } else { "cuda:0" };
    std::env::var("ELBOW_DEVICE").unwrap_or_else(|_| own.to_owned())
}

/// The device under test.
pub fn device() -> Device {
    static OPENED: OnceLock<Device> = OnceLock::new();
    OPENED.get_or_init(|| device::open(&device_name()).unwrap_or_else(|missing| panic!("{missing}"))).clone()
}
