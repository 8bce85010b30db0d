//! The NELBO of a masked diffusion model on a data set.

use impls::data::Dataset;
use impls::md4::{Md4, Nelbo};
use impls::network::MaskedDenoiser;
use impls::times::TimeSampling;
use impls::{Key, Workers};
use serde::Serialize;

use super::estimate::Estimate;
use crate::progress::Bar;

/// Sequences a network call. Fixed: the masks of a chunk come from one stream, so results do not depend on it.
const CHUNK: usize = 32;

/// An upper bound on the negative log-likelihood, terms apart; a mean over sequences, with its standard error.
#[derive(Clone, Debug, Serialize)]
pub struct MaskedNelbo {
    pub dataset: String,
    /// Sequences evaluated: all of the data set.
    pub sequences: u64,
    /// Tokens a sequence (the D of bits/dim).
    pub dims: usize,
    /// Time draws a sequence, stratified over (0, 1).
    pub draws: usize,
    /// The times covered: the whole interval, no end is left out.
    pub time_range: [f64; 2],
    /// All three terms, nats a sequence.
    pub nats: Estimate,
    /// All three terms, bits per dimension: nats / (D ln 2).
    pub bits_per_dim: Estimate,
    /// E -log p(x | z_0), bits per dimension.
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)), bits per dimension.
    pub prior: f64,
    /// The diffusion term, bits per dimension.
    pub diffusion: Estimate,
    /// The part of the squared standard error that more draws would remove, as a share.
    pub monte_carlo_share: f64,
    /// All three terms of each sequence, nats.
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// Estimates the NELBO with `draws` stratified times for each sequence. The standard error is over sequences and
/// holds both the spread of the data and the Monte-Carlo noise.
pub fn masked_nelbo(
    objective: &Md4,
    denoiser: &(impl MaskedDenoiser + Sync),
    data: &dyn Dataset,
    draws: usize,
    seed: u64,
    device: &burn::tensor::Device,
    bar: &Bar,
) -> MaskedNelbo {
    let all: Vec<usize> = (0..data.tokens().len()).collect();
    let dims = data.tokens().length();
    let chunks: Vec<&[usize]> = all.chunks(CHUNK).collect();
    bar.start((chunks.len() * draws) as u64, "likelihood");
    let parts = Workers::new(usize::MAX).map(&chunks, |number, chunk| {
        let x = data.select(chunk);
        let key = |purpose| Key::new(seed, purpose);
        let time_key = key("likelihood times");
        let times: Vec<Vec<f64>> =
            chunk.iter().map(|&i| TimeSampling::Stratified.draw(draws, &time_key.fold(i as u64))).collect();
        let mask_key = key("likelihood masks").fold(number as u64);
        let draw = |draw: usize| {
            let t: Vec<f64> = times.iter().map(|times| times[draw]).collect();
            let terms = objective.nelbo(denoiser, &x, &t, &mask_key.fold(draw as u64), device);
            bar.advance(1);
            terms
        };
        (0..draws).map(draw).collect::<Vec<Nelbo>>()
    });
    let mut sums = Vec::with_capacity(all.len());
    let mut squares = Vec::with_capacity(all.len());
    for (part, chunk) in parts.iter().zip(&chunks) {
        for i in 0..chunk.len() {
            let mean = |power: i32| part.iter().map(|terms| terms.diffusion[i].powi(power)).sum::<f64>() / draws as f64;
            sums.push(mean(1));
            squares.push(mean(2));
        }
    }
    let (reconstruction, prior) =
        parts.first().and_then(|p| p.first()).map_or((0.0, 0.0), |t| (t.reconstruction, t.prior));
    bar.finish();
    let diffusion = Estimate::of(&sums);
    let total = Estimate { value: diffusion.value + reconstruction + prior, ..diffusion };
    let to_bits = 1.0 / (dims as f64 * std::f64::consts::LN_2);
    // Variance of a sequence's mean over its draws, as if they were independent: stratification makes it smaller.
    let noise: f64 = sums.iter().zip(&squares).map(|(m, s)| (s - m * m) / (draws as f64 - 1.0).max(1.0)).sum();
    let share = noise / (all.len() as f64).powi(2) / diffusion.standard_error.powi(2);
    MaskedNelbo {
        dataset: data.name(),
        sequences: all.len() as u64,
        dims,
        draws,
        time_range: [0.0, 1.0],
        nats: total,
        bits_per_dim: total.scaled(to_bits),
        reconstruction: reconstruction * to_bits,
        prior: prior * to_bits,
        diffusion: diffusion.scaled(to_bits),
        monte_carlo_share: share.min(1.0),
        per_sequence: sums.iter().map(|d| d + reconstruction + prior).collect(),
    }
}
