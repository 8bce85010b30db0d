//! `elbow bench case`: one problem for all contestants.

use std::path::PathBuf;

use clap::Args;
use elbow_harness::timing::Case;

use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

#[derive(Args)]
pub struct Arguments {
    /// A preset of masked diffusion in continuous time under the linear schedule, such as md4-digits
    preset: String,
    /// Folder to write: run/, batch.npz, data.npz
    to: PathBuf,
    /// Changes to the preset; the case's weights are those after `steps`, 20 unless it is said
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let case = Case::write(workspace, &arguments.preset, &arguments.set, &arguments.to)?;
    let sequences = case.data.len();
    let result = serde_json::json!({ "case": arguments.to, "sequences": sequences });
    workspace.print(&result, || format!("{} with {sequences} sequences", arguments.to.display()))
}
