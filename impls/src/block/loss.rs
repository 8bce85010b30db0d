//! The training loss and the NELBO of block diffusion.

use burn::tensor::{Device, Tensor};

use super::rates::MaskRates;
use crate::corruption::{Corruption, MaskedBatch};
use crate::error::{Error, Result};
use crate::key::{Key, open_uniform, permutation};
use crate::md4::{Md4, end_terms};
use crate::network::{Input, MaskedTargets, TokenDenoiser, ids_tensor, rows_tensor, to_f64_vec};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::LogSnr;

/// The objective.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockDiffusion {
    /// K, tokens per block; a divisor of the length.
    pub size: usize,
    /// The masked diffusion within a block: schedule, weighting, steps.
    pub process: Md4,
    /// The law of the mask rates of training.
    pub rates: MaskRates,
}

/// Number of blocks of `size` in a sequence of `length` tokens.
pub(super) fn blocks_of(length: usize, size: usize) -> Result<usize> {
    match size > 0 && length.is_multiple_of(size) {
        true => Ok(length / size),
        false => {
            Err(Error::Setting(format!("block_size = {size}: {length} tokens are no whole number of such blocks")))
        }
    }
}

/// Places along the noise of the `blocks` of each sequence, row after row, each uniform on (0, 1): one in each of as many
/// equal parts, in random order. A single block has its sequence's own.
fn places(u: &[f64], blocks: usize, key: &Key) -> Vec<f64> {
    let mut rng = key.rng();
    let of_row =
        |&u: &f64| permutation(&mut rng, blocks).into_iter().map(move |part| (part as f64 + u) / blocks as f64);
    u.iter().flat_map(of_row).collect()
}

/// The batch with the tokens `masked`, and a time of each block, row after row.
pub(super) fn block_batch(
    batch: &Batch,
    times: Vec<f64>,
    values: usize,
    masked: Vec<bool>,
    device: &Device,
) -> Result<MaskedBatch> {
    // The network sees no time: within a sequence there are several.
    let z = MaskedBatch::new(batch, &vec![0.0; batch.len()], values, masked, device)?;
    Ok(MaskedBatch { times, ..z })
}

/// The cross-entropy of each block, \[batch, blocks\]: the sum over its masked n of -log mu_theta(x^<b, z^b)\[n, x_n\].
pub(super) fn block_cross_entropies(denoiser: &dyn TokenDenoiser, z: &MaskedBatch, size: usize) -> Tensor<2> {
    let at_once = denoiser.block_costs(&z.input, &z.targets, size);
    let costs = at_once.unwrap_or_else(|| one_block_at_a_time(denoiser, z, size));
    let [rows, length] = costs.dims();
    costs.reshape([rows, length / size, size]).sum_dim(2).squeeze_dim(2)
}

/// The cost of each masked token, \[batch, length\], with one evaluation per block: the blocks before it are clean, all
/// tokens after it masked. The way of a denoiser that was not made for block diffusion.
pub fn one_block_at_a_time(denoiser: &dyn TokenDenoiser, z: &MaskedBatch, size: usize) -> Tensor<2> {
    let MaskedTargets { x, masked, length } = &z.targets;
    let device = z.input.z.device();
    let mut costs = Tensor::zeros([x.len() / length, *length], &device);
    for first in (0..*length).step_by(size) {
        let is_of_block = |at: usize| (first..first + size).contains(&(at % length));
        let of_block: Vec<bool> = (0..x.len()).map(|at| masked[at] && is_of_block(at)).collect();
        if !of_block.contains(&true) {
            continue;
        }
        let is_hidden = |at: usize| of_block[at] || at % length >= first + size;
        let mask = denoiser.values() as u32;
        let ids: Vec<u32> = (0..x.len()).map(|at| if is_hidden(at) { mask } else { x[at] }).collect();
        let input = Input { z: ids_tensor(&ids, *length, &device), ..z.input.clone() };
        let targets = MaskedTargets { x: x.clone(), masked: of_block, length: *length };
        costs = costs + MaskedBatch { input, targets, times: z.times.clone() }.token_costs(denoiser);
    }
    costs
}

/// The bound's terms of each sequence from the cross-entropies of its blocks, each times its weight.
pub(super) fn bound_terms(cross_entropies: Tensor<2>, weights: &[f64], ends: BoundTerms) -> Vec<BoundTerms> {
    let [_, blocks] = cross_entropies.dims();
    let weighted: Vec<f64> =
        to_f64_vec(cross_entropies).iter().zip(weights).map(|(cost, weight)| cost * weight).collect();
    weighted.chunks(blocks).map(|row| BoundTerms { diffusion: row.iter().sum(), ..ends }).collect()
}

impl BlockDiffusion {
    /// z_t with a time of each block, which `time` makes of a uniform number.
    fn corrupt_at(
        &self,
        denoiser: &dyn TokenDenoiser,
        batch: &Batch,
        time: impl Fn(f64) -> f64,
        key: &Key,
        device: &Device,
    ) -> Result<Corruption> {
        let blocks = blocks_of(batch.x.length(), self.size)?;
        let times: Vec<f64> = places(&batch.u, blocks, &key.fold(0)).into_iter().map(time).collect();
        let mut rng = key.rng();
        let rates = times.iter().map(|&t| self.process.schedule.mask_probability(t));
        let masked = rates.flat_map(|rate| std::iter::repeat_n(rate, self.size));
        let masked = masked.map(|rate| open_uniform(&mut rng) < rate).collect();
        Ok(block_batch(batch, times, denoiser.values(), masked, device)?.into())
    }

    /// The time of a uniform number in training.
    fn training_time(&self, u: f64) -> f64 {
        match self.rates.range() {
            None => self.process.time(u),
            Some([low, high]) => {
                let rate = low + (high - low) * u;
                self.process.schedule.time_of_log_snr((1.0 - rate).ln() - rate.ln()).clamp(0.0, 1.0)
            }
        }
    }

    /// The weight of each block's cross-entropy in training, row after row.
    fn training_weights(&self, z: &MaskedBatch) -> Vec<f64> {
        let Md4 { schedule, weighting, .. } = &self.process;
        match &self.rates {
            MaskRates::Schedule => z.times.iter().map(|&t| self.process.training_weight(t)).collect(),
            MaskRates::Clipped(_) => {
                z.times.iter().map(|&t| weighting.at(schedule, t) / schedule.mask_probability(t)).collect()
            }
            MaskRates::ClippedWeighted(range) => {
                let of_count = MaskRates::count_weights(*range, self.size);
                z.targets.counts_of(self.size).map(|k| of_count[k]).collect()
            }
        }
    }
}

impl TokenObjective for BlockDiffusion {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        self.corrupt_at(denoiser, batch, |u| self.training_time(u), key, device)
    }

    /// sum over blocks b of w~(t_b) r(t_b) sum over masked n of b of -log mu_theta(x^<b, z^b)\[n, x_n\] [BD3LM, NELBO].
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let costs = block_cross_entropies(denoiser, z, self.size);
        let weights = rows_tensor(self.training_weights(z), &costs.device()).reshape(costs.dims());
        Ok((costs * weights).sum_dim(1).squeeze_dim(1))
    }

    /// Under the schedule's own mask rates, whatever rates train.
    fn corrupt_for_bound(
        &self,
        denoiser: &dyn TokenDenoiser,
        batch: &Batch,
        key: &Key,
        device: &Device,
    ) -> Result<Corruption> {
        self.corrupt_at(denoiser, batch, |u| self.process.time(u), key, device)
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let ends = end_terms(&self.process.schedule, z.targets.length, denoiser.values());
        let weights: Vec<f64> = z.times.iter().map(|&t| self.process.bound_weight(t)).collect();
        Ok(bound_terms(block_cross_entropies(denoiser, z, self.size), &weights, ends))
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        let within = self.process.protocol().into_iter().skip(1);
        [("objective", "block".to_owned()), ("block size", self.size.to_string())].into_iter().chain(within).collect()
    }

    fn is_any_order(&self) -> bool {
        self.process.is_any_order()
    }

    fn block_size(&self) -> Option<usize> {
        Some(self.size)
    }
}
