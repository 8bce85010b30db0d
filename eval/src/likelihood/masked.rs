//! The NELBO of a masked diffusion model on a data set.

use impls::Key;
use impls::data::Dataset;
use impls::md4::Md4;
use impls::network::MaskedDenoiser;
use impls::times::TimeSampling;
use serde::Serialize;

use super::estimate::Estimate;
use crate::progress::Bar;

/// Sequences a network call. Fixed: the masks of a chunk come from one stream, so results do not depend on it.
const CHUNK: usize = 64;

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
    denoiser: &impl MaskedDenoiser,
    data: &dyn Dataset,
    draws: usize,
    seed: u64,
    device: &burn::tensor::Device,
    bar: &Bar,
) -> MaskedNelbo {
    let all: Vec<usize> = (0..data.tokens().len()).collect();
    let dims = data.tokens().length();
    let mut sums = vec![0.0; all.len()];
    let mut squares = vec![0.0; all.len()];
    let (mut reconstruction, mut prior) = (0.0, 0.0);
    bar.start((all.len().div_ceil(CHUNK) * draws) as u64, "likelihood");
    let times: Vec<Vec<f64>> = all
        .iter()
        .map(|&i| TimeSampling::Stratified.draw(draws, &Key::new(seed, "likelihood times").fold(i as u64)))
        .collect();
    for (number, chunk) in all.chunks(CHUNK).enumerate() {
        let x = data.select(chunk);
        for draw in 0..draws {
            let key = Key::new(seed, "likelihood masks").fold(number as u64).fold(draw as u64);
            let t: Vec<f64> = chunk.iter().map(|&i| times[i][draw]).collect();
            let terms = objective.nelbo(denoiser, &x, &t, &key, device);
            (reconstruction, prior) = (terms.reconstruction, terms.prior);
            for (&i, value) in chunk.iter().zip(&terms.diffusion) {
                sums[i] += value / draws as f64;
                squares[i] += value * value / draws as f64;
            }
            bar.advance(1);
        }
    }
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
