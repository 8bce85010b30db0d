//! `elbow train`: train a model from a preset.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::runs::run_training_from;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::Split;
use elbow_impls::train::log::read_progress;
use elbow_impls::train::{Checkpoint, PRESETS, Plan, Settings};
use serde_json::json;

use crate::flags::positive;
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow train md4-digits
  elbow train md4-digits --set weighting=simple --set steps=2000 --run runs/simple
  elbow train ar-shakespeare --set dataset=kjv
  elbow train md4-digits --from out/runs/md4-digits --set learning_rate=1e-4 --run runs/on
  elbow train md4-digits --set dataset=photos/ --dry-run
  elbow train md4-imagenet64 --dry-run --throughput 300

Images of one's own are a folder (its folders are the classes), or an npz, npy or IDX file; all of
one size. A tenth of them, chosen with the seed split_seed = 0, test: set test_fraction, or name
others with test_dataset; a folder with train/ and test/ is divided by them.

A run killed at any moment goes on from its last checkpoint when the same command is given again.
log_every, checkpoint_every and evaluate_every may then be others; so may steps, unless the learning rate decays over them.")]
pub struct Arguments {
    /// Name of a preset (see --list), or a TOML file
    #[arg(required_unless_present = "list")]
    preset: Option<String>,
    /// Name the presets and stop
    #[arg(long)]
    list: bool,
    /// Change a setting
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the run [default: OUT/runs/PRESET]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Begin a new run with the averaged weights of this run and a fresh optimiser
    #[arg(long, value_name = "RUN")]
    from: Option<PathBuf>,
    /// Print the resolved settings and what a run of them would take (parameters, operations, memory, time), and stop
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: operations that a device does in the long run, in TFLOP/s, above 0
    #[arg(long, value_name = "TFLOPS", default_value_t = 100.0, requires = "dry_run", value_parser = positive)]
    throughput: f64,
    /// With --dry-run: devices that share each step, 1 or more
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "dry_run", value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let Some(preset) = arguments.preset.as_ref().filter(|_| !arguments.list) else {
        let names: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        return workspace.print(&names, || names.join("\n"));
    };
    let mut overrides = arguments.set.clone();
    if workspace.seed != 0 {
        overrides.push(format!("seed={}", workspace.seed));
    }
    let settings = Settings::resolve(preset, &overrides)?;
    if arguments.dry_run {
        return plan(workspace, arguments, &settings);
    }
    let data = workspace.open(&settings.data(Split::Train))?;
    let name = if PRESETS.iter().any(|(name, _)| name == preset) { preset } else { "custom" };
    let run = arguments.run.clone().unwrap_or_else(|| workspace.out.join("runs").join(name));
    let option = if arguments.run.is_some() { "--run DIR" } else { "--out DIR" };
    run_training_from(workspace, &settings, data.as_ref(), &run, arguments.from.as_deref())
        .map_err(written_by(option))?;
    let last = read_progress(&run)?.last().copied();
    let state = Checkpoint::of_run(&run).state()?;
    let result = json!({
        "run": run, "steps": settings.steps, "dataset": data.name(), "dataset_hash": data.hash(),
        "last": last, "checkpoint_hash": state.as_ref().map(|state| &state.files["ema.safetensors"]),
        "origin": state.as_ref().and_then(|state| state.origin.as_ref()),
    });
    workspace.print(&result, || {
        let loss = last.map_or(f64::NAN, |p| p.weighted_loss);
        format!(
            "trained {} steps of {} on {}; the last batch's training loss is {loss:.3}\n{run}\nnext: elbow likelihood --checkpoint {run}",
            settings.steps,
            settings.implementation(),
            data.name(),
            run = run.display()
        )
    })
}

/// Prints the settings as TOML, with the cost of a run as comments.
fn plan(workspace: &Workspace, arguments: &Arguments, settings: &Settings) -> Result<(), Error> {
    if settings.shards < arguments.devices as usize {
        let what = format!("--devices {}: the batch is cut into shards = {}", arguments.devices, settings.shards);
        return Err(Error::input(what, format!("--set shards={} or a multiple", arguments.devices)));
    }
    let shape = if settings.data.is_own_images() {
        workspace.open(&settings.data(Split::Test))?;
        let shape = workspace.open(&settings.data(Split::Train))?.shape();
        settings.network(&shape)?;
        Ok(shape)
    } else {
        settings.data.shape()
    };
    let plan = shape.and_then(|data| Plan::new(settings, &data));
    let mut document = serde_json::to_value(settings).map_err(|e| Error::internal(e.to_string()))?;
    let hours = |plan: &Plan| plan.hours(arguments.throughput * 1e12, arguments.devices as usize);
    document["plan"] = match &plan {
        Ok(plan) => json!({
            "throughput_tflops": arguments.throughput, "devices": arguments.devices, "hours": hours(plan), "of": plan,
        }),
        Err(unknown) => json!({ "unknown": unknown.to_string() }),
    };
    workspace.print(&document, || {
        let lines = match &plan {
            Ok(plan) => in_words(plan, arguments, hours(plan)),
            Err(unknown) => vec![format!("what it takes is not known: {unknown}")],
        };
        let comments: String = lines.iter().map(|line| format!("\n# {line}")).collect();
        format!("{}\n{comments}", settings.to_toml().trim_end())
    })
}

/// A plan in words, one number per line.
fn in_words(plan: &Plan, arguments: &Arguments, hours: f64) -> Vec<String> {
    let gigabytes = |bytes: u64| short(bytes as f64 / 1e9);
    let memory = plan.memory;
    let parts = [
        ("weights", memory.weights),
        ("gradients", memory.gradients),
        ("AdamW", memory.moments),
        ("average", memory.average),
        ("activations, estimated", memory.activations),
    ];
    let parts = parts.map(|(name, bytes)| format!("{name} {}", gigabytes(bytes))).join(", ");
    vec![
        format!("parameters       {} M", short(plan.parameters as f64 / 1e6)),
        format!("forward pass     {} GFLOP per sequence", short(plan.forward_operations / 1e9)),
        format!(
            "step             {} TFLOP; a derivative costs two more forward passes",
            short(plan.step_operations / 1e12)
        ),
        format!("all steps        {:.3e} FLOP in {} steps", plan.total_operations, plan.steps),
        format!("memory           {} GB, all on one device: {parts}", gigabytes(memory.total)),
        format!(
            "time             {} h, if {} x {} TFLOP/s are sustained",
            short(hours),
            arguments.devices,
            arguments.throughput
        ),
    ]
}

/// A number with three digits.
fn short(number: f64) -> String {
    let digits = (2.0 - number.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{number:.digits$}")
}
