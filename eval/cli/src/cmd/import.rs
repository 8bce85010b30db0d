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
the sizes are those of the tensors. A prefix that all names share is taken off.

Where the file has averaged weights beside the raw ones (ema, model_ema, ema.shadow_params, ...),
the averaged ones are taken, or with --raw the others; the run says which. Half and double
precision become single.")]
pub struct Arguments {
    /// The weights
    file: PathBuf,
    /// The preset, or TOML file, that says what they are of
    #[arg(long, default_value = "mdlm-owt")]
    preset: String,
    /// Change a setting
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take the raw weights where the file has averaged ones too
    #[arg(long)]
    raw: bool,
    /// The mask's token, or its id, where it is not the last of the vocabulary: [MASK] or 103, as in the models over the
    /// tokens of BERT. The ids above it move down by one, in the network and in its texts
    #[arg(long, value_name = "N|TOKEN")]
    mask_id: Option<String>,
    /// Folder of the run to write
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let mask = arguments.mask_id.iter().map(|mask| format!("mask_id={mask}"));
    let changes: Vec<String> = arguments.set.iter().cloned().chain(mask).collect();
    let settings = Settings::resolve(&arguments.preset, &changes)?;
    let made =
        import(workspace, &arguments.file, settings, arguments.raw, &arguments.run).map_err(written_by("--run DIR"))?;
    let Imported { parameters, values, width, heads, layers, .. } = made;
    let result = json!({
        "run": arguments.run, "parameters": parameters, "values": values, "width": width,
        "heads": heads, "layers": layers, "weights_sha256": made.weights_sha256,
        "weights": made.weights, "alphabet": made.alphabet, "tokens": made.tokens,
    });
    workspace.print(&result, || {
        let size = format!("{layers} layers, {width} wide, {heads} heads, {values} values");
        format!(
            "{parameters} parameters: {size}\nof {}\ntokens of {}, which has {}\n{}",
            made.weights,
            made.alphabet,
            made.tokens,
            arguments.run.display()
        )
    })
}
