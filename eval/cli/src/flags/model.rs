//! The model of a command: a run of elbow, or a model from outside.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::models::AnyModel;
use elbow_harness::workspace::Workspace;
use elbow_metrics::Runtime;

use super::RuntimeFlag;

/// The options that name a model.
#[derive(Args)]
pub struct ModelFlags {
    /// Folder of a finished or running training run (it holds config.toml and checkpoint/)
    #[arg(long, value_name = "DIR", required_unless_present = "model")]
    checkpoint: Option<PathBuf>,
    /// A model from outside in place of a run: the model file (TOML) of an ONNX denoiser
    #[arg(long, value_name = "FILE", conflicts_with = "checkpoint")]
    model: Option<PathBuf>,
    #[command(flatten)]
    runtime: RuntimeFlag,
}

impl ModelFlags {
    /// Opens the model. Refuses a runtime where no ONNX network is run.
    pub fn open(&self, workspace: &Workspace) -> Result<AnyModel, Error> {
        if self.model.is_none() && self.runtime.is_given() {
            let what = "--ort-lib has no effect: a run of elbow is no ONNX network";
            return Err(Error::input(what, "leave it out, or name a model file with --model"));
        }
        self.open_beside_others(workspace)
    }

    /// Opens the model where another option can name an ONNX network too.
    pub fn open_beside_others(&self, workspace: &Workspace) -> Result<AnyModel, Error> {
        match (&self.checkpoint, &self.model) {
            (Some(run), _) => AnyModel::of_run(run, &workspace.device),
            (None, Some(file)) => AnyModel::of_file(file, self.runtime(workspace)?),
            (None, None) => Err(Error::internal("checked: --checkpoint or --model")),
        }
    }

    /// The runtime of ONNX networks.
    pub fn runtime(&self, workspace: &Workspace) -> Result<Runtime, Error> {
        self.runtime.find(workspace)
    }
}
