//! What is trained, and the bound that is reported: one trait for all implementations.

use burn::tensor::kind::Basic;
use burn::tensor::{Device, Tensor};
use serde::Serialize;

use crate::data::Tokens;
use crate::key::Key;
use crate::network::{Denoiser, Input, ids_tensor};
use crate::schedule::MaskedSchedule;

/// A batch of sequences.
#[derive(Clone, Debug)]
pub struct Batch {
    /// x, the clean tokens.
    pub x: Tokens,
    /// The class of each sequence; empty for an unconditional model.
    pub class: Vec<u32>,
    /// Where each sequence lies along the noise, uniform on (0, 1): what a time, a step or a number of masks is made of.
    pub u: Vec<f64>,
    /// Key of the dropout masks; none outside of training.
    pub dropout: Option<Key>,
}

impl Batch {
    /// Sequences without classes, outside of training.
    pub fn new(x: Tokens, u: Vec<f64>) -> Self {
        assert_eq!(x.len(), u.len(), "one u a sequence");
        Self { x, class: Vec::new(), u, dropout: None }
    }

    /// The same sequences elsewhere along the noise.
    pub fn at(&self, u: &[f64]) -> Self {
        Self { u: u.to_vec(), ..self.clone() }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// The sequences with these numbers.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let class = if self.class.is_empty() { Vec::new() } else { self.class[range.clone()].to_vec() };
        let x = self.x.slice(range.clone());
        Self { x, class, u: self.u[range].to_vec(), dropout: self.dropout.clone() }
    }

    /// What the denoiser sees of the corrupted tokens `z` at these times.
    pub fn input(&self, z: &[u32], times: &[f64], device: &Device) -> Input {
        self.accompany(Input::new(ids_tensor(z, self.x.length(), device), times))
    }

    /// An input with the batch's classes and dropout.
    pub fn accompany<K: Basic>(&self, input: Input<K>) -> Input<K> {
        let input = if self.class.is_empty() { input } else { input.with_class(&self.class) };
        Input { dropout: self.dropout.clone(), ..input }
    }
}

/// The terms of one draw of a bound on -log p(x), nats. Their sum bounds it from above in expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Terms {
    /// E -log p(x | z_0).
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)).
    pub prior: f64,
    /// The sum or the integral over the steps between.
    pub diffusion: f64,
}

impl Terms {
    /// The ends of masked diffusion for `length` tokens of V = `values`: length (1 - alpha(0)) ln V and length alpha(1) ln V.
    pub fn ends(schedule: &MaskedSchedule, length: usize, values: usize) -> Self {
        let nats = length as f64 * (values as f64).ln();
        Self {
            reconstruction: nats * schedule.mask_probability(0.0),
            prior: nats * schedule.alpha(1.0),
            diffusion: 0.0,
        }
    }

    pub fn sum(&self) -> f64 {
        self.reconstruction + self.prior + self.diffusion
    }
}

/// A training loss with the bound that belongs to it.
pub trait Objective: Send + Sync {
    /// The training loss of each sequence, \[batch\]: nats, times whatever weights the objective puts.
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1>;

    /// What the sum of a batch's losses is divided by, to be the loss that is minimised and logged: the number of
    /// tokens, unless the objective normalises otherwise.
    fn divisor(&self, batch: &Batch) -> f64 {
        (batch.len() * batch.x.length()) as f64
    }

    /// One draw of the bound's terms for each sequence, under the bound's own weights whatever weights train.
    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms>;

    /// The choices that decide what the bound's number means, by name: interval of times, terms left out, steps.
    fn protocol(&self) -> Vec<(&'static str, String)>;

    /// Whether the model is a masked one whose bound, for a denoiser that sees no time, is the mean over all orders of
    /// revealing one token after the other: then [`crate::any_order`]'s low-variance estimator is an estimator of it.
    fn is_any_order(&self) -> bool {
        false
    }

    /// Whether the bound is the likelihood itself and needs no noise: one draw is all.
    fn is_exact(&self) -> bool {
        false
    }
}
