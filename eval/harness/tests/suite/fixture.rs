//! What several tests start from: a bundled toy with its enumeration and its denoiser as a table.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_harness::denoisers::table_denoiser;
use elbow_impls::network::TableDenoiser;
use elbow_theory::masked::Enumeration;
use elbow_theory::{Alphabet, Toy};

/// A bundled file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

pub struct Bench {
    pub toy: Toy,
    pub all: Enumeration,
    pub table: TableDenoiser,
    pub device: Device,
}

impl Bench {
    pub fn new(name: &str) -> Self {
        let toy = Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("bundled");
        let all = Enumeration::new(&toy).expect("full support");
        let device = Device::flex();
        let table = table_denoiser(&all, &device);
        Self { toy, all, table, device }
    }
}
