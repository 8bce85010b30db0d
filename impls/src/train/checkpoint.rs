//! Checkpoints: `model.safetensors`, `ema.safetensors`, `optimizer.safetensors` and `state.json` in one folder.
//!
//! A checkpoint is complete or absent. It is written to a sibling folder, synchronised, and renamed into place;
//! a kill at any moment leaves the old one or the new one. `state.json` is written last and holds the hashes
//! of the other files, so a damaged file is found when it is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn_store::ModuleSnapshot;
use burn_store::SafetensorsStore;
use elbow_base::atomic_file;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::data::DataShape;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::network::WeightSet;

const FILES: [&str; 3] = ["model.safetensors", "ema.safetensors", "optimizer.safetensors"];

/// The state of a run, `state.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Finished optimiser steps.
    pub step: u64,
    /// The shape of the data, which the network must fit.
    pub data: DataShape,
    /// Hash of the data set that was trained on.
    pub dataset_hash: String,
    /// Hash of what defines the tokens of a text, where there is such a file: another one gives the ids other meanings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet_hash: Option<String>,
    /// Hash of the settings that say what the weights are of ([`super::SettingValues`] without data and optimisation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_settings_hash: Option<String>,
    /// SHA-256 of each file beside this one.
    pub files: BTreeMap<String, String>,
    /// Where the weights come from that the run began with, if not from its seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Weights from outside a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The file, or the folder of the run.
    pub from: String,
    /// SHA-256 of the file, or of the run's averaged weights.
    pub sha256: String,
    /// Which of its weights they are.
    pub weights: WeightSet,
}

/// A checkpoint folder, `RUN/checkpoint`.
pub struct Checkpoint {
    dir: PathBuf,
}

impl Checkpoint {
    /// The checkpoint in the folder of a run.
    pub fn of_run(run: &Path) -> Self {
        Self { dir: run.join("checkpoint") }
    }

    /// The newest complete checkpoint's folder. A kill between the two renames of [`Checkpoint::save`] leaves
    /// it under its temporary or its old name.
    fn newest(&self) -> Option<PathBuf> {
        let names = [self.dir.clone(), self.beside("new"), self.beside("old")];
        names.into_iter().find(|dir| dir.join("state.json").is_file())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.with_extension(suffix)
    }

    /// The state of the newest checkpoint, if there is one, after checking every file's hash.
    pub fn state(&self) -> Result<Option<State>> {
        let Some(dir) = self.newest() else { return Ok(None) };
        let path = dir.join("state.json");
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let state: State = serde_json::from_str(&text).map_err(|e| Error::format(&path, e.to_string()))?;
        for name in FILES {
            let file = dir.join(name);
            let found = match fs::read(&file) {
                Ok(bytes) => sha256(&bytes),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::format(&dir, format!("the checkpoint is not whole: {name} is missing")));
                }
                Err(e) => return Err(Error::io(&file)(e)),
            };
            if state.files.get(name) != Some(&found) {
                return Err(Error::format(&file, "damaged: its hash is not the one in state.json"));
            }
        }
        Ok(Some(state))
    }

    /// Hash of the averaged weights in the newest checkpoint.
    pub fn ema_hash(&self) -> Result<String> {
        let state = self.state()?.ok_or_else(|| self.absent())?;
        Ok(state.files[FILES[1]].clone())
    }

    fn absent(&self) -> Error {
        Error::format(&self.dir, "no checkpoint here: train first, or name the folder of a run that has one")
    }

    /// Writes a checkpoint and replaces the one before; the hashes of its files are filled in. Numbers that are not finite are
    /// refused, and the one before stays.
    pub fn save<M: Module>(&self, mut state: State, model: &M, ema: &M, optimizer: Vec<u8>) -> Result<()> {
        let contents = [to_bytes(model)?, to_bytes(ema)?, optimizer];
        for (name, bytes) in FILES.iter().zip(&contents) {
            let wrong = |what| Error::format(&self.dir.join(name), format!("{what}: it was not written"));
            check_numbers(bytes).map_err(wrong)?;
        }
        let new = self.beside("new");
        discard(&new)?;
        fs::create_dir_all(&new).map_err(Error::writing(&new))?;
        for (name, bytes) in FILES.iter().zip(contents) {
            state.files.insert((*name).to_owned(), sha256(&bytes));
            atomic_file::write(&new.join(name), &bytes)?;
        }
        let text = serde_json::to_string_pretty(&state).expect("plain fields always serialise");
        atomic_file::write(&new.join("state.json"), text.as_bytes())?;
        let old = self.beside("old");
        discard(&old)?;
        if self.dir.exists() {
            fs::rename(&self.dir, &old).map_err(Error::writing(&self.dir))?;
        }
        fs::rename(&new, &self.dir).map_err(Error::writing(&new))?;
        discard(&old)
    }

    /// Loads the trained weights into a network of the same shape.
    pub fn load_model<M: Module>(&self, network: M) -> Result<M> {
        self.load_weights(FILES[0], network)
    }

    /// Loads the averaged weights into a network of the same shape.
    pub fn load_ema<M: Module>(&self, network: M) -> Result<M> {
        self.load_weights(FILES[1], network)
    }

    fn load_weights<M: Module>(&self, name: &str, mut network: M) -> Result<M> {
        let path = self.newest().ok_or_else(|| self.absent())?.join(name);
        let bytes = read_numbers(&path)?;
        let mut store = SafetensorsStore::from_bytes(Some(bytes)).allow_partial(true).validate(false);
        let result = network.load_from(&mut store).map_err(|e| Error::format(&path, e.to_string()))?;
        let faults: Vec<String> = (result.missing.iter().map(|(name, _)| format!("no tensor {name}")))
            .chain(result.unused.iter().map(|name| format!("{name} has no place")))
            .chain(result.errors.iter().map(ToString::to_string))
            .collect();
        match faults.split_first() {
            None => Ok(network),
            Some((first, more)) => {
                let more = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
                Err(Error::format(&path, format!("does not fit the network of config.toml: {first}{more}")))
            }
        }
    }

    /// The optimiser's state, as written by [`super::optimizer::to_safetensors`].
    pub fn load_optimizer(&self) -> Result<Vec<u8>> {
        read_numbers(&self.newest().ok_or_else(|| self.absent())?.join(FILES[2]))
    }
}

/// A file of tensors that are finite and in single precision.
fn read_numbers(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    check_numbers(&bytes).map_err(|what| Error::format(path, what))?;
    Ok(bytes)
}

/// Says what is not finite or not in single precision in the bytes of a safetensors file; an empty one has no tensors.
fn check_numbers(bytes: &[u8]) -> std::result::Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?.tensors();
    tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, view) in tensors {
        if view.dtype() != Dtype::F32 {
            return Err(format!(
                "{name} is {:?}: the files of a checkpoint are in single precision (F32)",
                view.dtype()
            ));
        }
        let numbers = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
        if !numbers.fold(true, |all, number| all & number.is_finite()) {
            return Err(format!("{name} has numbers that are not finite"));
        }
    }
    Ok(())
}

fn to_bytes<M: Module>(module: &M) -> Result<Vec<u8>> {
    // Without metadata, whose order is random: equal weights give equal bytes.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    let failed = |what: String| Error::Setting(format!("cannot serialise the weights: {what}"));
    module.save_into(&mut store).map_err(|e| failed(e.to_string()))?;
    store.get_bytes().map_err(|e| failed(e.to_string()))
}

/// Removes an existing checkpoint, `state.json` first: a kill in the middle leaves no checkpoint, never half of one.
fn discard(dir: &Path) -> Result<()> {
    let state = dir.join("state.json");
    if state.exists() {
        fs::remove_file(&state).map_err(Error::writing(&state))?;
    }
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(Error::writing(dir))?;
    }
    Ok(())
}
