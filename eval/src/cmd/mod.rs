//! The verbs of the command line, one file each.

pub mod doctor;
pub mod eval;
pub mod fid;
pub mod likelihood;
pub mod report;
pub mod sample;
pub mod theory;
pub mod train;

use std::path::{Path, PathBuf};

use clap::Args;
use impls::md4::Md4;
use impls::network::Transformer;
use impls::train::checkpoint::State;
use impls::train::{Checkpoint, Settings};

use crate::failure::Failure;
use crate::workspace::Workspace;

/// The flag that names a trained run.
#[derive(Args)]
pub struct CheckpointFlag {
    /// Folder of a finished or running training run (it holds config.toml and checkpoint/)
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
}

/// A trained model with what describes it.
pub struct Trained {
    pub settings: Settings,
    pub objective: Md4,
    pub network: Transformer,
    pub state: State,
    /// SHA-256 of the averaged weights.
    pub hash: String,
}

impl Trained {
    /// Loads the averaged weights of a run.
    pub fn load(run: &Path, workspace: &Workspace) -> Result<Self, Failure> {
        let config = run.join("config.toml");
        if !config.is_file() {
            let what = format!("{}: no config.toml", run.display());
            return Err(Failure::input(what, "name the folder of a training run, as `elbow train` printed it"));
        }
        let settings = Settings::load(&config)?;
        let checkpoint = Checkpoint::of_run(run);
        let state = checkpoint.state()?.ok_or_else(|| {
            Failure::input(
                format!("{}: no checkpoint yet", run.display()),
                "let `elbow train` run until its first checkpoint",
            )
        })?;
        let shape = settings.network(state.values, state.length);
        let network = Transformer::new(&shape, &impls::Key::new(0, "weights"), &workspace.device);
        Ok(Self {
            objective: settings.objective()?,
            network: checkpoint.load_ema(network)?,
            hash: checkpoint.ema_hash()?,
            settings,
            state,
        })
    }
}
