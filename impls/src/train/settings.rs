//! The settings of a training run: a flat TOML table in which every value is visible, read once into types.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::data_config::DataConfig;
use super::flat::{Reader, check_fraction};
use super::network_config::NetworkConfig;
use super::objective_config::ObjectiveConfig;
use super::presets::PRESETS;
use crate::data::{Spec, Split};
use crate::diffusion_model::Objective;
use crate::error::{Error, Result, UnknownName};
use crate::gaussian::Gaussian;
use crate::time_law::TimeLaw;
use crate::time_sampling::TimeSampling;

/// Every setting, in the order in which a run's settings are written. The order is part of the hash that names a run's
/// folder.
#[rustfmt::skip]
pub(super) const KEYS: [&str; 60] = [
    "implementation", "dataset", "test_dataset", "test_fraction", "split_seed", "alphabet", "sequence_length",
    "mask_id", "frame", "documents", "detokenizer",
    "schedule", "weighting", "timesteps", "prediction", "sigma_data", "noise_levels", "protocol", "form", "mask_rates",
    "normaliser", "label_smoothing", "kernel", "hybrid", "block_size", "time_sampling", "time_law",
    "network", "width", "heads", "layers", "hidden", "perceptron", "positions", "embedding", "patch_size", "fourier",
    "resolutions", "patches", "time_conditioning", "class_conditioning", "condition_width", "label_dropout", "dropout",
    "batch_size", "accumulation", "shards", "steps", "learning_rate", "warmup_steps", "decay", "weight_decay", "beta_1",
    "beta_2", "clip_norm", "ema_decay", "checkpoint_every", "log_every", "evaluate_every", "seed",
];

/// Everything that decides a training run, valid and unchangeable: another run's settings are made by
/// [`Settings::with`]. Settings that the implementation, the data set or the network needs are present, all others are
/// absent; anything else is an error.
#[derive(Clone, Debug)]
pub struct Settings {
    values: SettingValues,
    /// The flat table, with names as they were given: `vdm` means `fixed-linear:-13.3:5`, but is written as `vdm`.
    table: toml::Table,
}

/// The values of [`Settings`].
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

impl Settings {
    /// Reads a bundled preset by name, or a TOML file by path, and applies `key=value` overrides. A key that the preset
    /// does not have is set if it is a setting at all, and taken away with the value `none`.
    ///
    /// ```
    /// use elbow_impls::train::{ObjectiveConfig, Settings};
    ///
    /// let settings = Settings::resolve("md4-digits", &["weighting=sigmoid:2".into(), "steps=100".into()])?;
    /// assert!(matches!(&settings.objective, ObjectiveConfig::Md4(md4) if md4.weighting.to_string() == "sigmoid:2"));
    /// assert_eq!((settings.steps, settings.data.shape()?.values), (100, 17));
    /// assert!(settings.with(&["protocol=exact".into()]).is_err(), "a setting of mdlm");
    /// # Ok::<(), elbow_impls::Error>(())
    /// ```
    pub fn resolve(preset: &str, overrides: &[String]) -> Result<Self> {
        let text = match PRESETS.iter().find(|(name, _)| *name == preset) {
            Some((_, text)) => (*text).to_owned(),
            None if preset.ends_with(".toml") => {
                let path = Path::new(preset);
                fs::read_to_string(path).map_err(Error::io(path))?
            }
            None if Path::new(preset).exists() => {
                return Err(Error::Setting(format!("{preset}: the name of a preset's file must end in .toml")));
            }
            None => {
                let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).chain(["FILE.toml"]).collect();
                return Err(UnknownName::new("preset", preset, &known).into());
            }
        };
        let table: toml::Table =
            text.parse().map_err(|e: toml::de::Error| Error::Setting(format!("preset {preset}: {}", e.message())))?;
        Self::changed(table, overrides)
    }

    /// These settings with `key=value` overrides, as in [`Settings::resolve`].
    pub fn with(&self, overrides: &[String]) -> Result<Self> {
        Self::changed(self.table.clone(), overrides)
    }

    /// Reads `config.toml` of a run.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| Error::format(path, e.message()))?;
        // With the nearest name, where one is unknown.
        Self::read(table).map_err(|error| Error::format(path, elbow_base::Error::from(error).to_string()))
    }

    fn changed(mut table: toml::Table, overrides: &[String]) -> Result<Self> {
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
                    Error::Setting(format!("--set {key}={value}: expected {}, such as {old}", in_words(old)))
                })?,
                None => value.parse().unwrap_or_else(|_| value.into()),
            };
            table.insert(key.to_owned(), new);
        }
        Self::read(table)
    }

    /// Reads a flat table, every key of which must have a meaning.
    fn read(table: toml::Table) -> Result<Self> {
        table.keys().try_for_each(|key| check_known(key))?;
        let mut from = Reader { rest: table, taken: toml::Table::new(), of: String::new() };
        let values = SettingValues::read(&mut from)?;
        if let Some(key) = KEYS.iter().find(|key| from.rest.contains_key(**key)) {
            let of = match key {
                key if NetworkConfig::KEYS.contains(key) => format!("network {}", values.network.name()),
                key if DataConfig::KEYS.contains(key) && values.data.division.test_dataset.is_some() => {
                    "images that test_dataset divides".to_owned()
                }
                key if DataConfig::KEYS.contains(key) => format!("dataset {}", values.data.dataset),
                _ => format!("implementation {}", values.implementation()),
            };
            return Err(Error::Setting(format!("{key} has no meaning for {of}: take it out, or --set {key}=none")));
        }
        values.check_network()?;
        Ok(Self { values, table: from.taken })
    }

    /// The value of a setting, if it is present.
    pub(super) fn value(&self, key: &str) -> Option<&toml::Value> {
        self.table.get(key)
    }

    /// Hash of the settings that say what the weights are of: objective and network. The data have hashes of their own,
    /// and the settings after them may be changed without another meaning of the weights.
    pub fn model_hash(&self) -> String {
        let first = KEYS.iter().position(|key| *key == "schedule").unwrap_or(0);
        let end = KEYS.iter().position(|key| *key == "dropout").unwrap_or(KEYS.len());
        let named = std::iter::once(&"implementation").chain(&KEYS[first..end]);
        let lines: Vec<String> = named.filter_map(|key| Some(format!("{key} = {}\n", self.table.get(*key)?))).collect();
        crate::hash::sha256(lines.concat().as_bytes())
    }

    /// The settings as a TOML document.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat table of numbers and texts is always a TOML document")
    }
}

impl SettingValues {
    fn read(from: &mut Reader) -> Result<Self> {
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

impl Deref for Settings {
    type Target = SettingValues;

    fn deref(&self) -> &SettingValues {
        &self.values
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(KEYS.iter().filter_map(|key| Some((key, self.table.get(*key)?))))
    }
}

/// Rejects an unknown key.
fn check_known(key: &str) -> Result<()> {
    match KEYS.contains(&key) {
        true => Ok(()),
        false => Err(UnknownName::new("setting", key, &KEYS).into()),
    }
}

/// The kind of a value.
fn in_words(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        _ => "a list",
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
