//! Options that several verbs share, and parsers of their values.

mod infill;
mod output;
mod parse;
mod sampler;

use std::path::PathBuf;

use clap::Args;

pub use infill::InfillFlags;
pub use output::OutputFlags;
pub use parse::{finite, form, one_of, positive};
pub use sampler::SamplerFlags;

/// The option that names a trained run.
#[derive(Args)]
pub struct CheckpointFlag {
    /// Folder of a finished or running training run (it holds config.toml and checkpoint/)
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
}
