//! Denoisers: the two traits, and the networks and the exact table that implement them.
//!
//! Losses, bounds, samplers and likelihoods take `&dyn TokenDenoiser` or `&dyn GaussianDenoiser`. So the loss that trains a
//! network is the loss that is checked against exact numbers, and a denoiser from outside needs one trait and no more.

mod blocks;
mod conditioning;
mod dit;
mod flops;
mod init;
mod learned_schedule;
mod masked_targets;
mod modality;
mod model;
mod patches;
mod residual;
pub mod state_dict;
pub mod table;
mod transformer;
mod transformer_block;
mod unet;
mod unet_shape;
mod weight_set;

use std::borrow::Borrow;

use burn::tensor::kind::Basic;
use burn::tensor::{Device, Float, Int, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::key::Key;
use crate::tempering::Tempering;

pub use conditioning::ConditioningShape;
pub use dit::{Dit, DitImport, DitShape};
pub use learned_schedule::LearnedSchedule;
pub use masked_targets::{MaskedTargets, QueryPositions, negative_log};
pub use modality::{Patches, Signal};
pub use model::{GaussianModel, Model, NetworkShape, TokenModel};
pub use patches::PatchTransformerShape;
pub use table::TableDenoiser;
pub use transformer::{Positions, Transformer, TransformerShape};
pub use transformer_block::Perceptron;
pub use unet::UNet;
pub use unet_shape::UNetShape;
pub use weight_set::{WeightKind, WeightSet};

/// The input of a denoiser: corrupted tokens, or with `K` = `Float` noisy points of a Gaussian diffusion.
#[derive(Clone, Debug)]
pub struct Input<K: Basic = Int> {
    /// z_t, \[batch, length\]: ids 0..V, and V for the mask; or the variance-preserving z.
    pub z: Tensor<2, K>,
    /// The diffusion time t of each sequence, \[batch\]; for points, [`crate::gaussian::network_time`] of the log-SNR.
    pub time: Tensor<1>,
    /// The class of each sequence, \[batch\]; the id after the last class means "no class".
    pub class: Option<Tensor<1, Int>>,
    /// Key of the dropout masks; none outside of training.
    pub dropout: Option<Key>,
}

impl Input {
    /// One sequence per row, each at its own time, without classes and dropout.
    pub fn new(z: Tensor<2, Int>, times: &[f64]) -> Self {
        let time = rows_tensor(times, &z.device());
        Self { z, time, class: None, dropout: None }
    }
}

impl Input<Float> {
    /// Points, each row at its own time, without classes and dropout.
    pub fn points(z: Tensor<2>, times: &[f64]) -> Self {
        let time = rows_tensor(times, &z.device());
        Self { z, time, class: None, dropout: None }
    }
}

impl<K: Basic> Input<K> {
    /// With the class of each sequence.
    pub fn with_class(self, class: &[u32]) -> Self {
        let ids: Vec<i64> = class.iter().map(|&id| i64::from(id)).collect();
        let class = Tensor::from_data(TensorData::new(ids, [class.len()]), &self.time.device());
        Self { class: Some(class), ..self }
    }
}

/// How values are drawn: in double precision, from the data values alone.
#[derive(Clone, Copy, Debug)]
pub struct DrawLaw<'a> {
    /// How the denoiser's distributions are changed.
    pub tempering: Tempering,
    /// A number in (0, 1) per position: it draws the value of [`crate::key::categorical_at`].
    pub uniforms: &'a [f64],
    /// Whether the values' own log-probabilities are wanted.
    pub with_log_mu: bool,
}

/// A value that was drawn at a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// The value.
    pub value: u32,
    /// The logarithm of the denoiser's own probability of it, untempered, nats; 0 where it was not wanted.
    pub log_mu: f64,
}

/// A denoiser of tokens, mu_theta: for each position of a corrupted sequence a distribution over the data values.
pub trait TokenDenoiser: Send + Sync {
    /// Number of data values V; the mask token has the id V.
    fn values(&self) -> usize;

    /// Number of classes that it can be told; none for an unconditional one.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// Whether its output depends on the time. In masked diffusion with one schedule for all values the exact
    /// posterior of x given z_t does not, so that a network need not see it.
    fn sees_time(&self) -> bool;

    /// \[batch, length, V\], or \[batch, length, V + 1\] where the network has a logit for the mask: it is the last.
    fn logits(&self, input: &Input) -> Tensor<3>;

    /// The logits of some positions of each sequence, one row per position: \[positions, outputs\]. A network may leave
    /// the others out.
    fn logits_at(&self, input: &Input, positions: &QueryPositions) -> Tensor<2> {
        positions.select(self.logits(input))
    }

    /// -log mu_theta(z)\[n, x_n\] of each masked token and 0 of the others, \[batch, length\], where the network has a
    /// shorter way to it than its logits.
    fn masked_costs(&self, _input: &Input, _targets: &MaskedTargets) -> Option<Tensor<2>> {
        None
    }

    /// A value for each position, in the order of [`QueryPositions::iter`], where the network has a shorter way to it than its logits:
    /// they never leave their device. None where a network has no such way; NaN where it failed.
    fn draws(&self, _input: &Input, _positions: &QueryPositions, _law: &DrawLaw) -> Option<Vec<Drawn>> {
        None
    }

    /// The same in block diffusion: position n of the noisy sequence z sees its own block of `size` positions, and the clean
    /// tokens x of the blocks before. \[batch, length\], where the network has all blocks in one pass.
    fn block_costs(&self, _input: &Input, _targets: &MaskedTargets, _size: usize) -> Option<Tensor<2>> {
        None
    }

    /// Logits over the data values alone, \[batch, length, V\]: never the mask.
    fn value_logits(&self, input: &Input) -> Tensor<3> {
        without_mask(self.logits(input), self.values())
    }

    /// theta of a masking schedule that is learned per value, \[V\], with w = softplus(theta) (GenMD4).
    fn value_schedule(&self) -> Option<Tensor<1>> {
        None
    }
}

/// A denoiser of points: for each coordinate of a noisy point a number F.
pub trait GaussianDenoiser: Send + Sync {
    /// Number of data values V that lie on the line.
    fn values(&self) -> usize;

    /// Number of classes that it can be told; none for an unconditional one.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// F, \[batch, length\]: its meaning is the objective's [`crate::gaussian::Prediction`].
    fn output(&self, input: &Input<Float>) -> Tensor<2>;

    /// theta = (gamma_min, ln(gamma_max - gamma_min)), \[2\], of noise levels whose ends are learned (VDM).
    fn learned_ends(&self) -> Option<Tensor<1>> {
        None
    }

    /// A copy for a thread of its own on `device`, where threads that differentiate through shared parameters would
    /// wait for each other.
    fn fork(&self, _device: &Device) -> Option<Box<dyn GaussianDenoiser>> {
        None
    }
}

/// A denoiser of either family.
#[derive(Clone, Copy)]
pub enum Denoiser<'a> {
    /// Over tokens.
    Tokens(&'a dyn TokenDenoiser),
    /// Over points.
    Gaussian(&'a dyn GaussianDenoiser),
}

impl<'a> Denoiser<'a> {
    /// The denoiser, if it reads tokens.
    pub fn tokens(self) -> Result<&'a dyn TokenDenoiser> {
        match self {
            Self::Tokens(denoiser) => Ok(denoiser),
            Self::Gaussian(_) => Err(Error::Setting("a denoiser of Gaussian diffusion has no logits of tokens".into())),
        }
    }

    /// The denoiser, if it reads points.
    pub fn gaussian(self) -> Result<&'a dyn GaussianDenoiser> {
        match self {
            Self::Gaussian(denoiser) => Ok(denoiser),
            Self::Tokens(_) => Err(Error::Setting("a denoiser of tokens has no output for noisy points".into())),
        }
    }

    /// Number of data values V.
    pub fn values(self) -> usize {
        match self {
            Self::Tokens(denoiser) => denoiser.values(),
            Self::Gaussian(denoiser) => denoiser.values(),
        }
    }

    /// Number of classes that it can be told; none for an unconditional one.
    pub fn classes(self) -> Option<usize> {
        match self {
            Self::Tokens(denoiser) => denoiser.classes(),
            Self::Gaussian(denoiser) => denoiser.classes(),
        }
    }
}

impl<'a> From<&'a dyn TokenDenoiser> for Denoiser<'a> {
    fn from(denoiser: &'a dyn TokenDenoiser) -> Self {
        Self::Tokens(denoiser)
    }
}

impl<'a> From<&'a dyn GaussianDenoiser> for Denoiser<'a> {
    fn from(denoiser: &'a dyn GaussianDenoiser) -> Self {
        Self::Gaussian(denoiser)
    }
}

/// Logits without the mask's, where there is one: \[batch, length, V\].
pub fn without_mask(logits: Tensor<3>, values: usize) -> Tensor<3> {
    if logits.dims()[2] == values { logits } else { logits.narrow(2, 0, values) }
}

/// The probabilities of some logits, in double precision.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    softmax_at(logits, 1.0)
}

/// The probabilities of some logits divided by a temperature above 0, in double precision.
pub fn softmax_at(logits: &[f32], temperature: f64) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&l| (f64::from(l - top) / temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// The ids of some rows as a tensor, \[rows, length\].
pub fn ids_tensor(ids: &[u32], length: usize, device: &Device) -> Tensor<2, Int> {
    let data: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let rows = data.len() / length;
    Tensor::from_data(TensorData::new(data, [rows, length]), device)
}

/// Numbers of some rows, one per token, as a tensor, \[rows, length\].
pub fn points_tensor(numbers: &[f32], length: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), [numbers.len() / length, length]), device)
}

/// Numbers, one per row, as a tensor: \[batch\].
pub fn rows_tensor<N: Borrow<f64>>(numbers: impl IntoIterator<Item = N>, device: &Device) -> Tensor<1> {
    let numbers: Vec<f32> = numbers.into_iter().map(|x| *x.borrow() as f32).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}

/// The numbers of a tensor in double precision, in row-major order.
pub fn to_f64_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
