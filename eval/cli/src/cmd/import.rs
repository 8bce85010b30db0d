//! `elbow import`: published weights as a run.

use std::path::{Path, PathBuf};

use clap::Args;
use impls::network::{Dit, Model};
use impls::train::{Checkpoint, DataShape, NetworkConfig, ObjectiveConfig, Settings};
use serde_json::json;

use elbow_base::atomic_file;
use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Example:
  elbow import mdlm-owt.safetensors --preset mdlm-owt --set alphabet=tokenizer:gpt2/tokenizer.json --run out/runs/mdlm
  elbow likelihood --checkpoint out/runs/mdlm --dataset ./my.txt --split all

Reads the state dict of an MDLM diffusion transformer (.safetensors, or what torch.save wrote), and writes a run folder that
likelihood and sample take. Every tensor of the file must have its place in the network. The preset says what the weights are of:
objective, data, sequence length; the sizes are those of the tensors. The weights stand for the averaged ones too.")]
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

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let named = Settings::resolve(&arguments.preset, &arguments.set)?;
    if !matches!(named.network, NetworkConfig::Dit { .. }) {
        let what = format!("{}: its network is {}", arguments.preset, named.network.name());
        return Err(Failure::input(what, "only the weights of a dit can be imported: --set network=dit"));
    }
    if !matches!(named.objective, ObjectiveConfig::Mdlm(_)) {
        let what = format!("{}: its implementation is {}", arguments.preset, named.implementation());
        return Err(Failure::input(what, "the weights are those of MDLM: use an mdlm preset"));
    }
    if arguments.run.exists() {
        let what = format!("{} exists", arguments.run.display());
        return Err(Failure::input(what, "name a new folder with --run"));
    }
    let length = named.data.sequence_length.ok_or_else(|| {
        Failure::input("sequence_length is missing", "name the window with --set sequence_length=1024")
    })?;
    let network = Dit::import(&arguments.file, length, named.time_conditioning, &workspace.device)?;
    let shape = *network.shape();
    let sizes = [
        ("width", shape.width),
        ("heads", shape.heads),
        ("layers", shape.layers),
        ("condition_width", shape.condition),
    ];
    let settings = named.with(&sizes.map(|(name, size)| format!("{name}={size}")))?;
    let model = Model::from(network);
    let data = DataShape { values: shape.values, length, classes: 0, image: None };
    let hash = impls::hash::sha256(&std::fs::read(&arguments.file).map_err(Failure::reading(&arguments.file))?);
    write_run(&arguments.run, &settings, &model, (data, &format!("imported from weights {hash}")))?;
    let parameters = model.parameters();
    let result = json!({
        "run": arguments.run, "parameters": parameters, "values": data.values, "width": shape.width,
        "heads": shape.heads, "layers": shape.layers, "weights_sha256": hash,
    });
    workspace.print(&result, || {
        let size =
            format!("{} layers, {} wide, {} heads, {} values", shape.layers, shape.width, shape.heads, data.values);
        format!("{parameters} parameters: {size}\n{}", arguments.run.display())
    })
}

/// A run folder without a past: settings, and a checkpoint at step 0.
fn write_run(run: &Path, settings: &Settings, model: &Model, about: (DataShape, &str)) -> Result<(), Failure> {
    std::fs::create_dir_all(run).map_err(Failure::writing(run))?;
    atomic_file::write(&run.join("config.toml"), settings.to_toml().as_bytes())?;
    Ok(Checkpoint::of_run(run).save(0, model, model, Vec::new(), about)?)
}
