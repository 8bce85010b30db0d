//! The settings of a training run: a flat TOML table in which every value is visible, read once into types.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::data_config::DataConfig;
use super::flat::Reader;
use super::network_config::NetworkConfig;
use super::presets::PRESETS;
use super::setting_values::SettingValues;
use crate::error::{Error, Result, UnknownName};

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
