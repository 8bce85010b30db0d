//! Denoisers. Networks and the exact table implement one trait, so that the loss code that trains a network is
//! the code that is checked against exact numbers.

mod activation;
#[cfg(test)]
mod agreement;
mod attention;
mod conditioning;
mod dense;
mod dit;
mod flops;
mod hidden;
mod init;
mod learned;
mod model;
mod patches;
mod residual;
mod signal;
pub mod state_dict;
pub mod table;
mod transformer;
mod unet;

use burn::tensor::kind::Basic;
use burn::tensor::{Device, Float, Int, Tensor, TensorData};

use crate::key::Key;

pub use conditioning::ConditioningShape;
pub use dit::{Dit, DitShape};
pub use hidden::{Hidden, Wanted, negative_log};
pub use learned::LearnedSchedule;
pub use model::{Model, NetworkShape};
pub use patches::PatchTransformerShape;
pub use signal::{Patches, Signal};
pub use table::TableDenoiser;
pub use transformer::{Perceptron, Positions, Transformer, TransformerShape};
pub use unet::{UNet, UNetShape};

/// What a denoiser sees: corrupted tokens, or with `K` = `Float` points of a Gaussian diffusion.
#[derive(Clone, Debug)]
pub struct Input<K: Basic = Int> {
    /// z_t, \[batch, length\]: ids 0..V, and V for the mask; or the variance-preserving z.
    pub z: Tensor<2, K>,
    /// The diffusion time t of each sequence, \[batch\]; of points, [`crate::gaussian::network_time`] of the log-SNR.
    pub time: Tensor<1>,
    /// The class of each sequence, \[batch\]; the id after the last class means "no class".
    pub class: Option<Tensor<1, Int>>,
    /// Key of the dropout masks; none outside of training.
    pub dropout: Option<Key>,
}

impl Input {
    /// A sequence a row, each at its own time, without classes and dropout.
    pub fn new(z: Tensor<2, Int>, times: &[f64]) -> Self {
        let time = rows_tensor(times, &z.device());
        Self { z, time, class: None, dropout: None }
    }
}

impl Input<Float> {
    /// Points, a row each at its own time, without classes and dropout.
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

/// A denoiser of tokens, mu_theta: for each position of a corrupted sequence a distribution over the data values; or one of
/// points: for each coordinate a number F. A run's settings decide which of the two is asked.
pub trait Denoiser: Send + Sync {
    /// Number of data values V; the mask token has the id V.
    fn values(&self) -> usize;

    /// Whether the answer depends on the time. In masked diffusion with one schedule for all values the exact
    /// posterior of x given z_t does not, so that a network need not see it.
    fn sees_time(&self) -> bool;

    /// \[batch, length, V\], or \[batch, length, V + 1\] where the network has a logit for the mask: it is the last.
    fn logits(&self, _input: &Input) -> Tensor<3> {
        panic!("a denoiser of points has no logits")
    }

    /// The logits of some positions of each sequence, one row a position: \[positions asked for, outputs\]. A network may leave
    /// out what was not asked for.
    fn logits_at(&self, input: &Input, wanted: &Wanted) -> Tensor<2> {
        let logits = self.logits(input);
        let [batch, length, outputs] = logits.dims();
        let rows: Vec<i64> = wanted.iter().map(|(row, position)| (row * length + position) as i64).collect();
        let count = rows.len();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &logits.device());
        logits.reshape([batch * length, outputs]).select(0, rows)
    }

    /// F, \[batch, length\], of noisy points: what it means is the objective's [`crate::gaussian::Prediction`].
    fn points(&self, _input: &Input<Float>) -> Tensor<2> {
        panic!("a denoiser of tokens has no points")
    }

    /// Logits over the data values alone, \[batch, length, V\]: never the mask (MDLM's "zero masking probabilities").
    fn value_logits(&self, input: &Input) -> Tensor<3> {
        let logits = self.logits(input);
        if logits.dims()[2] == self.values() { logits } else { logits.narrow(2, 0, self.values()) }
    }

    /// -log mu_theta(z)\[n, x_n\] of each hidden token and 0 of the others, \[batch, length\]. A network may leave out what no
    /// hidden token asks for.
    fn hidden_costs(&self, input: &Input, hidden: &Hidden) -> Tensor<2> {
        hidden.costs(self.value_logits(input))
    }

    /// theta of a learned schedule, where there is one: for each value, \[V\], with w = softplus(theta) (GenMD4); or
    /// (gamma_min, ln(gamma_max - gamma_min)) (VDM).
    fn schedule_parameters(&self) -> Option<Tensor<1>> {
        None
    }
}

/// The probabilities of some logits, in double precision.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// The ids of some rows as a tensor, \[rows, length\].
pub fn ids_tensor(ids: &[u32], length: usize, device: &Device) -> Tensor<2, Int> {
    let data: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
    let rows = data.len() / length;
    Tensor::from_data(TensorData::new(data, [rows, length]), device)
}

/// Numbers, one a row, as a tensor: \[batch\].
pub fn rows_tensor(numbers: &[f64], device: &Device) -> Tensor<1> {
    let numbers: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}
