//! Options that several verbs share, and parsers of their values.

mod devices;
mod infill;
mod model;
mod output;
mod parse;
mod sampler;
pub mod shard;
mod text;
mod threshold;

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::workspace::Workspace;
use elbow_metrics::Runtime;

pub use devices::Devices;
pub use infill::InfillFlags;
pub use model::ModelFlags;
pub use output::OutputFlags;
pub use parse::{finite, form, one_of, positive, probability, temperature};
pub use sampler::SamplerFlags;
pub use shard::{PartOf, RoundsFlag, ShardFlags, of_all_parts};
pub use text::TextFlags;
pub use threshold::ThresholdFlags;

/// The option that names the library of ONNX networks.
#[derive(Args)]
pub struct RuntimeFlag {
    /// ONNX Runtime's shared library, or none for the embedded tract [default: $ORT_DYLIB_PATH or a usual place, else tract]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

impl RuntimeFlag {
    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        self.ort_lib.is_some()
    }

    /// The runtime of this option and the device of the workspace.
    pub fn find(&self, workspace: &Workspace) -> Result<Runtime, Error> {
        Ok(Runtime::find(self.ort_lib.as_deref(), &workspace.device_name)?)
    }
}
