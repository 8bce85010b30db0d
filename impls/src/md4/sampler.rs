//! Ancestral sampling of masked diffusion.

use std::f64::consts::FRAC_PI_2;
use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Tokens;
use crate::error::UnknownName;
use crate::key::{Key, categorical, open_uniform};
use crate::network::{MaskedDenoiser, softmax};
use crate::schedule::MaskedSchedule;

/// How the sampler's times t(i), i = 0..T, are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// t(i) = i / T.
    Uniform,
    /// t(i) = cos(pi/2 (1 - i/T)): with the linear schedule this is the alpha sequence of the cosine schedule on
    /// a uniform grid. With the cosine schedule the warp is applied twice; say so if you mean it.
    Cosine,
}

impl Grid {
    /// The time of grid point `i` of `steps`.
    pub fn time(&self, i: usize, steps: usize) -> f64 {
        let t = i as f64 / steps as f64;
        match self {
            Self::Uniform => t,
            // As a sine: exactly 0 at i = 0.
            Self::Cosine => (FRAC_PI_2 * t).sin(),
        }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Cosine => "cosine",
        })
    }
}

impl FromStr for Grid {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "uniform" => Ok(Self::Uniform),
            "cosine" => Ok(Self::Cosine),
            _ => Err(UnknownName::new("grid", name, &["uniform", "cosine"])),
        }
    }
}

/// Finished sequences and what they cost.
pub struct Samples {
    pub tokens: Tokens,
    /// Calls of the network made, each over the whole batch.
    pub network_calls: usize,
}

/// Draws `count` sequences of `length` tokens by `steps` ancestral steps.
///
/// A step first decides which masked tokens to reveal (probability xi, double precision), then draws their values
/// from mu_theta(z_t). Where a step reveals nothing in the whole batch, the network is not called: it sees no
/// time, so the call could not change anything. Every sequence has its own stream of `key`: its law and its
/// random numbers do not depend on how many are drawn beside it.
pub fn sample(
    denoiser: &impl MaskedDenoiser,
    schedule: &MaskedSchedule,
    grid: Grid,
    steps: usize,
    (count, length): (usize, usize),
    key: &Key,
    device: &Device,
) -> Samples {
    let values = denoiser.values();
    let mask = values as u16;
    let mut rngs: Vec<_> = (0..count).map(|i| key.fold(i as u64).rng()).collect();
    let mut z = vec![mask; count * length];
    let visible_at_start = schedule.alpha(1.0);
    for (row, rng) in z.chunks_mut(length).zip(&mut rngs) {
        for token in row {
            if open_uniform(rng) < visible_at_start {
                *token = categorical(rng, &vec![1.0; values]) as u16;
            }
        }
    }
    let mut network_calls = 0;
    for i in (0..=steps).rev() {
        // The last round (i = 0) is the decoder: it fills what alpha(0) < 1 leaves masked.
        let reveal = match i {
            0 => 1.0,
            _ => schedule.reveal_probability(grid.time(i - 1, steps), grid.time(i, steps)),
        };
        let mut chosen = Vec::new();
        for (row, rng) in rngs.iter_mut().enumerate() {
            for (index, &token) in z.iter().enumerate().skip(row * length).take(length) {
                if token == mask && open_uniform(rng) < reveal {
                    chosen.push((row, index));
                }
            }
        }
        if chosen.is_empty() {
            continue;
        }
        network_calls += 1;
        let ids: Vec<i64> = z.iter().map(|&token| i64::from(token)).collect();
        let logits = denoiser.logits(Tensor::from_data(TensorData::new(ids, [count, length]), device)).into_data();
        let logits: Vec<f32> = logits.iter::<f32>().collect();
        for (row, index) in chosen {
            let weights = softmax(&logits[index * values..(index + 1) * values]);
            z[index] = categorical(&mut rngs[row], &weights) as u16;
        }
    }
    Samples { tokens: Tokens::new(z, length), network_calls }
}
