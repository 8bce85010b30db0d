//! Event files for TensorBoard: one scalar per tag and step.
//!
//! A record is a length, a checksum of it, an `Event` message in protocol-buffer encoding, and a checksum of that; the
//! checksums are masked CRC-32C (TFRecord). Times are the step number in seconds, so that equal runs give equal bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The fields in use of tensorflow/core/util/event.proto, by their numbers there.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(uint64, tag = "2")]
    step: u64,
    #[prost(string, tag = "3")]
    file_version: String,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// The event file of a run. A resumed run writes it anew, from `metrics.jsonl`.
pub(super) struct EventWriter {
    path: PathBuf,
    file: fs::File,
}

impl EventWriter {
    /// Starts the file in this folder.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(Error::writing(folder))?;
        let path = folder.join("events.out.tfevents.0.elbow");
        elbow_base::atomic_file::check_ordinary(&path)?;
        let file = fs::File::create(&path).map_err(Error::writing(&path))?;
        let mut writer = Self { path, file };
        writer.write(&version(0.0))?;
        Ok(writer)
    }

    /// Every finite number of a row but the step itself, under its own name.
    pub fn scalars(&mut self, step: u64, row: &Map<String, Value>) -> Result<()> {
        for (name, value) in row.iter().filter(|(name, _)| *name != "step") {
            if let Some(value) = value.as_f64() {
                self.write(&scalar(step as f64, step, name, value as f32))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, event: &[u8]) -> Result<()> {
        self.file.write_all(&record(event)).map_err(Error::writing(&self.path))
    }
}

/// The first event of a file.
fn version(wall_time: f64) -> Vec<u8> {
    Event { wall_time, file_version: "brain.Event:2".into(), ..Event::default() }.encode_to_vec()
}

fn scalar(wall_time: f64, step: u64, tag: &str, value: f32) -> Vec<u8> {
    let summary = Summary { value: vec![Scalar { tag: tag.into(), simple_value: Some(value) }] };
    Event { wall_time, step, summary: Some(summary), ..Event::default() }.encode_to_vec()
}

/// A TFRecord.
fn record(event: &[u8]) -> Vec<u8> {
    let masked = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let length = (event.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), event, &masked(event)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/networks/events.json");
        let golden: Value = serde_json::from_str(&fs::read_to_string(path).expect("the fixture")).expect("JSON");
        let ours =
            [version(1000.0), scalar(1000.5, 3, "loss", 1.25), scalar(2000.25, 70_000, "nelbo/bits_per_dim", -2.5)];
        let hex: String = ours.iter().flat_map(|event| record(event)).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(golden["file"].as_str(), Some(hex.as_str()));
    }
}
