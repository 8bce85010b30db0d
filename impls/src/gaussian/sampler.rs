//! Samplers of Gaussian diffusion. The state is kept in double precision; the network runs in its own.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::decoder::Decoder;
use super::loss::normals;
use super::prediction::Prediction;
use crate::data::Tokens;
use crate::error::{Result, not_finite};
use crate::key::Key;
use crate::network::{GaussianDenoiser, Input, to_f64_vec};
use crate::sampler_state::Samples;
use elbow_process::gaussian::{Kernel, Level};

/// Points being drawn: the state of a sampler of Gaussian diffusion. Each sequence has its own stream of random numbers.
#[derive(Clone, Debug)]
pub struct GaussianState {
    /// The variance-preserving z, row after row.
    pub z: Vec<f64>,
    /// Coordinates per row.
    pub length: usize,
    rngs: Vec<ChaCha8Rng>,
}

impl GaussianState {
    /// `count` draws of the prior N(0, I).
    pub fn prior(count: usize, length: usize, key: &Key) -> Self {
        let mut state = Self::at(vec![0.0; count * length], length, key);
        state.z = state.noise();
        state
    }

    /// Points `z` at some level, to continue from.
    pub fn at(z: Vec<f64>, length: usize, key: &Key) -> Self {
        let rngs = (0..z.len() / length).map(|i| key.fold(i as u64).rng()).collect();
        Self { z, length, rngs }
    }

    /// One normal number per coordinate.
    fn noise(&mut self) -> Vec<f64> {
        let length = self.length;
        self.rngs.iter_mut().flat_map(|rng| normals(rng, length)).collect()
    }

    /// Refuses coordinates that are no numbers after the step with this index: such are the outputs of a network that
    /// diverged.
    fn check_finite(&self, step: usize) -> Result<()> {
        match self.z.iter().all(|z| z.is_finite()) {
            true => Ok(()),
            false => Err(not_finite(step as u64 + 1)),
        }
    }

    /// The tokens nearest to the points, with the network evaluations that they took.
    pub fn decode(self, predictor: EpsPredictor, log_snr: f64) -> Samples {
        let (decoder, alpha) = (Decoder { values: predictor.denoiser.values() }, Level::of_log_snr(log_snr).alpha);
        let ids = self.z.iter().map(|z| decoder.nearest(z / alpha)).collect();
        Samples {
            tokens: Tokens::new(ids, self.length),
            evaluations: vec![predictor.evaluations; self.rngs.len()],
            network_calls: predictor.evaluations,
            classes: predictor.class,
        }
    }
}

/// eps_hat as a sampler uses it: guided, its evaluations counted.
pub struct EpsPredictor<'a> {
    denoiser: &'a dyn GaussianDenoiser,
    prediction: Prediction,
    device: &'a Device,
    /// Class of each sequence; empty without classes.
    class: Vec<u32>,
    /// w of w eps_cond + (1 - w) eps_uncond.
    guidance: f64,
    evaluations: u64,
}

impl<'a> EpsPredictor<'a> {
    /// Unguided eps_hat of a denoiser.
    pub fn new(denoiser: &'a dyn GaussianDenoiser, prediction: Prediction, device: &'a Device) -> Self {
        Self { denoiser, prediction, device, class: Vec::new(), guidance: 1.0, evaluations: 0 }
    }

    /// Samples of these classes, guided: the score of p_cond^w p_uncond^(1-w). w = 1 is the conditional model, w = 0
    /// the unconditional one.
    pub fn guided(self, class: Vec<u32>, guidance: f64) -> Self {
        Self { class, guidance, ..self }
    }

    /// Network evaluations of each sequence so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// eps_hat for the points `z` of some rows at one log-SNR.
    pub fn eps(&mut self, z: &[f64], length: usize, log_snr: f64) -> Vec<f64> {
        let network = self.prediction.at(log_snr);
        let rows = z.len() / length;
        let data: Vec<f32> = z.iter().map(|z| (network.c_in * z) as f32).collect();
        let tensor = Tensor::<2>::from_data(TensorData::new(data, [rows, length]), self.device);
        let input = Input::points(tensor, &vec![network.c_noise; rows]);
        let mut call = |input: &Input<_>| -> Vec<f64> {
            self.evaluations += 1;
            to_f64_vec(self.denoiser.output(input))
        };
        // eps_hat is affine in F, with the same part from z: mixing F mixes eps_hat.
        let f = match (self.class.is_empty(), self.guidance) {
            (true, _) | (false, 0.0) => call(&input),
            (false, 1.0) => call(&input.with_class(&self.class)),
            (false, w) => {
                let without = call(&input);
                let with = call(&input.with_class(&self.class));
                with.iter().zip(&without).map(|(with, without)| w * with + (1.0 - w) * without).collect()
            }
        };
        z.iter().zip(f).map(|(z, f)| network.eps(*z, f)).collect()
    }
}

/// x_hat = (z - sigma eps_hat) / alpha.
fn denoised(level: Level, z: f64, eps: f64) -> f64 {
    (z - level.sigma * eps) / level.alpha
}

/// Ancestral steps: z_s ~ q(z_s | z_t, x = x_hat), whose variance is sigma_s^2 (1 - SNR_t / SNR_s) (VDM). One
/// evaluation per step.
pub fn ancestral(predictor: &mut EpsPredictor, log_snrs: &[f64], state: &mut GaussianState) -> Result<()> {
    for (step, pair) in log_snrs.windows(2).enumerate() {
        let (late, early) = (Level::of_log_snr(pair[0]), Level::of_log_snr(pair[1]));
        let kernel = Kernel::new(early, late);
        let eps = predictor.eps(&state.z, state.length, late.log_snr);
        let noise = state.noise();
        for (at, z) in state.z.iter_mut().enumerate() {
            let mean = kernel.keep * *z + kernel.gain * denoised(late, *z, eps[at]);
            *z = mean + kernel.variance.sqrt() * noise[at];
        }
        state.check_finite(step)?;
    }
    Ok(())
}

/// DDIM without noise: z_s = alpha_s x_hat + sigma_s eps_hat (Song et al. 2021). One evaluation per step. It is Euler's
/// method for the probability-flow ODE dy/ds = eps_hat, y = z / alpha, s = sigma / alpha.
pub fn ddim(predictor: &mut EpsPredictor, log_snrs: &[f64], state: &mut GaussianState) -> Result<()> {
    for (step, pair) in log_snrs.windows(2).enumerate() {
        let (late, early) = (Level::of_log_snr(pair[0]), Level::of_log_snr(pair[1]));
        let eps = predictor.eps(&state.z, state.length, late.log_snr);
        for (z, eps) in state.z.iter_mut().zip(&eps) {
            *z = early.alpha * denoised(late, *z, *eps) + early.sigma * eps;
        }
        state.check_finite(step)?;
    }
    Ok(())
}

/// Noise that Heun's sampler adds before a step (EDM, algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// S_churn; 0 for the probability-flow ODE.
    pub amount: f64,
    /// S_noise.
    pub noise: f64,
    /// S_tmin and S_tmax.
    pub range: [f64; 2],
}

impl Churn {
    /// No noise.
    pub const NONE: Self = Self { amount: 0.0, noise: 1.0, range: [0.0, f64::INFINITY] };

    /// The level s = sigma / alpha to which a step from `s` first rises, and the standard deviation of the noise that
    /// takes it there.
    pub fn raise(&self, s: f64, steps: usize) -> (f64, f64) {
        let inside = (self.range[0]..=self.range[1]).contains(&s);
        let gamma = if inside { (self.amount / steps as f64).min(2f64.sqrt() - 1.0) } else { 0.0 };
        let raised = s * (1.0 + gamma);
        (raised, self.noise * (raised * raised - s * s).sqrt())
    }
}

/// Heun's second-order steps for dy/ds = eps_hat, y = z / alpha, s = sigma / alpha, with churn (EDM, algorithms 1 and
/// 2): two evaluations per step, one where the step ends without noise.
pub fn heun(predictor: &mut EpsPredictor, log_snrs: &[f64], churn: Churn, state: &mut GaussianState) -> Result<()> {
    let of_s = |s: f64| Level::of_log_snr(-2.0 * s.ln());
    let length = state.length;
    let steps = log_snrs.len() - 1;
    for (step, pair) in log_snrs.windows(2).enumerate() {
        let [before, to] = [pair[0], pair[1]].map(|log_snr| (-0.5 * log_snr).exp());
        let (from, spread) = churn.raise(before, steps);
        let mut y: Vec<f64> = state.z.iter().map(|z| z / of_s(before).alpha).collect();
        if spread > 0.0 {
            y.iter_mut().zip(state.noise()).for_each(|(y, noise)| *y += spread * noise);
        }
        let mut slope = |y: &[f64], s: f64| {
            let level = of_s(s);
            let z: Vec<f64> = y.iter().map(|y| level.alpha * y).collect();
            predictor.eps(&z, length, level.log_snr)
        };
        let first = slope(&y, from);
        let mut next: Vec<f64> = y.iter().zip(&first).map(|(y, d)| y + (to - from) * d).collect();
        if to > 0.0 {
            let second = slope(&next, to);
            let mean = first.iter().zip(second).map(|(a, b)| 0.5 * (a + b));
            next = y.iter().zip(mean).map(|(y, d)| y + (to - from) * d).collect();
        }
        let alpha = of_s(to).alpha;
        state.z = next.into_iter().map(|y| alpha * y).collect();
        state.check_finite(step)?;
    }
    Ok(())
}
