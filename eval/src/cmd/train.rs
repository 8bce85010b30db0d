//! `elbow train`: train a model from a preset.

use std::path::PathBuf;

use clap::Args;
use impls::train::run::read_metrics;
use impls::train::{Checkpoint, PRESETS, Settings, train};
use serde_json::json;

use crate::failure::Failure;
use crate::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow train md4-digits
  elbow train md4-digits --set weighting=simple --set steps=2000 --run runs/simple
  elbow train md4-digits --dry-run

A run killed at any moment goes on from its last checkpoint when the same command is given again.")]
pub struct Arguments {
    /// Name of a preset (md4-digits), or a TOML file
    preset: String,
    /// Change a setting
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the run [default: OUT/runs/PRESET]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Print the resolved settings and stop
    #[arg(long)]
    dry_run: bool,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let mut overrides = arguments.set.clone();
    if workspace.seed != 0 {
        overrides.push(format!("seed={}", workspace.seed));
    }
    let settings = Settings::resolve(&arguments.preset, &overrides)?;
    if arguments.dry_run {
        return workspace.print(&settings, || settings.to_toml().trim_end().to_owned());
    }
    let data = workspace.dataset(&format!("{}:train", settings.dataset))?;
    let name = if PRESETS.iter().any(|(name, _)| *name == arguments.preset) { &arguments.preset } else { "custom" };
    let run = arguments.run.clone().unwrap_or_else(|| workspace.out.join("runs").join(name));
    run_training(workspace, &settings, data.as_ref(), &run)?;
    let last = read_metrics(&run)?.last().copied();
    let result = json!({
        "run": run, "steps": settings.steps, "dataset": data.name(), "dataset_hash": data.hash(),
        "last": last, "checkpoint_hash": Checkpoint::of_run(&run).ema_hash()?,
    });
    workspace.print(&result, || {
        let loss = last.map_or(f64::NAN, |p| p.weighted_loss);
        format!(
            "trained {} steps; the last batch's loss under the {} weighting is {loss:.3}\n{}",
            settings.steps,
            settings.weighting,
            run.display()
        )
    })
}

/// Trains to the end with a progress bar.
pub fn run_training(
    workspace: &Workspace,
    settings: &Settings,
    data: &dyn impls::data::Dataset,
    run: &std::path::Path,
) -> Result<(), Failure> {
    workspace.bar.start(settings.steps, &format!("train {}", settings.weighting));
    let mut smooth = f64::NAN;
    let outcome = train(settings, data, &workspace.device, run, &mut |progress| {
        let loss = progress.weighted_loss;
        smooth = if smooth.is_nan() { loss } else { 0.95 * smooth + 0.05 * loss };
        workspace.bar.set(progress.step, format!("loss {smooth:.3}"));
    });
    workspace.bar.finish();
    Ok(outcome?)
}
