//! The plan of a run: its parameters, arithmetic, memory and hours, counted from the settings.

use burn::tensor::Device;
use serde::Serialize;

use super::objective_config::ObjectiveConfig;
use super::settings::Settings;
use crate::data::DataShape;
use crate::error::Result;
use crate::key::Key;
use crate::network::Model;

/// Bytes of a number.
const BYTES: u64 = size_of::<f32>() as u64;

/// The cost of the steps of a run. Evaluations and samples on the way are not counted.
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
    /// Optimiser steps.
    pub steps: u64,
    /// Floating-point operations of all steps.
    pub total_operations: f64,
    /// Bytes of a step.
    pub memory: Memory,
    /// Bytes of the largest tensor that a shard of a part surely makes:
    /// [`crate::network::NetworkShape::largest_activation_over`].
    pub largest_tensor: u64,
}

/// Memory of a step, in bytes, where all shards of a part of the batch run in parallel, on a core each. The temporary
/// memory of single operations comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The trained numbers.
    pub weights: u64,
    /// One set for each shard; where there are several parts, another for the sum over those that are done.
    pub gradients: u64,
    /// The two moments of AdamW.
    pub moments: u64,
    /// The moving average of the weights.
    pub average: u64,
    /// Numbers that the largest part (`batch_size` / `accumulation` sequences) keeps for its backward pass: an
    /// estimate, [`crate::network::NetworkShape::activations`].
    pub activations: u64,
    /// The sum of these.
    pub total: u64,
}

impl Memory {
    /// Bytes that a step takes at least where no more than `cores` of the shards run at a time.
    pub fn at_least(&self, shards: usize, cores: usize) -> u64 {
        let share = (cores as f64 / shards as f64).min(1.0);
        (self.total - self.activations).saturating_add((self.activations as f64 * share) as u64)
    }
}

impl Plan {
    /// The plan of these settings for data of this shape.
    pub fn new(settings: &Settings, data: &DataShape) -> Result<Self> {
        let shape = settings.network(data)?;
        let key = Key::new(settings.seed, "weights");
        let parameters = Model::new(&shape, settings.objective.learned_schedule(), &key, &Device::flex())?.parameters();
        // GenMD4's gradient compares two corruptions of a sequence.
        let evaluations = if matches!(settings.objective, ObjectiveConfig::GenMd4(_)) { 2 } else { 1 };
        // Block diffusion reads each sequence with and without noise.
        let streams = if matches!(settings.objective, ObjectiveConfig::Block(_)) { 2 } else { 1 };
        let forward_operations = shape.operations_over(streams);
        let step_operations = 3.0 * forward_operations * (evaluations * settings.batch_size) as f64;

        let part = settings.batch_size.div_ceil(settings.accumulation);
        let gradients = settings.shards.min(part) + usize::from(part < settings.batch_size);
        let weights = BYTES * parameters as u64;
        let mut memory = Memory {
            weights,
            gradients: weights.saturating_mul(gradients as u64),
            moments: 2 * weights,
            average: weights,
            activations: (BYTES as f64 * (evaluations * part) as f64 * shape.activations_over(streams)) as u64,
            total: 0,
        };
        // Settings may be absurd: a sum that is too large is the largest number.
        let parts = [memory.gradients, memory.moments, memory.average, memory.activations];
        memory.total = parts.into_iter().fold(weights, u64::saturating_add);
        Ok(Self {
            parameters,
            forward_operations,
            evaluations,
            step_operations,
            steps: settings.steps,
            total_operations: settings.steps as f64 * step_operations,
            memory,
            largest_tensor: (BYTES as f64
                * part.div_ceil(settings.shards) as f64
                * shape.largest_activation_over(streams)) as u64,
        })
    }

    /// Hours of all steps on several devices, each of which sustains `throughput_flops` floating-point operations per
    /// second.
    pub fn hours(&self, throughput_flops: f64, devices: usize) -> f64 {
        self.total_operations / (throughput_flops * devices as f64) / 3600.0
    }
}
