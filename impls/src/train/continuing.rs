//! Whether a command may go on with the run that a folder holds.

use std::path::Path;

use super::checkpoint::{Checkpoint, Origin, State};
use super::setting_values::Decay;
use super::settings::{KEYS, Settings};
use crate::error::{Error, Result};
use crate::network::{WeightKind, WeightSet};

/// Settings that no weight depends on.
const FREE: [&str; 3] = ["checkpoint_every", "log_every", "evaluate_every"];

/// Refuses to go on with a run in which other settings, or other first weights, have shaped the numbers. Free are the steps between
/// rows, checkpoints and evaluations, and `steps` from what is done, unless the learning rate decays over them.
pub(super) fn check_continues(settings: &Settings, state: &State, config: &Path, from: Option<&Path>) -> Result<()> {
    let run = config.parent().unwrap_or(config);
    if config.exists() {
        let before = Settings::load(config)?;
        let longer = settings.decay == Decay::Constant && settings.steps >= state.step;
        let differs = |key: &&str| {
            let may = FREE.contains(key) || *key == "steps" && longer;
            !may && before.value(key) != settings.value(key)
        };
        let others: Vec<&str> = KEYS.into_iter().filter(differs).collect();
        if let Some(first) = others.first() {
            let in_words: Vec<String> = others.iter().map(|key| difference(&before, settings, key)).collect();
            let what = format!("was trained with other settings ({})", in_words.join("; "));
            return Err(other_run(run, what, &name(settings, first)));
        }
    }
    match from.map(origin).transpose()? {
        Some(origin) if state.origin.as_ref().is_none_or(|known| known.sha256 != origin.sha256) => {
            Err(other_run(run, format!("did not begin with the weights of {}", origin.from), "from"))
        }
        _ => Ok(()),
    }
}

/// A setting that differs, and why it may not where that is not plain.
fn difference(before: &Settings, now: &Settings, key: &str) -> String {
    let why = match key {
        "steps" if now.decay == Decay::Cosine => ", over which the learning rate decays",
        "steps" => ", fewer than are done",
        _ => "",
    };
    format!("{key}: {} there, {} here{why}", text(before, key), text(now, key))
}

fn text(settings: &Settings, key: &str) -> String {
    match settings.value(key) {
        Some(toml::Value::String(text)) => text.clone(),
        Some(toml::Value::Float(number)) => format!("{number:?}"),
        value => value.map_or("none".to_owned(), ToString::to_string),
    }
}

/// A name for a run by one of its settings: `fm`, `width-64`.
fn name(settings: &Settings, key: &str) -> String {
    let plain = text(settings, key).replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    match settings.value(key) {
        Some(toml::Value::String(_)) => plain,
        _ => format!("{key}-{plain}"),
    }
}

/// The origin of a run that begins with the averaged weights of another.
pub(super) fn origin(run: &Path) -> Result<Origin> {
    let weights = WeightSet { kind: WeightKind::Averaged, place: "checkpoint/ema.safetensors".into() };
    Ok(Origin { from: run.display().to_string(), sha256: Checkpoint::of_run(run).ema_hash()?, weights })
}

/// The error of a folder that holds another run. Beside it one whose name ends in `name` could take this one.
pub(super) fn other_run(run: &Path, message: String, name: &str) -> Error {
    let mut folder = run.as_os_str().to_owned();
    folder.push(format!("-{name}"));
    Error::OtherRun { run: run.to_owned(), message, folder: folder.into() }
}
