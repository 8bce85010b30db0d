//! The forward process of masked diffusion: hiding tokens, and the cross-entropy of those that are hidden.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

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
    Orders::new(batch.len(), batch.x.length(), key).hide_next(batch, counts, values, device)
}

/// A random order of the positions of each row, then another one, and so on. Windows that follow one another hide every position about
/// as often as the others, and each is a uniformly chosen set: nothing here prefers a position.
pub struct Orders {
    rng: ChaCha8Rng,
    orders: Vec<Vec<usize>>,
    /// Where in its order each row is.
    next: Vec<usize>,
}

impl Orders {
    pub fn new(rows: usize, length: usize, key: &Key) -> Self {
        let mut rng = key.rng();
        Self { orders: (0..rows).map(|_| permutation(&mut rng, length)).collect(), next: vec![0; rows], rng }
    }

    /// Hides the next positions of each row, so many of them. The network's time is the share of hidden tokens.
    pub fn hide_next(&mut self, batch: &Batch, counts: &[usize], values: usize, device: &Device) -> Corrupted {
        let length = batch.x.length();
        let mut masked = vec![false; batch.len() * length];
        for (row, masked) in masked.chunks_mut(length).enumerate() {
            let (order, next) = (&mut self.orders[row], &mut self.next[row]);
            for _ in 0..counts[row] {
                if *next == length {
                    // What this window has is last in the next order.
                    *order = permutation(&mut self.rng, length);
                    order.sort_by_key(|&position| masked[position]);
                    *next = 0;
                }
                masked[order[*next]] = true;
                *next += 1;
            }
        }
        let times: Vec<f64> = counts.iter().map(|&count| count as f64 / length as f64).collect();
        Corrupted::new(batch, &times, values, masked, device)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Tokens;

    const LENGTH: usize = 4;
    /// The third goes beyond the end of the first order.
    const COUNTS: [usize; 3] = [2, 1, 2];

    /// The hidden positions of three draws in turn.
    fn windows(mut orders: Orders) -> Vec<Vec<bool>> {
        let batch = Batch::new(Tokens::new(vec![0; LENGTH], LENGTH), vec![0.5]);
        COUNTS.map(|count| orders.hide_next(&batch, &[count], 2, &Device::flex()).tokens.masked).to_vec()
    }

    /// How far the frequencies of the third draw's six pairs of positions are from 1/6, chi squared with five degrees of freedom.
    fn unevenness(orders: impl Fn(u64) -> Orders) -> f64 {
        const KEYS: u64 = 6000;
        let mut counts = std::collections::BTreeMap::new();
        for key in 0..KEYS {
            *counts.entry(windows(orders(key)).pop().expect("three draws")).or_insert(0.0) += 1.0;
        }
        let expected = KEYS as f64 / 6.0;
        let seen: f64 = counts.values().map(|n: &f64| (n - expected).powi(2) / expected).sum();
        seen + (6 - counts.len()) as f64 * expected
    }

    #[test]
    fn windows_of_an_order_follow_one_another_and_each_is_uniform() {
        let random = |key| Orders::new(1, LENGTH, &Key::new(key, "masks"));
        let drawn = windows(random(1));
        for (masked, count) in drawn.iter().zip(COUNTS) {
            assert_eq!(masked.iter().filter(|hidden| **hidden).count(), count);
        }
        let seen = |n: usize| drawn.iter().filter(|masked| masked[n]).count();
        assert!((0..LENGTH).all(|n| seen(n) >= 1), "four of five are the first order: {drawn:?}");
        // Beyond 25 a uniform law is rejected once in 7000 seeds.
        assert!(unevenness(random) < 25.0);
        let fixed = |key| Orders { orders: vec![(0..LENGTH).collect()], ..random(key) };
        assert!(unevenness(fixed) > 25.0, "witness: an order that is not drawn");
    }
}
