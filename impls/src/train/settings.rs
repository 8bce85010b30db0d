//! The settings of a training run: flat, one screen, every value visible.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, UnknownName};
use crate::md4::Md4;
use crate::network::TransformerShape;
use crate::schedule::MaskedSchedule;
use crate::times::TimeSampling;
use crate::weighting::Weighting;

/// The bundled presets: name and text.
pub const PRESETS: [(&str, &str); 1] = [("md4-digits", include_str!("../../presets/md4-digits.toml"))];

/// Everything that decides a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `md4`.
    pub implementation: String,
    /// `digits`.
    pub dataset: String,
    /// Masking schedule: `linear`, `cosine`, `poly:W`, `geometric`, `loglinear`.
    pub schedule: String,
    /// Weighting of the training loss: `elbo`, `sigmoid:B`, `fm`, `simple`, `iddpm`, `edm`, ...
    pub weighting: String,
    /// `independent`, `stratified` or `rotated`.
    pub time_sampling: String,
    /// Width of the transformer; a multiple of `heads`.
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
    /// Sequences a step.
    pub batch_size: usize,
    /// Parts of a batch whose gradients are computed side by side and added in order. Part of the result: another
    /// number rounds differently.
    pub shards: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Peak learning rate of AdamW.
    pub learning_rate: f64,
    /// Steps of linear warm-up; cosine decay to zero follows.
    pub warmup_steps: u64,
    pub weight_decay: f32,
    pub beta_1: f32,
    pub beta_2: f32,
    /// Largest global norm of the gradient; larger ones are scaled down. 0 switches clipping off.
    pub clip_norm: f32,
    /// Decay of the weights' moving average, warmed up as min(decay, (1 + step) / (10 + step)).
    pub ema_decay: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Steps between rows of `metrics.jsonl`.
    pub log_every: u64,
    pub seed: u64,
}

impl Settings {
    /// Reads a bundled preset by name, or a TOML file by path, and applies `key=value` overrides.
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
            let Some(old) = table.get(key) else {
                let known: Vec<&String> = table.keys().collect();
                return Err(UnknownName::new("setting", key, &known).into());
            };
            let new = parse_like(old, value).ok_or_else(|| {
                Error::Setting(format!("--set {key}={value}: expected {} (now {old})", old.type_str()))
            })?;
            table.insert(key.to_owned(), new);
        }
        let settings: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::Setting(format!("preset {preset}: {}", e.message())))?;
        settings.check()?;
        Ok(settings)
    }

    /// Rejects what cannot be trained, naming the setting.
    pub fn check(&self) -> Result<()> {
        if self.implementation != "md4" {
            return Err(UnknownName::new("implementation", &self.implementation, &["md4"]).into());
        }
        self.objective()?;
        self.time_sampling()?;
        let positive = [
            ("width", self.width as u64),
            ("heads", self.heads as u64),
            ("layers", self.layers as u64),
            ("batch_size", self.batch_size as u64),
            ("shards", self.shards as u64),
            ("steps", self.steps),
            ("checkpoint_every", self.checkpoint_every),
            ("log_every", self.log_every),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Error::Setting(format!("{name} is 0: it must be at least 1")));
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(Error::Setting(format!("width {} is not a multiple of heads {}", self.width, self.heads)));
        }
        let fractions =
            [("beta_1", f64::from(self.beta_1)), ("beta_2", f64::from(self.beta_2)), ("ema_decay", self.ema_decay)];
        if let Some((name, value)) = fractions.iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
            return Err(Error::Setting(format!("{name} = {value}: it must lie in [0, 1)")));
        }
        let rates = [
            ("learning_rate", self.learning_rate),
            ("weight_decay", f64::from(self.weight_decay)),
            ("clip_norm", f64::from(self.clip_norm)),
        ];
        match rates.iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            Some((name, value)) => Err(Error::Setting(format!("{name} = {value}: it must be finite and not negative"))),
            None => Ok(()),
        }
    }

    /// Schedule and weighting.
    pub fn objective(&self) -> Result<Md4> {
        let schedule: MaskedSchedule = self.schedule.parse()?;
        let weighting: Weighting = self.weighting.parse()?;
        Ok(Md4 { schedule, weighting })
    }

    pub fn time_sampling(&self) -> Result<TimeSampling> {
        Ok(self.time_sampling.parse()?)
    }

    /// The network for data of `values` values and `length` tokens.
    pub fn network(&self, values: usize, length: usize) -> TransformerShape {
        TransformerShape { values, length, width: self.width, heads: self.heads, layers: self.layers }
    }

    /// The settings as a TOML document.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a flat struct of numbers and strings is always a TOML document")
    }

    /// Reads `config.toml` of a run.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let settings: Self = toml::from_str(&text).map_err(|e| Error::format(path, e.message()))?;
        settings.check()?;
        Ok(settings)
    }
}

/// `text` as a value of the same type as `old`; whole numbers are taken where a fraction is expected.
fn parse_like(old: &toml::Value, text: &str) -> Option<toml::Value> {
    match old {
        toml::Value::String(_) => Some(text.into()),
        toml::Value::Integer(_) => text.parse::<i64>().ok().map(Into::into),
        toml::Value::Float(_) => text.parse::<f64>().ok().map(Into::into),
        toml::Value::Boolean(_) => text.parse::<bool>().ok().map(Into::into),
        _ => None,
    }
}
