//! The settings of a training run: flat, one screen, every value visible.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::presets::PRESETS;
use crate::data::{Spec, Split};
use crate::error::{Error, Result, UnknownName};

/// Everything that decides a training run. A setting that an implementation, a data set or a network has no use for is
/// absent; one that it needs and that is missing, or the other way round, is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `md4`, `genmd4`, `mdlm`, `maskgit`, `d3pm-absorbing`, `d3pm-uniform`, `any-order`, `ar`, `vdm`, `flow` or `edm`.
    pub implementation: String,

    /// A name of the catalogue (`digits`, `fashion-mnist`, `text8`, ...), or a text file.
    pub dataset: String,
    /// Text: `text8`, `bytes` or `tokenizer:FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    /// Text: tokens a sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_length: Option<usize>,

    /// alpha(t): `linear`, `cosine`, `poly:W`, `geometric`, `loglinear`, or `md4:...` (md4, d3pm-uniform). Gaussian, with its
    /// ends in gamma: `fixed-linear:MIN:MAX`, `cosine:MIN:MAX`, `ot:MIN:MAX`, `normal:MEAN:STD:MIN:MAX` (vdm, flow, edm), or
    /// `learned:MIN:MAX` (vdm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Weighting of the loss: `elbo`, `sigmoid:B`, `fm`, `simple`, `iddpm`, `edm`, ... (md4, vdm, flow, edm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighting: Option<String>,
    /// Steps T of the process, 0 for continuous time (md4, d3pm-absorbing, d3pm-uniform, vdm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timesteps: Option<u32>,
    /// What the network predicts: `eps`, `x` or `v` (vdm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Standard deviation of the data that the preconditioning assumes (edm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma_data: Option<f64>,
    /// Schedule under which training draws its noise levels, where it is not `schedule` (vdm, flow, edm; optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_levels: Option<String>,
    /// `published`, `exact` or `importance` (mdlm).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `k-dce`, `lambda-dce` or `t-dce:SCHEDULE` (any-order).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// `cosine`, `uniform` or `truncated-normal` (maskgit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_rates: Option<String>,
    /// `per-row` or `global` (maskgit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normaliser: Option<String>,
    /// Share of the target spread over all values (maskgit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// `d3pm` or `mixture` (d3pm-uniform).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Weight of the auxiliary cross-entropy (d3pm-absorbing, d3pm-uniform).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hybrid: Option<f64>,
    /// `independent`, `stratified` or `rotated` (all but ar).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_sampling: Option<String>,

    /// `transformer`, `dit` or `unet`.
    pub network: String,
    /// Width of the residual stream; of the convolutions in a U-Net.
    pub width: usize,
    /// Attention heads (transformer, dit).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Blocks; in a U-Net those of a resolution on the way down.
    pub layers: usize,
    /// Hidden units of the perceptron (transformer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// `glu`, `swiglu` or `relu2` (transformer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perceptron: Option<String>,
    /// `rotary` or `learned` (transformer).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<String>,
    /// Width of the token embedding where it is not `width` (transformer; optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
    /// Pixels on a side of a patch that is one position (transformer over images; optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_size: Option<usize>,
    /// First and last k of the Fourier features sin and cos of 2 pi 2^k z (vdm, flow, edm; optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fourier: Option<[u32; 2]>,
    /// Resolutions of a U-Net, each half the last one's (optional; 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolutions: Option<usize>,
    /// Width, heads and layers of the transformer over patches in the middle of a U-Net (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<[usize; 3]>,
    /// Whether the network sees the time.
    pub time_conditioning: bool,
    /// Whether it sees the class of an image.
    pub class_conditioning: bool,
    /// Width of the conditioning vector; needed where there is conditioning, and by a dit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition_width: Option<usize>,
    /// Probability that a sequence's class is hidden in training, for guidance (with `class_conditioning`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_dropout: Option<f64>,
    pub dropout: f64,

    /// Sequences a step.
    pub batch_size: usize,
    /// Parts of a batch that are done one after the other, for memory.
    pub accumulation: usize,
    /// Parts of such a part whose gradients are computed side by side and added in order. Both numbers are part of the
    /// result: each part draws its masks from a stream of its own.
    pub shards: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Peak learning rate of AdamW.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// What follows: `cosine` to zero, or `constant`.
    pub decay: String,
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
    /// Steps between evaluations of the bound on held-out data and sample grids; 0 for none.
    pub evaluate_every: u64,
    pub seed: u64,
}

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
            let known = known_keys();
            if !known.iter().any(|name| name == key) {
                return Err(UnknownName::new("setting", key, &known).into());
            }
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
        let settings: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| Error::Setting(format!("preset {preset}: {}", e.message())))?;
        settings.check()?;
        Ok(settings)
    }

    /// Rejects what cannot be trained, naming the setting.
    pub fn check(&self) -> Result<()> {
        self.objective()?;
        self.time_sampling()?;
        self.check_network()?;
        let positive = [
            ("width", self.width as u64),
            ("layers", self.layers as u64),
            ("batch_size", self.batch_size as u64),
            ("accumulation", self.accumulation as u64),
            ("shards", self.shards as u64),
            ("steps", self.steps),
            ("checkpoint_every", self.checkpoint_every),
            ("log_every", self.log_every),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Error::Setting(format!("{name} is 0: it must be at least 1")));
        }
        // Beyond any machine, and small enough that no product of sizes overflows.
        let most = [
            ("width", self.width, 1 << 16),
            ("layers", self.layers, 1 << 12),
            ("hidden", self.hidden.unwrap_or(0), 1 << 18),
            ("condition_width", self.condition_width.unwrap_or(0), 1 << 16),
            ("batch_size", self.batch_size, 1 << 24),
        ];
        if let Some((name, value, most)) = most.iter().find(|(_, value, most)| value > most) {
            return Err(Error::Setting(format!("{name} = {value}: it must be at most {most}")));
        }
        let fractions = [
            ("beta_1", f64::from(self.beta_1)),
            ("beta_2", f64::from(self.beta_2)),
            ("ema_decay", self.ema_decay),
            ("dropout", self.dropout),
            ("label_dropout", self.label_dropout.unwrap_or(0.0)),
            ("label_smoothing", self.label_smoothing.unwrap_or(0.0)),
        ];
        if let Some((name, value)) = fractions.iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
            return Err(Error::Setting(format!("{name} = {value}: it must lie in [0, 1)")));
        }
        if !matches!(self.decay.as_str(), "cosine" | "constant") {
            return Err(UnknownName::new("decay", &self.decay, &["cosine", "constant"]).into());
        }
        let rates = [
            ("learning_rate", self.learning_rate),
            ("weight_decay", f64::from(self.weight_decay)),
            ("clip_norm", f64::from(self.clip_norm)),
            ("hybrid", self.hybrid.unwrap_or(0.0)),
        ];
        match rates.iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
            Some((name, value)) => Err(Error::Setting(format!("{name} = {value}: it must be finite and not negative"))),
            None => Ok(()),
        }
    }

    /// The data set, with its split.
    pub fn data(&self, split: Split) -> Spec {
        Spec { set: self.dataset.clone(), split, alphabet: self.alphabet.clone(), length: self.sequence_length }
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

/// Every setting: serde names them all when it meets one that it does not know.
fn known_keys() -> Vec<String> {
    let all =
        toml::from_str::<Settings>("no_such_setting = 0").map_or_else(|e| e.message().to_owned(), |_| String::new());
    all.split('`').skip(3).step_by(2).map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_name() {
        let known = known_keys();
        assert_eq!(
            (known.first().map(String::as_str), known.last().map(String::as_str)),
            (Some("implementation"), Some("seed"))
        );
        let presets = PRESETS.iter().map(|(_, text)| text.parse::<toml::Table>().expect("TOML"));
        for key in presets.flat_map(|table| table.keys().cloned().collect::<Vec<_>>()).chain(["label_dropout".into()]) {
            assert!(known.contains(&key), "{key} is not among {known:?}");
        }
    }
}
