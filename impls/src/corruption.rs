//! The forward process of masked diffusion: hiding tokens, and the cross-entropy of those that are hidden.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use crate::key::{Key, open_uniform, permutation};
use crate::network::{Denoiser, Hidden, Input};
use crate::objective::Batch;
use crate::schedule::MaskedSchedule;

/// A batch with some of its tokens hidden.
pub struct Corrupted {
    /// What the denoiser sees.
    pub input: Input,
    /// x, and where z_t is the mask.
    pub tokens: Hidden,
}

/// Hides each token by itself, with the probability that `probability` gives for its row and value.
pub fn hide_each(
    batch: &Batch,
    times: &[f64],
    values: usize,
    probability: impl Fn(usize, u32) -> f64,
    key: &Key,
    device: &Device,
) -> Corrupted {
    let mut rng = key.rng();
    let rows = batch.x.rows().enumerate();
    let masked: Vec<bool> = rows
        .flat_map(|(row, tokens)| tokens.iter().map(move |&token| (row, token)))
        .map(|(row, token)| open_uniform(&mut rng) < probability(row, token))
        .collect();
    Corrupted::new(batch, times, values, masked, device)
}

/// Sum over the masked positions of -log mu_theta(z_t)\[n, x_n\], for each sequence: \[batch\]. Each token is masked with the
/// probability 1 - alpha(t) of its sequence's time.
pub fn masked_cost(
    schedule: &MaskedSchedule,
    denoiser: &dyn Denoiser,
    batch: &Batch,
    times: &[f64],
    key: &Key,
    device: &Device,
) -> Tensor<1> {
    let probability = |row: usize, _| schedule.mask_probability(times[row]);
    row_sums(hide_each(batch, times, denoiser.values(), probability, key, device).cross_entropies(denoiser))
}

/// Hides this many tokens of each row, uniformly chosen. The network's time is the share of hidden tokens.
pub fn hide_count(batch: &Batch, counts: &[usize], values: usize, key: &Key, device: &Device) -> Corrupted {
    let mut rng = key.rng();
    let length = batch.x.length();
    let mut masked = vec![false; batch.len() * length];
    for (row, &count) in masked.chunks_mut(length).zip(counts) {
        for &position in permutation(&mut rng, length).iter().take(count) {
            row[position] = true;
        }
    }
    let times: Vec<f64> = counts.iter().map(|&count| count as f64 / length as f64).collect();
    Corrupted::new(batch, &times, values, masked, device)
}

impl Corrupted {
    /// The batch with the tokens hidden that `masked` says. Data that holds the mask's id is a mistake: the loss of a model
    /// that may see the answer means nothing.
    pub fn new(batch: &Batch, times: &[f64], values: usize, masked: Vec<bool>, device: &Device) -> Self {
        let length = batch.x.length();
        if let Some(foreign) = batch.x.ids().iter().find(|id| **id as usize >= values) {
            panic!("token {foreign} is no data value: they are 0..{values}");
        }
        let hide = |(&token, &hidden): (&u32, &bool)| if hidden { values as u32 } else { token };
        let z: Vec<u32> = batch.x.ids().iter().zip(&masked).map(hide).collect();
        Self { input: batch.input(&z, times, device), tokens: Hidden { x: batch.x.ids().to_vec(), masked, length } }
    }

    /// -log mu_theta(z)\[n, x_n\] where token n is hidden and 0 elsewhere, \[batch, length\].
    pub fn cross_entropies(&self, denoiser: &dyn Denoiser) -> Tensor<2> {
        denoiser.hidden_costs(&self.input, &self.tokens)
    }

    /// log mu_theta over the data values, \[batch, length, V\].
    pub fn log_mu(&self, denoiser: &dyn Denoiser) -> Tensor<3> {
        log_softmax(denoiser.value_logits(&self.input), 2)
    }
}

/// The sum over each row: \[batch, length\] to \[batch\].
pub fn row_sums(cost: Tensor<2>) -> Tensor<1> {
    cost.sum_dim(1).squeeze_dim(1)
}

/// A tensor's numbers in double precision.
pub fn numbers(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
