//! The training loop.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, write_atomic};
use super::settings::Settings;
use super::{ema, optimizer};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::key::{Key, permutation};
use crate::md4::Md4;
use crate::network::Transformer;
use crate::times::TimeSampling;
use crate::workers::Workers;

/// One row of `metrics.jsonl`. It holds nothing that differs between two runs of the same settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Finished steps.
    pub step: u64,
    /// The step's training loss under the run's weighting, nats / (D ln 2). Only with the `elbo` weighting is its
    /// mean a likelihood bound (the diffusion term, in bits/dim).
    pub weighted_loss: f64,
    pub learning_rate: f64,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f64,
}

/// A network in training.
pub struct Trainer<'a> {
    settings: Settings,
    objective: Md4,
    times: TimeSampling,
    data: &'a dyn Dataset,
    device: Device,
    model: Transformer,
    ema: Transformer,
    optimizer: ModuleOptimizer,
    workers: Workers,
    step: u64,
    /// The current epoch's order of the data.
    order: Option<(u64, Vec<usize>)>,
}

impl<'a> Trainer<'a> {
    /// A fresh run on `device` (plain, not autodiff).
    pub fn new(settings: &Settings, data: &'a dyn Dataset, device: &Device) -> Result<Self> {
        settings.check()?;
        let device = device.clone().autodiff();
        let shape = settings.network(data.values(), data.tokens().length());
        let model = Transformer::new(&shape, &Key::new(settings.seed, "weights"), &device);
        Ok(Self {
            objective: settings.objective()?,
            times: settings.time_sampling()?,
            optimizer: optimizer::adamw(settings),
            workers: Workers::new(settings.shards),
            settings: settings.clone(),
            ema: model.valid(),
            data,
            device,
            model,
            step: 0,
            order: None,
        })
    }

    /// Continues from the newest checkpoint in `run`, if there is one.
    pub fn resume(mut self, run: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::of_run(run);
        let Some(state) = checkpoint.state()? else { return Ok(self) };
        if state.dataset_hash != self.data.hash() {
            return Err(Error::format(run, "its checkpoint was trained on other data: choose another --out"));
        }
        self.model = checkpoint.load_model(self.model)?;
        self.ema = checkpoint.load_ema(self.model.valid())?;
        self.optimizer = optimizer::from_safetensors(self.optimizer, &self.model, &checkpoint.load_optimizer()?)
            .map_err(|what| Error::format(run, format!("optimiser state: {what}")))?;
        self.step = state.step;
        Ok(self)
    }

    /// Finished steps.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// The averaged weights, ready for evaluation.
    pub fn ema(&self) -> &Transformer {
        &self.ema
    }

    /// One optimiser step. What it draws depends on the seed and the step alone.
    pub fn advance(&mut self) -> Result<Progress> {
        let batch = self.data.select(&self.batch());
        let key = |purpose| Key::new(self.settings.seed, purpose).fold(self.step);
        let times = self.times.draw(batch.len(), &key("times"));
        let shards: Vec<_> = shards(batch.len(), self.settings.shards).collect();
        let scale = 1.0 / (batch.len() as f64 * batch.length() as f64 * std::f64::consts::LN_2);
        let parts = self.workers.map(&shards, |index, range| {
            let model = self.model.clone().fork(&self.device);
            let (x, t) = (batch.slice(range.clone()), &times[range.clone()]);
            let losses = self.objective.loss(&model, &x, t, &key("mask").fold(index as u64), &self.device);
            let loss = losses.sum().mul_scalar(scale);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            (value, GradientsParams::from_grads(loss.backward(), &model))
        });
        let mut value = 0.0;
        let mut sum = GradientsAccumulator::new();
        for (part, gradients) in parts {
            value += part;
            sum.accumulate(&self.model, gradients);
        }
        let mut gradients = sum.grads();
        let norm = optimizer::clip_by_global_norm(&self.model, &mut gradients, self.settings.clip_norm);
        if !value.is_finite() || !norm.is_finite() {
            return Err(Error::Diverged { step: self.step, loss: value });
        }
        let learning_rate = optimizer::learning_rate(&self.settings, self.step);
        self.model = self.optimizer.step(learning_rate, self.model.clone(), gradients);
        let decay = ema::warmed_decay(self.settings.ema_decay, self.step);
        self.ema = ema::update(self.ema.clone(), &self.model.valid(), decay);
        self.step += 1;
        Ok(Progress { step: self.step, weighted_loss: value, learning_rate, gradient_norm: f64::from(norm) })
    }

    /// Indices of this step's sequences: epoch after epoch, each in its own random order.
    fn batch(&mut self) -> Vec<usize> {
        let n = self.data.tokens().len() as u64;
        let first = self.step * self.settings.batch_size as u64;
        (first..first + self.settings.batch_size as u64)
            .map(|position| {
                let epoch = position / n;
                if self.order.as_ref().is_none_or(|(known, _)| *known != epoch) {
                    let mut rng = Key::new(self.settings.seed, "order").fold(epoch).rng();
                    self.order = Some((epoch, permutation(&mut rng, n as usize)));
                }
                self.order.as_ref().map_or(0, |(_, order)| order[(position % n) as usize])
            })
            .collect()
    }

    /// Writes a checkpoint into `run`.
    pub fn save(&self, run: &Path) -> Result<()> {
        let state = optimizer::to_safetensors(&self.optimizer, &self.model)
            .map_err(|what| Error::format(run, format!("optimiser state: {what}")))?;
        let about = (self.data.values(), self.data.tokens().length(), self.data.hash());
        Checkpoint::of_run(run).save(self.step, &self.model.valid(), &self.ema, state, about)
    }
}

/// `batch` rows cut into `count` ranges of nearly equal size.
fn shards(batch: usize, count: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..count).map(move |i| i * batch / count..(i + 1) * batch / count)
}

/// Trains to the end in the folder `run`, resuming what is there; `watch` sees every finished step.
///
/// The folder gets `config.toml` first, then `metrics.jsonl` and `checkpoint/`.
pub fn train(
    settings: &Settings,
    data: &dyn Dataset,
    device: &Device,
    run: &Path,
    watch: &mut dyn FnMut(&Progress),
) -> Result<()> {
    fs::create_dir_all(run).map_err(Error::io(run))?;
    let config = run.join("config.toml");
    if !config.exists() {
        write_atomic(&config, settings.to_toml().as_bytes())?;
    } else if Settings::load(&config)? != *settings {
        return Err(Error::format(run, "holds a run with other settings: choose another --out, or delete it"));
    }
    let mut trainer = Trainer::new(settings, data, device)?.resume(run)?;
    let mut log = MetricsLog::open(run, trainer.steps_done())?;
    while trainer.steps_done() < settings.steps {
        let progress = trainer.advance()?;
        watch(&progress);
        let last = progress.step == settings.steps;
        if last || progress.step.is_multiple_of(settings.log_every) {
            log.write(&progress)?;
        }
        if last || progress.step.is_multiple_of(settings.checkpoint_every) {
            trainer.save(run)?;
        }
    }
    Ok(())
}

/// `metrics.jsonl`, flushed row by row.
struct MetricsLog {
    path: PathBuf,
    file: fs::File,
}

impl MetricsLog {
    /// Keeps the rows up to the checkpoint's step: those after it will be computed again.
    fn open(run: &Path, done: u64) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let kept: String = read_metrics(run)?.iter().filter(|p| p.step <= done).map(line).collect();
        write_atomic(&path, kept.as_bytes())?;
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(Error::io(&path))?;
        Ok(Self { path, file })
    }

    fn write(&mut self, progress: &Progress) -> Result<()> {
        self.file.write_all(line(progress).as_bytes()).map_err(Error::io(&self.path))
    }
}

fn line(progress: &Progress) -> String {
    serde_json::to_string(progress).expect("four numbers always serialise") + "\n"
}

/// The rows of a run's `metrics.jsonl`; none where the file is absent. A torn last line is dropped.
pub fn read_metrics(run: &Path) -> Result<Vec<Progress>> {
    let path = run.join("metrics.jsonl");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io(&path)(e)),
    }
}
