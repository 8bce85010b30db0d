//! `elbow import`: published weights as a run.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::runs::{Imported, import};
use elbow_harness::workspace::Workspace;
use elbow_impls::train::Settings;
use serde_json::json;

use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow import mdlm-owt.safetensors --preset mdlm-owt --set alphabet=tokenizer:gpt2/tokenizer.json --run out/runs/mdlm
  elbow likelihood --checkpoint out/runs/mdlm --dataset ./my.txt --split all

Reads the state dict of an MDLM diffusion transformer (.safetensors, or what torch.save wrote),
and writes a run folder that likelihood and sample take. Every tensor of the file must have its
place in the network. The preset says what the weights are of: objective, data, sequence length;
the sizes are those of the tensors. The weights stand for the averaged ones too.")]
pub struct Arguments {
    /// The weights
    file: PathBuf,
    /// The preset, or TOML file, that says what they are of
    #[arg(long, default_value = "mdlm-owt")]
    preset: String,
    /// Change a setting
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the run to write
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let settings = Settings::resolve(&arguments.preset, &arguments.set)?;
    let made = import(workspace, &arguments.file, settings, &arguments.run).map_err(written_by("--run DIR"))?;
    let Imported { parameters, values, width, heads, layers, .. } = made;
    let result = json!({
        "run": arguments.run, "parameters": parameters, "values": values, "width": width,
        "heads": heads, "layers": layers, "weights_sha256": made.weights_sha256,
    });
    workspace.print(&result, || {
        let size = format!("{layers} layers, {width} wide, {heads} heads, {values} values");
        format!("{parameters} parameters: {size}\n{}", arguments.run.display())
    })
}
