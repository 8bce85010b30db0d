//! What a run will take, from its settings: numbers, arithmetic, memory, hours.

use std::path::Path;

use serde::Serialize;

use super::build::DataShape;
use super::settings::Settings;
use crate::data::{Alphabet, catalogue};
use crate::error::{Error, Result};
use crate::network::LearnedSchedule;

/// Bytes of a number.
const BYTES: u64 = size_of::<f32>() as u64;

/// What the steps of a run take. Evaluations and samples on the way are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Trained numbers, those of a learned schedule too.
    pub parameters: usize,
    /// Floating-point operations of one evaluation of one sequence: [`crate::network::NetworkShape::operations`].
    pub forward_operations: f64,
    /// Evaluations of the network that the loss of one sequence takes.
    pub evaluations: usize,
    /// Floating-point operations of a step: three times those of its evaluations, since a derivative costs two more.
    pub step_operations: f64,
    pub steps: u64,
    /// Floating-point operations of all steps.
    pub total_operations: f64,
    pub memory: Memory,
}

/// Bytes that a step holds where all shards of a part of the batch run side by side, which takes a core for each. What single
/// operations need while they run comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub weights: u64,
    /// One set for each shard; where there are several parts, another for the sum over those that are done.
    pub gradients: u64,
    /// The two moments of AdamW.
    pub moments: u64,
    /// The moving average of the weights.
    pub average: u64,
    /// What the largest part (`batch_size` / `accumulation` sequences) leaves for its backward pass: an estimate,
    /// [`crate::network::NetworkShape::activations`].
    pub activations: u64,
    pub total: u64,
}

impl Plan {
    /// The plan of these settings for data of this shape.
    pub fn new(settings: &Settings, data: &DataShape) -> Result<Self> {
        settings.check()?;
        let shape = settings.network(data)?;
        let learned = match settings.learned_schedule()? {
            Some(LearnedSchedule::PerValue) => data.values,
            Some(LearnedSchedule::Ends { .. }) => 2,
            None => 0,
        };
        let parameters = shape.parameters() + learned;
        // GenMD4's gradient compares two corruptions of a sequence.
        let evaluations = if settings.implementation == "genmd4" { 2 } else { 1 };
        let forward_operations = shape.operations();
        let step_operations = 3.0 * forward_operations * (evaluations * settings.batch_size) as f64;

        let part = settings.batch_size.div_ceil(settings.accumulation);
        let gradients = settings.shards.min(part) + usize::from(part < settings.batch_size);
        let weights = BYTES * parameters as u64;
        let mut memory = Memory {
            weights,
            gradients: gradients as u64 * weights,
            moments: 2 * weights,
            average: weights,
            activations: BYTES * (evaluations * part) as u64 * shape.activations() as u64,
            total: 0,
        };
        memory.total = weights + memory.gradients + memory.moments + memory.average + memory.activations;
        Ok(Self {
            parameters,
            forward_operations,
            evaluations,
            step_operations,
            steps: settings.steps,
            total_operations: settings.steps as f64 * step_operations,
            memory,
        })
    }

    /// Hours of all steps on so many devices, of which each does `throughput_flops` floating-point operations a second all the
    /// time.
    pub fn hours(&self, throughput_flops: f64, devices: usize) -> f64 {
        self.total_operations / (throughput_flops * devices as f64) / 3600.0
    }
}

impl DataShape {
    /// The shape of a run's data without its files: of images by the name of their set, of a text by its alphabet and
    /// `sequence_length`. A tokenizer's file is read: its vocabulary is the number of values.
    pub fn named(settings: &Settings) -> Result<Self> {
        let images = |side: usize, channels: usize, values: usize, classes: usize| Self {
            values,
            length: side * side * channels,
            classes,
            image: Some([side, side, channels]),
        };
        match settings.dataset.as_str() {
            "digits" => Ok(images(8, 1, 17, 10)),
            "mnist" | "fashion-mnist" => Ok(images(28, 1, 256, 10)),
            "cifar10" => Ok(images(32, 3, 256, 10)),
            "imagenet64" => Ok(images(64, 3, 256, 1000)),
            set => match (&settings.alphabet, settings.sequence_length) {
                (Some(alphabet), Some(length)) if !catalogue::holds_images(Path::new(set)) => {
                    Ok(Self { values: values_of(alphabet)?, length, classes: 0, image: None })
                }
                _ => {
                    let what = format!("{set}: neither images of a known size nor a text with its settings");
                    Err(Error::Setting(format!("{what}: name a set of images, or set alphabet and sequence_length")))
                }
            },
        }
    }
}

/// Number of values of an alphabet.
fn values_of(alphabet: &str) -> Result<usize> {
    match Alphabet::parse(alphabet) {
        Ok(alphabet) => Ok(alphabet.values()),
        Err(error) if alphabet.starts_with("tokenizer:") => Err(Error::Setting(format!(
            "{error}: the number of values is that of the tokenizer, name its file with alphabet = \"tokenizer:FILE\""
        ))),
        Err(error) => Err(error),
    }
}
