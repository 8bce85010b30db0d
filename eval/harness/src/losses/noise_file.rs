//! The file of noise: what a program is asked about, and what it takes to draw the same again.

use std::collections::BTreeMap;
use std::path::Path;

use elbow_arrays::{NpzReader, NpzWriter};
use elbow_base::{Error, Tokens, hash};
use elbow_impls::train::ObjectiveConfig;
use serde::{Deserialize, Serialize};

use crate::likelihood::{Inputs, Noisy, TextRates};

/// The layout of the file. It grows when an array changes its meaning.
const FORMAT: u32 = 1;

/// What shapes the noise, and what the bound is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseSettings {
    /// The layout of the file.
    format: u32,
    /// Name of the objective.
    pub objective: String,
    /// Its settings that are not the default.
    pub settings: BTreeMap<String, String>,
    /// Draws per sequence.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
    /// The data.
    pub data: DataRecord,
}

/// The data whose bound is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// Name with split.
    pub name: String,
    /// SHA-256.
    pub sha256: String,
    /// Data values V; the mask has the id V.
    pub values: usize,
    /// Sequences of the split, of which the file holds the first.
    pub available: u64,
    /// Tokens of the split, those that fill no window among them.
    pub tokens: u64,
    /// How a text was read.
    pub protocol: BTreeMap<String, String>,
    /// How much text a token stands for.
    pub text: Option<TextRates>,
}

impl NoiseSettings {
    pub(super) fn new(
        objective: &str,
        settings: BTreeMap<String, String>,
        draws: usize,
        seed: u64,
        data: DataRecord,
    ) -> Self {
        Self { format: FORMAT, objective: objective.to_owned(), settings, draws, seed, data }
    }

    /// The objective.
    pub fn config(&self) -> Result<ObjectiveConfig, Error> {
        Ok(ObjectiveConfig::of_bound(&self.objective, &self.settings)?)
    }
}

/// A file of noise in memory.
pub struct NoiseFile {
    /// What shapes it.
    pub settings: NoiseSettings,
    /// The sequences.
    pub x: Tokens,
    /// The corrupted inputs, \[sequences * draws, length\]: all draws of the first sequence, then those of the second, ...
    pub(super) inputs: Inputs,
    /// The classes of the sequences; empty where there are no labels.
    pub(super) classes: Vec<u32>,
}

impl NoiseFile {
    /// Number of corrupted inputs, n.
    pub fn rows(&self) -> usize {
        self.x.len() * self.settings.draws
    }

    /// SHA-256 of settings, sequences and inputs: answers say with it to which file they belong.
    pub fn id(&self) -> String {
        let mut bytes = serde_json::to_vec(&self.settings).expect("settings have texts as keys");
        bytes.extend(self.x.ids().iter().flat_map(|id| id.to_le_bytes()));
        match &self.inputs.z {
            Noisy::Tokens(z) => bytes.extend(z.iter().flat_map(|id| id.to_le_bytes())),
            Noisy::Points { z, .. } => bytes.extend(z.iter().flat_map(|z| z.to_le_bytes())),
        }
        hash::sha256(&bytes)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut npz = NpzWriter::create(path)?;
        let (n, length, draws) = (self.rows(), self.x.length(), self.settings.draws as i64);
        match &self.inputs.z {
            Noisy::Tokens(z) => {
                npz.array("z", &[n, length], &signed(z))?;
                npz.array("hidden", &[n, length], &self.hidden())?;
                npz.array("mask_id", &[], &[self.settings.data.values as i64])?;
            }
            Noisy::Points { z, log_snr } => {
                npz.array("z", &[n, length], z)?;
                npz.array("log_snr", &[n], log_snr)?;
            }
        }
        npz.array("t", &[n], &self.inputs.t)?;
        npz.array("sequence", &[n], &(0..n as i64).map(|row| row / draws).collect::<Vec<_>>())?;
        npz.array("draw", &[n], &(0..n as i64).map(|row| row % draws).collect::<Vec<_>>())?;
        npz.array("x", &[self.x.len(), length], &signed(self.x.ids()))?;
        if !self.classes.is_empty() {
            npz.array("class", &[self.x.len()], &signed(&self.classes))?;
        }
        npz.array("id", &[64], self.id().as_bytes())?;
        let settings = serde_json::to_vec(&self.settings).map_err(|e| Error::internal(e.to_string()))?;
        npz.array("settings", &[settings.len()], &settings)?;
        npz.finish()
    }

    /// Reads a file that [`Self::write`] wrote, and refuses one that was changed since.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| {
            Error::input(format!("{}: {what}", path.display()), "name the file that `elbow noise` wrote, unchanged")
        };
        let mut npz = NpzReader::open(path)?;
        if !is_noise(&npz) {
            return Err(wrong("no file of noise".to_owned()));
        }
        let text = npz.bytes("settings")?.data;
        let settings: NoiseSettings = serde_json::from_slice(&text).map_err(|e| wrong(format!("its settings: {e}")))?;
        if settings.format != FORMAT {
            return Err(wrong(format!("it has format {}, this program reads {FORMAT}", settings.format)));
        }
        let values = settings.data.values;
        if !(1..1 << 31).contains(&values) {
            return Err(wrong(format!("its data have {values} values")));
        }
        let x = npz.integers("x")?;
        let &[sequences, length] = &x.shape[..] else { return Err(wrong("x is no matrix".to_owned())) };
        let rows = sequences.checked_mul(settings.draws).filter(|&rows| rows > 0 && length > 0);
        let rows = rows.ok_or_else(|| wrong("it has no rows".to_owned()))?;
        let ids = |data: Vec<i64>, end: usize| -> Result<Vec<u32>, Error> {
            let id = |id: i64| u32::try_from(id).ok().filter(|&id| (id as usize) < end);
            data.into_iter().map(|n| id(n).ok_or_else(|| wrong(format!("the id {n} is not below {end}")))).collect()
        };
        let classes = if npz.has("class") { ids(npz.integers("class")?.data, usize::MAX)? } else { Vec::new() };
        let shape = vec![rows, length];
        let z = match npz.has("log_snr") {
            false => {
                let z = npz.integers("z")?;
                if z.shape != shape {
                    return Err(wrong(format!("z is {:?} and not {shape:?}", z.shape)));
                }
                Noisy::Tokens(ids(z.data, values + 1)?)
            }
            true => {
                let (z, log_snr) = (npz.singles("z")?, npz.floats("log_snr")?.data);
                if z.shape != shape || log_snr.len() != rows {
                    return Err(wrong(format!("z is {:?} and not {shape:?}", z.shape)));
                }
                Noisy::Points { z: z.data, log_snr }
            }
        };
        let (t, x) = (npz.floats("t")?.data, Tokens::new(ids(x.data, values)?, length));
        if t.len() != rows {
            return Err(wrong(format!("it has {} times and {rows} rows", t.len())));
        }
        let file = Self { settings, x, inputs: Inputs { z, t }, classes };
        match npz.bytes("id")?.data == file.id().as_bytes() {
            true => Ok(file),
            false => Err(wrong("it was changed since it was written".to_owned())),
        }
    }

    /// Whether each token of each row is to be predicted: where z is the mask or, for a process without a mask, everywhere.
    pub(super) fn hidden(&self) -> Vec<bool> {
        let (mask, all) = (self.settings.data.values as u32, self.settings.objective == "d3pm-uniform");
        match &self.inputs.z {
            Noisy::Tokens(z) => z.iter().map(|&id| all || id == mask).collect(),
            Noisy::Points { z, .. } => vec![true; z.len()],
        }
    }
}

/// Whether an npz file is one of noise.
pub fn is_noise(npz: &NpzReader) -> bool {
    ["id", "settings", "x", "z", "t"].iter().all(|name| npz.has(name))
}

fn signed(ids: &[u32]) -> Vec<i32> {
    // Vocabularies are far smaller than 2^31.
    ids.iter().map(|&id| id as i32).collect()
}
