//! Training a preset to the end, with progress, evaluations and sample grids.

use std::path::Path;

use elbow_base::{Error, Remedy, Silent, memory};
use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::{DataShape, Plan, Progress, Settings, Trainer, TrainingCallback, train};

use crate::device::{self, DeviceName};
use crate::likelihood::BoundEstimation;
use crate::sampling::{self, Request};
use crate::workspace::Workspace;

/// Trains to the end with a progress bar, evaluating on held-out data as the settings say.
pub fn run_training(workspace: &Workspace, settings: &Settings, data: &dyn Dataset, run: &Path) -> Result<(), Error> {
    run_training_from(workspace, settings, data, run, None)
}

/// The same. A new run begins with the averaged weights of the run `from`, if one is named.
pub fn run_training_from(
    workspace: &Workspace,
    settings: &Settings,
    data: &dyn Dataset,
    run: &Path,
    from: Option<&Path>,
) -> Result<(), Error> {
    check_memory(workspace, settings, data)?;
    check_tensors(workspace, settings, data)?;
    // Texts have a valid split; images have only test images beside those that train.
    let held_out = match settings.evaluate_every {
        0 => None,
        _ => Some(
            workspace.open(&settings.data(Split::Valid)).or_else(|_| workspace.open(&settings.data(Split::Test)))?,
        ),
    };
    let mut observer = Observer { workspace, settings, run, held_out, smooth: f64::NAN, failed: None };
    workspace.bar.start(settings.steps, &format!("train {}", settings.implementation()));
    let outcome = train(settings, data, &workspace.devices, run, from, &mut observer);
    workspace.bar.finish();
    // The error of an evaluation has more detail than that of the training that it stopped.
    match observer.failed {
        Some(failure) => Err(failure),
        None => Ok(outcome?),
    }
}

/// Refuses a training on the CPU that needs more memory than there is, before anything is allocated.
fn check_memory(workspace: &Workspace, settings: &Settings, data: &dyn Dataset) -> Result<(), Error> {
    let on_cpu = workspace.device_name.split(',').any(|name| name.parse() == Ok(DeviceName::Cpu));
    let Some(available) = memory::available().filter(|_| on_cpu) else { return Ok(()) };
    let plan = Plan::new(settings, &DataShape::of(data))?;
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let needed = plan.memory.at_least(settings.shards, cores);
    if needed <= available {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let (what, lower) = match plan.memory.activations > plan.memory.total / 2 {
        true => ("activations", "lower batch_size or raise accumulation"),
        false => ("weights, their gradients and averages", "lower width or layers"),
    };
    let message = format!(
        "a step needs about {} of memory, most of it for {what}, and {} are free",
        gigabytes(needed),
        gigabytes(available)
    );
    Err(Error::input(message, format!("{lower}: `elbow train PRESET --dry-run` has the whole estimate")))
}

/// Refuses a training whose tensors are larger than one of the devices holds.
fn check_tensors(workspace: &Workspace, settings: &Settings, data: &dyn Dataset) -> Result<(), Error> {
    let limits = workspace.device_name.split(',').filter_map(|name| Some((device::largest_tensor(name)?, name)));
    let Some((limit, name)) = limits.min() else { return Ok(()) };
    let needed = Plan::new(settings, &DataShape::of(data))?.largest_tensor;
    if needed <= limit {
        return Ok(());
    }
    let [needed, limit] = [needed, limit].map(|bytes| bytes >> 20);
    let what = format!("a step has tensors of {needed} MiB, and device {name:?} holds tensors of up to {limit} MiB");
    let advice = "lower batch_size, or raise accumulation or shards; or use the CPU";
    Err(Error::input(what, advice).mended_by(Remedy::Device))
}

/// Sequences of held-out data, and draws per sequence, in an evaluation during training.
const EVALUATED: usize = 256;
const DRAWS: usize = 4;
/// Samples in a grid during training.
const SHOWN: usize = 16;

/// Callback of a training that shows progress, and evaluates and samples the averaged weights.
struct Observer<'a> {
    workspace: &'a Workspace,
    settings: &'a Settings,
    run: &'a Path,
    held_out: Option<Box<dyn Dataset>>,
    smooth: f64,
    /// Why an evaluation failed.
    failed: Option<Error>,
}

impl TrainingCallback for Observer<'_> {
    fn step(&mut self, progress: &Progress) {
        let loss = progress.weighted_loss;
        self.smooth = if self.smooth.is_nan() { loss } else { 0.95 * self.smooth + 0.05 * loss };
        self.workspace.bar.set(progress.step, format!("loss {:.3}", self.smooth));
    }

    fn evaluate(&mut self, trainer: &Trainer) -> elbow_impls::Result<Vec<(String, f64)>> {
        self.numbers(trainer).map_err(|failure| {
            let stop = elbow_impls::Error::Setting(failure.to_string());
            self.failed = Some(failure);
            stop
        })
    }
}

impl Observer<'_> {
    fn numbers(&self, trainer: &Trainer) -> Result<Vec<(String, f64)>, Error> {
        let Some(data) = &self.held_out else { return Ok(Vec::new()) };
        let objective = self.settings.objective();
        let estimation = BoundEstimation {
            conditional: self.settings.class_conditioning,
            sequences: Some(EVALUATED),
            ..BoundEstimation::new(objective.with(trainer.ema())?, data.as_ref(), DRAWS, self.settings.seed)
        };
        let quiet = Silent;
        let bound = estimation.run(&self.workspace.device, &quiet)?;
        let folder = self.run.join("samples");
        let name = format!("step-{:07}", trainer.steps_done());
        let request = Request::new(self.settings, trainer.ema(), SHOWN, data.length(), self.settings.seed);
        let made = sampling::draw(&self.workspace.device, self.settings, trainer.ema(), &request, &quiet)?;
        sampling::save(self.workspace, &folder, &name, &made, Some(data.as_ref()), &[])?;
        let b = bound.bits_per_dim;
        Ok(vec![
            ("nelbo_bits_per_dim".into(), b.value),
            ("nelbo_standard_error".into(), b.standard_error),
            ("nelbo_sequences".into(), bound.sequences as f64),
        ])
    }
}
