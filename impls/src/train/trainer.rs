//! The training loop.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

use super::checkpoint::{Checkpoint, Origin, State};
use super::continuing::{check_continues, origin, other_run};
use super::log::{MetricsLog, Progress};
use super::settings::Settings;
use super::{ema, optimizer};
use crate::data::{DataShape, Dataset};
use crate::diffusion_model::Objective;
use crate::error::{Error, Result};
use crate::key::{Key, open_uniform, permutation};
use crate::network::{Model, rows_tensor};
use crate::objective::Batch;
use crate::time_sampling::TimeSampling;
use elbow_base::{FolderLock, Workers, atomic_file};

/// A model in training.
pub struct Trainer<'a> {
    settings: Settings,
    objective: Objective,
    times: TimeSampling,
    data: &'a dyn Dataset,
    /// The devices that share a step; weights and optimiser are on the first.
    devices: Vec<Device>,
    model: Model,
    ema: Model,
    optimizer: ModuleOptimizer,
    workers: Workers,
    step: u64,
    /// Step of the newest checkpoint of this run.
    saved: Option<u64>,
    /// Where the weights come from that it began with, if not from its seed.
    origin: Option<Origin>,
    /// The current epoch's order of the data.
    order: Option<(u64, Vec<usize>)>,
}

impl<'a> Trainer<'a> {
    /// A fresh run on one or more devices (plain, not autodiff).
    ///
    /// Several devices share each step as burn's multi-device learner does: the weights are copied to each, the shards
    /// of the batch take the devices in turn, and the gradients are added on the first one, in the order of the shards,
    /// where the optimiser is.
    pub fn new(settings: &Settings, data: &'a dyn Dataset, devices: &[Device]) -> Result<Self> {
        if settings.shards < devices.len() {
            let what = format!("shards = {}: a device without a shard would be idle", settings.shards);
            return Err(Error::Setting(format!("{what}, set shards to {} or a multiple", devices.len())));
        }
        let first = devices.first().ok_or_else(|| Error::Setting("no device to train on".into()))?;
        let device = first.clone().autodiff();
        let shape = settings.network(&DataShape::of(data))?;
        let model =
            Model::new(&shape, settings.objective.learned_schedule(), &Key::new(settings.seed, "weights"), &device)?;
        Ok(Self {
            objective: settings.objective(),
            times: settings.time_sampling,
            optimizer: optimizer::adamw(settings),
            workers: Workers::new(settings.shards.min(settings.batch_size)),
            settings: settings.clone(),
            ema: model.valid(),
            data,
            devices: devices.to_vec(),
            model,
            step: 0,
            saved: None,
            origin: None,
            order: None,
        })
    }

    /// Begins with the averaged weights of another run, and with a fresh optimiser.
    pub fn begin_from(mut self, run: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::of_run(run);
        self.origin = Some(origin(run)?);
        self.model = checkpoint.load_ema(self.model)?;
        self.ema = self.model.valid();
        Ok(self)
    }

    /// Continues from the newest checkpoint in `run`, if there is one.
    pub fn resume(mut self, run: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::of_run(run);
        let Some(state) = checkpoint.state()? else { return Ok(self) };
        if state.dataset_hash != self.data.hash() {
            return Err(other_run(run, "was trained on other data".into(), "other-data"));
        }
        self.model = checkpoint.load_model(self.model)?;
        self.ema = checkpoint.load_ema(self.model.valid())?;
        self.optimizer = optimizer::from_safetensors(self.optimizer, &self.model, &checkpoint.load_optimizer()?)
            .map_err(|what| Error::format(run, format!("optimiser state: {what}")))?;
        self.step = state.step;
        self.saved = Some(state.step);
        self.origin = state.origin;
        Ok(self)
    }

    /// Finished steps.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// The averaged weights, ready for evaluation.
    pub fn ema(&self) -> &Model {
        &self.ema
    }

    /// One optimiser step. What it draws depends on the seed and the step alone.
    pub fn advance(&mut self) -> Result<Progress> {
        let batch = self.batch()?;
        let divisor = self.objective.divisor(&batch) * std::f64::consts::LN_2;
        let mut value = 0.0;
        let mut sum = GradientsAccumulator::new();
        for part in shards(0..batch.len(), self.settings.accumulation) {
            let pieces: Vec<_> = shards(part, self.settings.shards).collect();
            let done = self.workers.map(&pieces, |index, range| -> Result<_> {
                let device = self.devices[index % self.devices.len()].clone().autodiff();
                let model = self.model.clone().fork(&device);
                let loss = self.loss(&model, &batch, range.clone(), &device)?.mul_scalar(1.0 / divisor);
                let value = f64::from(loss.clone().into_scalar::<f32>());
                let gradients = GradientsParams::from_grads(loss.backward(), &model);
                Ok((value, gradients.to_device(&self.devices[0], &model)))
            });
            for piece in done {
                let (part, gradients) = piece?;
                value += part;
                sum.accumulate(&self.model, gradients);
            }
        }
        let mut gradients = sum.grads();
        let norm = optimizer::clip_by_global_norm(&self.model, &mut gradients, self.settings.clip_norm as f32);
        if !value.is_finite() || !norm.is_finite() {
            return Err(self.diverged(format!("the loss is {value} and the gradient's norm {norm}")));
        }
        let learning_rate = optimizer::learning_rate(&self.settings, self.step);
        self.model = self.optimizer.step(learning_rate, self.model.clone(), gradients);
        let decay = ema::warmed_decay(self.settings.ema_decay, self.step);
        self.ema = ema::update(self.ema.clone(), &self.model.valid(), decay);
        self.step += 1;
        Ok(Progress { step: self.step, weighted_loss: value, learning_rate, gradient_norm: f64::from(norm) })
    }

    /// The sum of the losses of a piece of this step's batch.
    fn loss(&self, model: &Model, batch: &Batch, range: Range<usize>, device: &Device) -> Result<Tensor<1>> {
        let number = range.start as u64;
        let mut piece = batch.slice(range);
        piece.dropout = piece.dropout.map(|key| key.fold(number));
        let losses = self.objective.with(model)?.loss(&piece, &self.key("mask").fold(number), device)?;
        let weights: Option<Vec<f64>> = piece.u.iter().map(|&u| self.settings.time_law.weight(u)).collect();
        Ok(match weights {
            Some(weights) => losses * rows_tensor(weights, device),
            None => losses,
        }
        .sum())
    }

    /// Fails where the weights give no finite loss on a part of the next batch: they are neither evaluated nor saved.
    fn check(&mut self) -> Result<()> {
        let batch = self.batch()?;
        let part = shards(0..batch.len(), self.settings.accumulation).next().unwrap_or(0..0);
        let piece = shards(part, self.settings.shards).next().unwrap_or(0..0);
        let device = self.devices[0].clone().autodiff();
        let loss = self.loss(&self.model, &batch, piece, &device)?.into_scalar::<f32>();
        match loss.is_finite() {
            true => Ok(()),
            false => Err(self.diverged(format!("its weights give the next batch a loss of {loss}"))),
        }
    }

    fn diverged(&self, what: String) -> Error {
        Error::Diverged { step: self.step, what, key: self.key("mask").to_string(), kept: self.saved }
    }

    /// The stream of this purpose at this step.
    fn key(&self, purpose: &str) -> Key {
        Key::new(self.settings.seed, purpose).fold(self.step)
    }

    /// This step's sequences, with their places along the noise and their classes.
    fn batch(&mut self) -> Result<Batch> {
        let indices = self.indices();
        let x = self.data.select(&indices)?;
        let u = self.times.draw(x.len(), &self.key("times"));
        let u = u.into_iter().map(|u| self.settings.time_law.place(u)).collect();
        let mut class = Vec::new();
        if self.settings.class_conditioning {
            let null = self.data.classes() as u32;
            let mut rng = self.key("label dropout").rng();
            let hidden = self.settings.label_dropout.unwrap_or(0.0);
            let label = |label: u32| if open_uniform(&mut rng) < hidden { null } else { label };
            class = self.data.labels(&indices).into_iter().map(label).collect();
        }
        let dropout = (self.settings.dropout > 0.0).then(|| self.key("dropout"));
        Ok(Batch { x, class, u, dropout })
    }

    /// Indices of this step's sequences: epoch after epoch, each in its own random order.
    fn indices(&mut self) -> Vec<usize> {
        let n = self.data.len() as u64;
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
    pub fn save(&mut self, run: &Path) -> Result<()> {
        let state = optimizer::to_safetensors(&self.optimizer, &self.model)
            .map_err(|what| Error::format(run, format!("optimiser state: {what}")))?;
        let about = State {
            step: self.step,
            data: DataShape::of(self.data),
            dataset_hash: self.data.hash().to_owned(),
            alphabet_hash: self.data.text().and_then(|text| text.alphabet().hash()).map(str::to_owned),
            model_settings_hash: Some(self.settings.model_hash()),
            files: BTreeMap::new(),
            origin: self.origin.clone(),
        };
        Checkpoint::of_run(run).save(about, &self.model.valid(), &self.ema, state)?;
        self.saved = Some(self.step);
        Ok(())
    }
}

/// `range` cut into `count` ranges of nearly equal size, or fewer: none is empty.
fn shards(range: Range<usize>, count: usize) -> impl Iterator<Item = Range<usize>> {
    let (first, size) = (range.start, range.len());
    let count = count.min(size);
    (0..count).map(move |i| first + i * size / count..first + (i + 1) * size / count)
}

/// Code that is called while [`train`] runs.
pub trait TrainingCallback {
    /// Called after every step.
    fn step(&mut self, progress: &Progress);

    /// Called every `evaluate_every` steps: returns numbers to be logged, by name, such as the bound on held-out data.
    fn evaluate(&mut self, trainer: &Trainer) -> Result<Vec<(String, f64)>>;
}

/// Trains to the end in the folder `run`, resuming what is there. A new run begins with the averaged weights of the run `from`,
/// if one is named.
///
/// The folder gets `config.toml` first, then `metrics.jsonl`, `events/` (for TensorBoard) and `checkpoint/`. It is locked meanwhile.
pub fn train(
    settings: &Settings,
    data: &dyn Dataset,
    devices: &[Device],
    run: &Path,
    from: Option<&Path>,
    callback: &mut dyn TrainingCallback,
) -> Result<()> {
    fs::create_dir_all(run).map_err(Error::writing(run))?;
    let _lock = FolderLock::take(run)?;
    let config = run.join("config.toml");
    let begun = Checkpoint::of_run(run).state()?;
    if let Some(state) = &begun {
        check_continues(settings, state, &config, from)?;
    }
    let mut trainer = Trainer::new(settings, data, devices)?;
    trainer = match (begun, from) {
        (None, Some(from)) => {
            let mut trainer = trainer.begin_from(from)?;
            trainer.save(run)?;
            trainer
        }
        _ => trainer.resume(run)?,
    };
    // Only once the settings are known to fit the data.
    atomic_file::write(&config, settings.to_toml().as_bytes())?;
    let mut log = MetricsLog::open(run, trainer.steps_done())?;
    while trainer.steps_done() < settings.steps {
        let progress = trainer.advance()?;
        callback.step(&progress);
        let (step, last) = (progress.step, progress.step == settings.steps);
        if last || step.is_multiple_of(settings.log_every) {
            log.progress(&progress)?;
        }
        let evaluates = settings.evaluate_every > 0 && (last || step.is_multiple_of(settings.evaluate_every));
        let saves = last || step.is_multiple_of(settings.checkpoint_every);
        if evaluates || saves {
            trainer.check()?;
        }
        if evaluates {
            log.evaluation(step, callback.evaluate(&trainer)?)?;
        }
        if saves {
            trainer.save(run)?;
        }
    }
    Ok(())
}
