//! The values of a training run's settings.

use super::data_config::DataConfig;
use super::flat::{Reader, check_fraction};
use super::network_config::NetworkConfig;
use super::objective_config::ObjectiveConfig;
use crate::data::{Spec, Split};
use crate::diffusion_model::Objective;
use crate::error::Result;
use crate::gaussian::Gaussian;
use crate::time_law::TimeLaw;
use crate::time_sampling::TimeSampling;

/// The values of [`super::Settings`].
#[derive(Clone, Debug)]
pub struct SettingValues {
    /// The objective that is trained.
    pub objective: ObjectiveConfig,
    /// How the times of a batch are drawn: `independent`, `stratified` or `rotated`. Not a setting of ar, which has no
    /// times.
    pub time_sampling: TimeSampling,
    /// The law of the times of a batch, of which `time_sampling` draws the places: `uniform` (where it is absent), `middle-heavy`,
    /// `middle-heavy-weighted` or `clipped:B:W`. A setting of the objectives over tokens whose times the schedule's own law draws.
    pub time_law: TimeLaw,
    /// The data that it is trained on.
    pub data: DataConfig,
    /// The network that is trained.
    pub network: NetworkConfig,
    /// Width of the residual stream; of the convolutions in a U-Net.
    pub width: usize,
    /// Blocks; in a U-Net those of one resolution on the way down.
    pub layers: usize,
    /// Whether the network sees the time.
    pub time_conditioning: bool,
    /// Whether it sees the class of an image.
    pub class_conditioning: bool,
    /// Width of the conditioning vector; needed where there is conditioning, and by a dit.
    pub condition_width: Option<usize>,
    /// Probability that a sequence's class is dropped in training, for guidance (with `class_conditioning`).
    pub label_dropout: Option<f64>,
    /// Probability that dropout sets a number to 0.
    pub dropout: f64,

    /// Sequences per step.
    pub batch_size: usize,
    /// Parts of a batch that are done one after the other, for memory.
    pub accumulation: usize,
    /// Shards of each such part, whose gradients are computed in parallel and added in order. Each shard draws its
    /// masks from a stream of its own, so changing `accumulation` or `shards` changes the result.
    pub shards: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Peak learning rate of AdamW.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// The learning rate after the warm-up: `cosine` or `constant`.
    pub decay: Decay,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f64,
    /// Decay of AdamW's first moment.
    pub beta_1: f64,
    /// Decay of AdamW's second moment.
    pub beta_2: f64,
    /// Largest global norm of the gradient; larger ones are scaled down. 0 switches clipping off.
    pub clip_norm: f64,
    /// Decay of the weights' moving average, warmed up as min(decay, (1 + step) / (10 + step)).
    pub ema_decay: f64,

    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between rows of `metrics.jsonl`.
    pub log_every: u64,
    /// Steps between evaluations of the bound on held-out data and sample grids; 0 for none.
    pub evaluate_every: u64,
    /// Seed of all random numbers of the run.
    pub seed: u64,
}

/// The learning rate after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// Half a cosine, down to 0 at the last step.
    Cosine,
    /// The peak.
    Constant,
}

crate::names!(Decay, "decay": Cosine = "cosine", Constant = "constant");

impl SettingValues {
    pub(super) fn read(from: &mut Reader) -> Result<Self> {
        let objective = ObjectiveConfig::read(from)?;
        let time_sampling = match objective {
            ObjectiveConfig::Ar(_) => TimeSampling::Stratified,
            _ => from.name("time_sampling")?,
        };
        let time_law = match objective.has_time_law() {
            true => from.optional_name("time_law")?.unwrap_or(TimeLaw::Uniform),
            false => TimeLaw::Uniform,
        };
        let network = NetworkConfig::read(from)?;
        from.of.clear();
        // Sizes beyond any machine are refused, so that no product of sizes overflows.
        Ok(Self {
            objective,
            time_sampling,
            time_law,
            data: DataConfig::read(from)?,
            network,
            width: from.size("width", 1 << 16)?,
            layers: from.size("layers", 1 << 12)?,
            time_conditioning: from.needed("time_conditioning")?,
            class_conditioning: from.needed("class_conditioning")?,
            condition_width: from.optional("condition_width")?,
            label_dropout: from.optional("label_dropout")?.map(|p| check_fraction("label_dropout", p)).transpose()?,
            dropout: from.fraction("dropout")?,
            batch_size: from.size("batch_size", 1 << 24)?,
            accumulation: from.size("accumulation", usize::MAX)?,
            shards: from.size("shards", usize::MAX)?,
            steps: from.positive("steps")?,
            learning_rate: from.not_negative("learning_rate")?,
            warmup_steps: from.needed("warmup_steps")?,
            decay: from.name("decay")?,
            weight_decay: from.not_negative("weight_decay")?,
            beta_1: from.fraction("beta_1")?,
            beta_2: from.fraction("beta_2")?,
            clip_norm: from.not_negative("clip_norm")?,
            ema_decay: from.fraction("ema_decay")?,
            checkpoint_every: from.positive("checkpoint_every")?,
            log_every: from.positive("log_every")?,
            evaluate_every: from.needed("evaluate_every")?,
            seed: from.needed("seed")?,
        })
    }

    /// The name of the implementation: `md4`, `genmd4`, ...
    pub fn implementation(&self) -> &'static str {
        self.objective.name()
    }

    /// The training objective with its bound.
    pub fn objective(&self) -> Objective {
        self.objective.objective()
    }

    /// The objective, where it is one of Gaussian diffusion.
    pub fn gaussian(&self) -> Option<&Gaussian> {
        self.objective.gaussian()
    }

    /// Whether the implementation is one of Gaussian diffusion.
    pub fn is_gaussian(&self) -> bool {
        self.gaussian().is_some()
    }

    /// The data set, with its split.
    pub fn data(&self, split: Split) -> Spec {
        self.data.spec(split)
    }
}
