//! The verbs of the command line, one file each.

pub mod bench;
pub mod doctor;
pub mod eval;
pub mod fid;
pub mod import;
pub mod likelihood;
pub mod report;
pub mod sample;
pub mod theory;
pub mod train;

use std::path::PathBuf;

use clap::Args;

/// The flag that names a trained run.
#[derive(Args)]
pub struct CheckpointFlag {
    /// Folder of a finished or running training run (it holds config.toml and checkpoint/)
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
}

/// A positive number, from the command line.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a positive number, such as 0.01".into())
}
