//! `elbow train`: train a model from a preset.

use std::path::PathBuf;

use clap::Args;
use impls::data::{Dataset, Split};
use impls::train::log::read_progress;
use impls::train::{Checkpoint, DataShape, PRESETS, Plan, Progress, Settings, Trainer, Watch, train};
use serde_json::json;

use crate::failure::Failure;
use crate::likelihood::{Estimator, Question};
use crate::sampling::{self, Request};
use crate::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow train md4-digits
  elbow train md4-digits --set weighting=simple --set steps=2000 --run runs/simple
  elbow train ar-shakespeare --set dataset=kjv
  elbow train md4-imagenet64 --dry-run --throughput 300

A run killed at any moment goes on from its last checkpoint when the same command is given again.")]
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
    /// Print the resolved settings and what a run of them would take (parameters, operations, memory, time), and stop
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: operations that a device does in the long run, in TFLOP/s
    #[arg(long, value_name = "TFLOPS", default_value_t = 100.0, requires = "dry_run")]
    throughput: f64,
    /// With --dry-run: devices that share each step
    #[arg(long, value_name = "COUNT", default_value_t = 1, requires = "dry_run", value_parser = clap::value_parser!(u32).range(1..))]
    devices: u32,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let Some(preset) = arguments.preset.as_ref().filter(|_| !arguments.list) else {
        let names = PRESETS.map(|(name, _)| name);
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
    run_training(workspace, &settings, data.as_ref(), &run)?;
    let last = read_progress(&run)?.last().copied();
    let result = json!({
        "run": run, "steps": settings.steps, "dataset": data.name(), "dataset_hash": data.hash(),
        "last": last, "checkpoint_hash": Checkpoint::of_run(&run).ema_hash()?,
    });
    workspace.print(&result, || {
        let loss = last.map_or(f64::NAN, |p| p.weighted_loss);
        format!(
            "trained {} steps of {} on {}; the last batch's training loss is {loss:.3}\n{}",
            settings.steps,
            settings.implementation,
            data.name(),
            run.display()
        )
    })
}

/// The settings, and what a run of them would take, as comments of the same TOML document.
fn plan(workspace: &Workspace, arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if !(arguments.throughput > 0.0 && arguments.throughput.is_finite()) {
        return Err(Failure::input(format!("--throughput {}", arguments.throughput), "give TFLOP/s, as 100"));
    }
    if settings.shards < arguments.devices as usize {
        let what = format!("--devices {}: the batch is cut into shards = {}", arguments.devices, settings.shards);
        return Err(Failure::input(what, format!("--set shards={} or a multiple", arguments.devices)));
    }
    let plan = DataShape::named(settings).and_then(|data| Plan::new(settings, &data));
    let mut document = serde_json::to_value(settings).map_err(|e| Failure::internal(e.to_string()))?;
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

/// A plan, a number a line.
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
        format!("forward pass     {} GFLOP a sequence", short(plan.forward_operations / 1e9)),
        format!(
            "step             {} TFLOP; a derivative costs two more forward passes",
            short(plan.step_operations / 1e12)
        ),
        format!("all steps        {:.3e} FLOP in {} steps", plan.total_operations, plan.steps),
        format!("memory           {} GB, all on one device: {parts}", gigabytes(memory.total)),
        format!(
            "time             {} h, {} x {} TFLOP/s sustained",
            short(hours),
            arguments.devices,
            arguments.throughput
        ),
    ]
}

/// Three digits, whatever the size.
fn short(number: f64) -> String {
    let digits = (2.0 - number.abs().log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{number:.digits$}")
}

/// Trains to the end with a progress bar, evaluating on held-out data as the settings say.
pub fn run_training(
    workspace: &Workspace,
    settings: &Settings,
    data: &dyn Dataset,
    run: &std::path::Path,
) -> Result<(), Failure> {
    // Texts have a valid split; images have only test images beside those that train.
    let held_out = match settings.evaluate_every {
        0 => None,
        _ => Some(
            workspace.open(&settings.data(Split::Valid)).or_else(|_| workspace.open(&settings.data(Split::Test)))?,
        ),
    };
    let mut observer = Observer { workspace, settings, run, held_out, smooth: f64::NAN, failed: None };
    workspace.bar.start(settings.steps, &format!("train {}", settings.implementation));
    let outcome = train(settings, data, &workspace.devices, run, &mut observer);
    workspace.bar.finish();
    // What went wrong while evaluating says it better than the loop that it stopped.
    match observer.failed {
        Some(failure) => Err(failure),
        None => Ok(outcome?),
    }
}

/// Sequences of held-out data, and draws of each, in an evaluation while training.
const EVALUATED: usize = 256;
const DRAWS: usize = 4;
/// Samples in a grid while training.
const SHOWN: usize = 16;

/// Shows progress; evaluates and samples the averaged weights.
struct Observer<'a> {
    workspace: &'a Workspace,
    settings: &'a Settings,
    run: &'a std::path::Path,
    held_out: Option<Box<dyn Dataset>>,
    smooth: f64,
    /// Why an evaluation failed.
    failed: Option<Failure>,
}

impl Watch for Observer<'_> {
    fn step(&mut self, progress: &Progress) {
        let loss = progress.weighted_loss;
        self.smooth = if self.smooth.is_nan() { loss } else { 0.95 * self.smooth + 0.05 * loss };
        self.workspace.bar.set(progress.step, format!("loss {:.3}", self.smooth));
    }

    fn evaluate(&mut self, trainer: &Trainer) -> impls::Result<Vec<(String, f64)>> {
        self.numbers(trainer).map_err(|failure| {
            let stop = impls::Error::Setting(failure.to_string());
            self.failed = Some(failure);
            stop
        })
    }
}

impl Observer<'_> {
    fn numbers(&self, trainer: &Trainer) -> Result<Vec<(String, f64)>, Failure> {
        let Some(data) = &self.held_out else { return Ok(Vec::new()) };
        let objective = self.settings.objective()?;
        let question = Question {
            model: objective.with(trainer.ema())?,
            data: data.as_ref(),
            conditional: self.settings.class_conditioning,
            estimator: Estimator::Auto,
            draws: DRAWS,
            sequences: Some(EVALUATED),
            target: None,
            seed: self.settings.seed,
        };
        let quiet = crate::progress::Bar::new(true);
        let bound = question.answer(&self.workspace.device, &quiet)?;
        let folder = self.run.join("samples");
        let name = format!("step-{:07}", trainer.steps_done());
        let request = Request::new(self.settings, trainer.ema(), SHOWN, data.length(), self.settings.seed);
        let made = sampling::draw(&self.workspace.device, self.settings, trainer.ema(), &request, &quiet)?;
        sampling::save(self.workspace, &folder, &name, &made.tokens, data.as_ref())?;
        let b = bound.bits_per_dim;
        Ok(vec![
            ("nelbo_bits_per_dim".into(), b.value),
            ("nelbo_standard_error".into(), b.standard_error),
            ("nelbo_sequences".into(), bound.sequences as f64),
        ])
    }
}
