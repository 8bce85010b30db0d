//! The settings of a training run: typed, and written as one flat TOML table in which every value is visible.

use std::fs;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::data_config::DataConfig;
use super::flat::{Entries, Named, Reader, Setting, settings_struct};
use super::network_config::NetworkConfig;
use super::objective_config::ObjectiveConfig;
use super::presets::PRESETS;
use crate::data::{Spec, Split};
use crate::error::{Error, Result, UnknownName};
use crate::gaussian::Gaussian;
use crate::network::LearnedSchedule;
use crate::objective::Objective;
use crate::schedule::MaskedSchedule;
use crate::time_sampling::TimeSampling;

/// Every setting, in the order in which a run's settings are written. The order is part of the hash that names a run's
/// folder.
#[rustfmt::skip]
const KEYS: &[&str] = &[
    "implementation", "dataset", "alphabet", "sequence_length",
    "schedule", "weighting", "timesteps", "prediction", "sigma_data", "noise_levels", "protocol", "form", "mask_rates",
    "normaliser", "label_smoothing", "kernel", "hybrid", "time_sampling",
    "network", "width", "heads", "layers", "hidden", "perceptron", "positions", "embedding", "patch_size", "fourier",
    "resolutions", "patches", "time_conditioning", "class_conditioning", "condition_width", "label_dropout", "dropout",
    "batch_size", "accumulation", "shards", "steps", "learning_rate", "warmup_steps", "decay", "weight_decay", "beta_1",
    "beta_2", "clip_norm", "ema_decay", "checkpoint_every", "log_every", "evaluate_every", "seed",
];

settings_struct! {
    /// Everything that decides a training run. A setting that an implementation, a data set or a network has no use for
    /// is absent; one that it needs and that is missing, or the other way round, is an error.
    pub struct Settings {
        /// The objective that is trained.
        pub objective: ObjectiveConfig,
        /// The data that it is trained on.
        pub data: DataConfig,
        /// The network that is trained.
        pub network: NetworkConfig,

        /// How the times of a batch are drawn: `independent`, `stratified` or `rotated` (ar has no times).
        pub time_sampling: Option<Named<TimeSampling>>,
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
        /// Probability that a sequence's class is hidden in training, for guidance (with `class_conditioning`).
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
        /// The learning rate after the warm-up: `cosine` to zero, or `constant`.
        pub decay: Named<Decay>,
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

impl Settings {
    /// Reads a bundled preset by name, or a TOML file by path, and applies `key=value` overrides. A key that the preset
    /// does not have is set if it is a setting at all, and taken away with the value `none`.
    pub fn resolve(preset: &str, overrides: &[String]) -> Result<Self> {
        let text = match PRESETS.iter().find(|(name, _)| *name == preset) {
            Some((_, text)) => (*text).to_owned(),
            None if preset.ends_with(".toml") => {
                let path = Path::new(preset);
                fs::read_to_string(path).map_err(Error::io(path))?
            }
            None => {
                let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).chain(["FILE.toml"]).collect();
                return Err(UnknownName::new("preset", preset, &known).into());
            }
        };
        let mut table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| Error::Setting(format!("preset {preset}: {}", e.message())))?;
        for pair in overrides {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(Error::Setting(format!("--set {pair:?}: write key=value")));
            };
            check_known(key)?;
            if value == "none" {
                table.remove(key);
                continue;
            }
            let new = match table.get(key) {
                Some(old) => parse_like(old, value).ok_or_else(|| {
                    Error::Setting(format!("--set {key}={value}: expected {} (now {old})", old.type_str()))
                })?,
                None => value.parse().unwrap_or_else(|_| value.into()),
            };
            table.insert(key.to_owned(), new);
        }
        Self::from_table(table)
    }

    /// Reads `config.toml` of a run.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| Error::format(path, e.message()))?;
        // With the nearest name, where one is unknown.
        Self::from_table(table).map_err(|error| Error::format(path, elbow_base::Error::from(error).to_string()))
    }

    /// Reads a flat table, every key of which must have a meaning.
    fn from_table(table: toml::Table) -> Result<Self> {
        table.keys().try_for_each(|key| check_known(key))?;
        let mut reader = Reader { table, variant: None };
        let settings: Self = reader.read("")?;
        for (tag, name, keys) in [
            ("implementation", settings.implementation(), ObjectiveConfig::KEYS),
            ("network", settings.network.name(), NetworkConfig::KEYS),
        ] {
            if let Some(key) = keys.iter().find(|key| reader.table.contains_key(**key)) {
                return Err(no_meaning(key, tag, name));
            }
        }
        settings.check()?;
        Ok(settings)
    }

    /// Rejects what cannot be trained, naming the setting.
    pub fn check(&self) -> Result<()> {
        self.objective()?;
        let is_ar = matches!(self.objective, ObjectiveConfig::Ar {});
        if is_ar && self.time_sampling.is_some() {
            return Err(no_meaning("time_sampling", "implementation", "ar"));
        }
        if !is_ar && self.time_sampling.is_none() {
            let what = format!("time_sampling is missing: implementation {} needs it", self.implementation());
            return Err(Error::Setting(what));
        }
        self.check_network()?;
        let hidden = match &self.network {
            NetworkConfig::Transformer { hidden, .. } => *hidden,
            _ => 1,
        };
        // At most: beyond any machine, and small enough that no product of sizes overflows.
        let sizes = [
            ("width", self.width as u64, 1 << 16),
            ("layers", self.layers as u64, 1 << 12),
            ("hidden", hidden as u64, 1 << 18),
            ("condition_width", self.condition_width.unwrap_or(0).max(1) as u64, 1 << 16),
            ("batch_size", self.batch_size as u64, 1 << 24),
            ("accumulation", self.accumulation as u64, u64::MAX),
            ("shards", self.shards as u64, u64::MAX),
            ("steps", self.steps, u64::MAX),
            ("checkpoint_every", self.checkpoint_every, u64::MAX),
            ("log_every", self.log_every, u64::MAX),
        ];
        for (name, value, most) in sizes {
            if value == 0 {
                return Err(Error::Setting(format!("{name} is 0: it must be at least 1")));
            }
            if value > most {
                return Err(Error::Setting(format!("{name} = {value}: it must be at most {most}")));
            }
        }
        fraction("beta_1", self.beta_1)?;
        fraction("beta_2", self.beta_2)?;
        fraction("ema_decay", self.ema_decay)?;
        fraction("dropout", self.dropout)?;
        fraction("label_dropout", self.label_dropout.unwrap_or(0.0))?;
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("weight_decay", self.weight_decay)?;
        not_negative("clip_norm", self.clip_norm)?;
        Ok(())
    }

    /// The name of the implementation: `md4`, `genmd4`, ...
    pub fn implementation(&self) -> &'static str {
        self.objective.name()
    }

    /// The training objective with its bound.
    pub fn objective(&self) -> Result<Box<dyn Objective>> {
        self.objective.objective()
    }

    /// The objective, where it is one of Gaussian diffusion.
    pub fn gaussian(&self) -> Result<Option<Gaussian>> {
        self.objective.gaussian()
    }

    /// Whether the implementation is one of Gaussian diffusion.
    pub fn is_gaussian(&self) -> bool {
        matches!(
            self.objective,
            ObjectiveConfig::Vdm { .. } | ObjectiveConfig::Flow { .. } | ObjectiveConfig::Edm { .. }
        )
    }

    /// The schedule under which a network that sees the time was trained: t as a function of the share of masks.
    pub fn clock(&self) -> MaskedSchedule {
        self.objective.clock()
    }

    /// The schedule that the model learns beside its network, if any.
    pub fn learned_schedule(&self) -> Option<LearnedSchedule> {
        self.objective.learned_schedule()
    }

    /// The data set, with its split.
    pub fn data(&self, split: Split) -> Spec {
        self.data.spec(split)
    }

    /// The settings as a TOML document.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat table of numbers and texts is always a TOML document")
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut entries = Entries::new();
        self.write("", &mut entries);
        entries.sort_by_key(|(key, _)| KEYS.iter().position(|known| known == key));
        serializer.collect_map(entries)
    }
}

/// Rejects a key that is no setting.
fn check_known(key: &str) -> Result<()> {
    match KEYS.contains(&key) {
        true => Ok(()),
        false => Err(UnknownName::new("setting", key, KEYS).into()),
    }
}

fn no_meaning(key: &str, tag: &str, name: &str) -> Error {
    Error::Setting(format!("{key} has no meaning for {tag} {name}: take it out, or --set {key}=none"))
}

/// A number in \[0, 1).
pub(super) fn fraction(name: &str, value: f64) -> Result<f64> {
    match (0.0..1.0).contains(&value) {
        true => Ok(value),
        false => Err(Error::Setting(format!("{name} = {value}: it must lie in [0, 1)"))),
    }
}

/// A finite number from 0.
pub(super) fn not_negative(name: &str, value: f64) -> Result<f64> {
    match value >= 0.0 && value.is_finite() {
        true => Ok(value),
        false => Err(Error::Setting(format!("{name} = {value}: it must be finite and not negative"))),
    }
}

/// `text` as a value of the same type as `old`; whole numbers are taken where a fraction is expected.
fn parse_like(old: &toml::Value, text: &str) -> Option<toml::Value> {
    match old {
        toml::Value::String(_) => Some(text.into()),
        toml::Value::Integer(_) => text.parse::<i64>().ok().map(Into::into),
        toml::Value::Float(_) => text.parse::<f64>().ok().map(Into::into),
        toml::Value::Boolean(_) => text.parse::<bool>().ok().map(Into::into),
        _ => text.parse().ok(),
    }
}
