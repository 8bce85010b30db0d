//! A batch of sequences, as every loss and every bound takes it.

use burn::tensor::Device;
use burn::tensor::kind::Basic;

use crate::data::Tokens;
use crate::key::Key;
use crate::network::{Input, ids_tensor};

/// A batch of sequences with their places along the noise.
#[derive(Clone, Debug)]
pub struct Batch {
    /// x, the clean tokens.
    pub x: Tokens,
    /// The class of each sequence; empty for an unconditional model.
    pub class: Vec<u32>,
    /// The place of each sequence along the noise, uniform on (0, 1): an objective turns it into a time, a step or a
    /// number of masks.
    pub u: Vec<f64>,
    /// Key of the dropout masks; none outside of training.
    pub dropout: Option<Key>,
}

impl Batch {
    /// Sequences without classes, outside of training.
    pub fn new(x: Tokens, u: Vec<f64>) -> Self {
        assert_eq!(x.len(), u.len(), "one u per sequence");
        Self { x, class: Vec::new(), u, dropout: None }
    }

    /// The batch with other places along the noise.
    pub fn at(&self, u: &[f64]) -> Self {
        Self { u: u.to_vec(), ..self.clone() }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// The sequences with these numbers.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let class = if self.class.is_empty() { Vec::new() } else { self.class[range.clone()].to_vec() };
        let x = self.x.slice(range.clone());
        Self { x, class, u: self.u[range].to_vec(), dropout: self.dropout.clone() }
    }

    /// The denoiser's input for the corrupted tokens `z` at these times.
    pub fn input(&self, z: &[u32], times: &[f64], device: &Device) -> Input {
        self.accompany(Input::new(ids_tensor(z, self.x.length(), device), times))
    }

    /// An input with the batch's classes and dropout.
    pub fn accompany<K: Basic>(&self, input: Input<K>) -> Input<K> {
        let input = if self.class.is_empty() { input } else { input.with_class(&self.class) };
        Input { dropout: self.dropout.clone(), ..input }
    }
}
