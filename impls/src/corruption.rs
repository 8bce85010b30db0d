//! The forward processes over tokens: masking, and the costs of the tokens that a denoiser has to predict.

use burn::tensor::{Device, Int, Tensor};
use rand_chacha::ChaCha8Rng;

use crate::batch::Batch;
use crate::bound_terms::BoundTerms;
use crate::error::{Error, Result};
use crate::key::{Key, open_uniform, permutation};
use crate::mdlm::subs_parameterization;
use crate::network::{Input, MaskedTargets, TokenDenoiser, negative_log, to_f64_vec};
use crate::schedule::MaskedSchedule;

/// Time and noise of a batch, drawn: the randomness of a loss.
pub struct Corruption {
    /// z_t of each sequence.
    pub z: MaskedBatch,
    /// A second, independent z_t of the same x and t, where the loss compares two (GenMD4).
    pub second: Option<MaskedBatch>,
}

impl From<MaskedBatch> for Corruption {
    fn from(z: MaskedBatch) -> Self {
        Self { z, second: None }
    }
}

/// A corrupted batch: the denoiser's input, and the tokens that it has to predict.
pub struct MaskedBatch {
    /// z_t with its times, classes and dropout.
    pub input: Input,
    /// x, and the positions that are to be predicted: where z_t is the mask.
    pub targets: MaskedTargets,
    /// The time of each sequence, in double precision; in block diffusion of each block, row after row.
    pub times: Vec<f64>,
}

/// Masks each token independently, with a `probability` of its row and value.
pub fn mask_bernoulli(
    batch: &Batch,
    times: &[f64],
    values: usize,
    probability: impl Fn(usize, u32) -> f64,
    key: &Key,
    device: &Device,
) -> Result<MaskedBatch> {
    let mut rng = key.rng();
    let rows = batch.x.rows().enumerate();
    let masked: Vec<bool> = rows
        .flat_map(|(row, tokens)| tokens.iter().map(move |&token| (row, token)))
        .map(|(row, token)| open_uniform(&mut rng) < probability(row, token))
        .collect();
    MaskedBatch::new(batch, times, values, masked, device)
}

/// z_t of each sequence at its time: every token is masked with probability 1 - alpha(t).
pub fn mask_under(
    schedule: &MaskedSchedule,
    batch: &Batch,
    times: &[f64],
    values: usize,
    key: &Key,
    device: &Device,
) -> Result<MaskedBatch> {
    mask_bernoulli(batch, times, values, |row, _| schedule.mask_probability(times[row]), key, device)
}

/// A random order of the positions of each row, then another one, and so on. Windows that follow one another mask every
/// position about as often as the others, and each is a uniformly chosen set: no position is preferred.
pub struct PermutationStream {
    rng: ChaCha8Rng,
    orders: Vec<Vec<usize>>,
    /// The next place in the order of each row.
    next: Vec<usize>,
}

impl PermutationStream {
    /// Fresh orders of `length` positions for each of `rows` rows.
    pub fn new(rows: usize, length: usize, key: &Key) -> Self {
        let mut rng = key.rng();
        Self { orders: (0..rows).map(|_| permutation(&mut rng, length)).collect(), next: vec![0; rows], rng }
    }

    /// The next `count` positions of a row: true at each of them, one entry per position. No more than there are.
    pub fn window(&mut self, row: usize, count: usize) -> Vec<bool> {
        let (order, next) = (&mut self.orders[row], &mut self.next[row]);
        let length = order.len();
        let mut masked = vec![false; length];
        for _ in 0..count {
            if *next == length {
                // What this window has is last in the next order.
                *order = permutation(&mut self.rng, length);
                order.sort_by_key(|&position| masked[position]);
                *next = 0;
            }
            masked[order[*next]] = true;
            *next += 1;
        }
        masked
    }

    /// Masks the next positions of each row, `counts` of them. The network's time is the share of masked tokens.
    pub fn mask(&mut self, batch: &Batch, counts: &[usize], values: usize, device: &Device) -> Result<MaskedBatch> {
        let length = batch.x.length();
        let masked: Vec<bool> = counts.iter().enumerate().flat_map(|(row, &count)| self.window(row, count)).collect();
        let times: Vec<f64> = counts.iter().map(|&count| count as f64 / length as f64).collect();
        MaskedBatch::new(batch, &times, values, masked, device)
    }
}

impl MaskedBatch {
    /// The batch with the tokens `masked` at these times. Data that contains the mask's id is an error: such a token
    /// would be visible and counted as masked.
    pub fn new(batch: &Batch, times: &[f64], values: usize, masked: Vec<bool>, device: &Device) -> Result<Self> {
        let hide = |(&token, &hidden): (&u32, &bool)| if hidden { values as u32 } else { token };
        let z: Vec<u32> = batch.x.ids().iter().zip(&masked).map(hide).collect();
        let mut made = Self::predicting_all(batch, &z, times, values, device)?;
        made.targets.masked = masked;
        Ok(made)
    }

    /// The batch with `z` in place of its tokens, all of which are to be predicted: a process without a mask.
    pub fn predicting_all(batch: &Batch, z: &[u32], times: &[f64], values: usize, device: &Device) -> Result<Self> {
        if let Some(foreign) = batch.x.ids().iter().find(|id| **id as usize >= values) {
            return Err(Error::Setting(format!("token {foreign} is no data value: they are 0..{values}")));
        }
        let targets = MaskedTargets::all(batch.x.ids(), batch.x.length());
        Ok(Self { input: batch.input(z, times, device), targets, times: times.to_vec() })
    }

    /// The sum over masked n of -log mu_theta(z)\[n, x_n\], nats, \[batch\].
    pub fn cross_entropy(&self, denoiser: &dyn TokenDenoiser) -> Tensor<1> {
        row_sums(self.token_costs(denoiser))
    }

    /// -log mu_theta(z)\[n, x_n\] of each masked token and 0 of the others, nats, \[batch, length\].
    pub fn token_costs(&self, denoiser: &dyn TokenDenoiser) -> Tensor<2> {
        let own = denoiser.masked_costs(&self.input, &self.targets);
        own.unwrap_or_else(|| self.costs(denoiser, negative_log))
    }

    /// `cost` of log mu_theta, \[batch, length, V\], and x where token n is masked, and 0 elsewhere: \[batch, length\].
    pub fn costs(
        &self,
        denoiser: &dyn TokenDenoiser,
        cost: impl FnOnce(Tensor<3>, &Tensor<2, Int>) -> Tensor<2>,
    ) -> Tensor<2> {
        subs_parameterization(denoiser.logits(&self.input), denoiser.values(), &self.targets, cost)
    }

    /// The bound's terms of each sequence: its cross-entropies times `weight` of its row, in double precision, with the
    /// terms of the `ends`.
    pub fn bound_terms(
        &self,
        denoiser: &dyn TokenDenoiser,
        ends: BoundTerms,
        weight: impl Fn(usize) -> f64,
    ) -> Vec<BoundTerms> {
        let costs = to_f64_vec(self.cross_entropy(denoiser)).into_iter().enumerate();
        costs.map(|(row, cost)| BoundTerms { diffusion: cost * weight(row), ..ends }).collect()
    }
}

/// The sum over each row: \[batch, length\] to \[batch\].
pub fn row_sums(cost: Tensor<2>) -> Tensor<1> {
    cost.sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Tokens;

    const LENGTH: usize = 4;
    /// The third goes beyond the end of the first order.
    const COUNTS: [usize; 3] = [2, 1, 2];

    /// The masked positions of three draws in turn.
    fn windows(mut orders: PermutationStream) -> Vec<Vec<bool>> {
        let batch = Batch::new(Tokens::new(vec![0; LENGTH], LENGTH), vec![0.5]);
        COUNTS
            .map(|count| orders.mask(&batch, &[count], 2, &Device::flex()).expect("data values").targets.masked)
            .to_vec()
    }

    /// The distance of the frequencies of the third draw's six pairs of positions from 1/6: chi squared, five degrees of freedom.
    fn unevenness(orders: impl Fn(u64) -> PermutationStream) -> f64 {
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
        let random = |key| PermutationStream::new(1, LENGTH, &Key::new(key, "masks"));
        let drawn = windows(random(1));
        for (masked, count) in drawn.iter().zip(COUNTS) {
            assert_eq!(masked.iter().filter(|hidden| **hidden).count(), count);
        }
        let seen = |n: usize| drawn.iter().filter(|masked| masked[n]).count();
        assert!((0..LENGTH).all(|n| seen(n) >= 1), "four of five are the first order: {drawn:?}");
        // Beyond 25 a uniform law is rejected once in 7000 seeds.
        assert!(unevenness(random) < 25.0);
        let fixed = |key| PermutationStream { orders: vec![(0..LENGTH).collect()], ..random(key) };
        assert!(unevenness(fixed) > 25.0, "witness: an order that is not drawn");
    }
}
