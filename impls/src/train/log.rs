//! `metrics.jsonl`, flushed row by row, and the same numbers as TensorBoard events.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_base::atomic_file;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tensorboard::EventWriter;
use crate::error::{Error, Result};

/// A training row of `metrics.jsonl`. It holds nothing that differs between two runs of the same settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Finished steps.
    pub step: u64,
    /// The step's training loss under the run's weights, nats / ln 2 per token (maskgit: per masked token).
    /// Only with the weights of the bound itself is its mean a likelihood bound (the diffusion term, in bits/dim).
    pub weighted_loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// Global norm of the gradient before clipping.
    pub gradient_norm: f64,
}

/// The two logs of a run.
pub(super) struct MetricsLog {
    path: PathBuf,
    file: fs::File,
    events: EventWriter,
}

impl MetricsLog {
    /// Opens the logs with the rows up to the checkpoint's step: later steps will be computed again.
    pub fn open(run: &Path, done: u64) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let kept: Vec<Map<String, Value>> = rows(run)?.into_iter().filter(|row| step(row) <= Some(done)).collect();
        atomic_file::write(&path, kept.iter().map(line).collect::<String>().as_bytes())?;
        let mut events = EventWriter::create(&run.join("events"))?;
        for row in &kept {
            events.scalars(step(row).unwrap_or(0), row)?;
        }
        let file = fs::OpenOptions::new().append(true).open(&path).map_err(Error::writing(&path))?;
        Ok(Self { path, file, events })
    }

    pub fn progress(&mut self, progress: &Progress) -> Result<()> {
        match serde_json::to_value(progress) {
            Ok(Value::Object(row)) => self.write(&row),
            _ => unreachable!("a struct of numbers is an object"),
        }
    }

    /// A row of numbers measured on held-out data.
    pub fn evaluation(&mut self, step: u64, numbers: Vec<(String, f64)>) -> Result<()> {
        let row = std::iter::once(("step".to_owned(), step.into()));
        self.write(&row.chain(numbers.into_iter().map(|(name, number)| (name, number.into()))).collect())
    }

    fn write(&mut self, row: &Map<String, Value>) -> Result<()> {
        self.file.write_all(line(row).as_bytes()).map_err(Error::writing(&self.path))?;
        self.events.scalars(step(row).unwrap_or(0), row)
    }
}

fn step(row: &Map<String, Value>) -> Option<u64> {
    row.get("step").and_then(Value::as_u64)
}

fn line(row: &Map<String, Value>) -> String {
    serde_json::to_string(row).expect("numbers always serialise") + "\n"
}

/// Every row of a run's `metrics.jsonl`; none where the file is absent. A torn last line is dropped.
fn rows(run: &Path) -> Result<Vec<Map<String, Value>>> {
    let path = run.join("metrics.jsonl");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io(&path)(e)),
    }
}

/// The training rows of a run.
pub fn read_progress(run: &Path) -> Result<Vec<Progress>> {
    Ok(rows(run)?.into_iter().filter_map(|row| serde_json::from_value(Value::Object(row)).ok()).collect())
}
