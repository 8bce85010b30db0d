//! The bound of a trained network, and the loss and gradient of its training, by noise level.

use std::path::Path;

use burn::tensor::Device;
use elbow_base::{Error, bits_per_dim};
use elbow_impls::any_order::K_DCE;
use elbow_impls::data::Dataset;
use elbow_impls::objective::Batch;
use elbow_impls::schedule::{LogSnr, MaskedSchedule};
use elbow_impls::train::Settings;
use elbow_impls::train::optimizer::gradient_norm;
use elbow_impls::{DiffusionModel, Key};
use serde::{Deserialize, Serialize};

use crate::runs::Trained;

/// One interval of noise levels, of equal share of the bound's own measure and of training's times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Level {
    /// Log-SNR in the middle of the bound's interval, and an estimate of its part of the NELBO's diffusion term,
    /// bits/dim: its draws are not those of the NELBO.
    pub bound_log_snr: f64,
    pub bound: f64,
    /// Log-SNR in the middle of training's interval.
    pub log_snr: f64,
    /// Standard deviation of the weighted loss per sequence, divided by its mean over all levels.
    pub deviation: f64,
    /// Norm of the gradient of a batch with all noise levels in this interval, divided by its mean over all levels.
    pub gradient: f64,
}

/// Number of intervals.
const LEVELS: usize = 10;
/// Draws per test image and interval.
const DRAWS: usize = 2;
/// Batches of training images per interval, and their size.
const BATCHES: u64 = 4;
const BATCH: usize = 32;

/// The profile of the averaged weights of a finished run.
pub(super) fn profile(
    run: &Path,
    [train, test]: [&dyn Dataset; 2],
    sequences: Option<usize>,
    device: &Device,
    seed: u64,
) -> Result<Vec<Level>, Error> {
    let device = &device.clone().autodiff();
    let trained = Trained::load(run, device)?;
    let settings = &trained.settings;
    let gaussian = settings.gaussian();
    // Uniform numbers are the share of masks or, for Gaussian diffusion, uniform in log-SNR: the bound is the mean.
    let bound = match &gaussian {
        Some(gaussian) => DiffusionModel::Gaussian(gaussian, trained.model.gaussian()?),
        None => DiffusionModel::Tokens(&K_DCE, trained.model.tokens()?),
    };
    let middle = |level: usize| (level as f64 + 0.5) / LEVELS as f64;
    let stratified = |level: usize, n: usize| -> Vec<f64> {
        (0..n).map(|i| (level as f64 + (i as f64 + 0.5) / n as f64) / LEVELS as f64).collect()
    };
    let mut levels = Vec::new();
    for level in 0..LEVELS {
        // The same images, times and masks for every run of the study: differences between runs are paired.
        let key = Key::new(seed, "weighting profile").fold(level as u64);
        let (mut cost, mut count) = (0.0, 0);
        let images: Vec<usize> = (0..sequences.unwrap_or(usize::MAX).min(test.len())).collect();
        for draw in 0..DRAWS as u64 {
            for (part, chunk) in images.chunks(BATCH).enumerate() {
                let batch = Batch::new(test.select(chunk)?, stratified(level, chunk.len()));
                let terms = bound.nelbo(&batch, &key.fold(draw).fold(part as u64), device)?;
                cost += terms.iter().map(|terms| terms.diffusion).sum::<f64>();
                count += chunk.len();
            }
        }
        let bound_log_snr = match &gaussian {
            Some(gaussian) => gaussian.bound_weight(&gaussian.schedule, middle(level))?.log_snr,
            None => MaskedSchedule::Linear.log_snr(middle(level)),
        };
        let (mut losses, mut norm) = (Vec::new(), 0.0);
        for batch_number in 0..BATCHES {
            let key = key.fold(1000 + batch_number);
            let first = batch_number as usize * BATCH;
            let chosen: Vec<usize> = (first..first + BATCH).map(|i| i % train.len()).collect();
            let batch = Batch::new(train.select(&chosen)?, stratified(level, BATCH));
            let loss = trained.diffusion()?.loss(&batch, &key, device)?;
            losses.extend(loss.clone().into_data().iter::<f32>().map(f64::from));
            norm += gradient_norm(&trained.model, loss.mean()) / BATCHES as f64;
        }
        levels.push(Level {
            bound_log_snr,
            bound: bits_per_dim(cost / count as f64, test.length()) / LEVELS as f64,
            log_snr: training_log_snr(settings, middle(level))?,
            deviation: deviation(&losses),
            gradient: norm,
        });
    }
    relative(&mut levels, |level| &mut level.deviation);
    relative(&mut levels, |level| &mut level.gradient);
    Ok(levels)
}

/// The log-SNR at which training puts a sequence with this uniform number.
fn training_log_snr(settings: &Settings, u: f64) -> Result<f64, Error> {
    Ok(match settings.gaussian() {
        Some(gaussian) => gaussian.training_weight(u).log_snr,
        None => settings.objective.training_schedule().log_snr(u),
    })
}

/// The standard deviation of some numbers.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// Divides a number of each level by its mean: AdamW does not see the scale of a loss, only its shape.
fn relative(levels: &mut [Level], part: impl Fn(&mut Level) -> &mut f64) {
    let mean = levels.iter_mut().map(|level| *part(level)).sum::<f64>() / LEVELS as f64;
    levels.iter_mut().for_each(|level| *part(level) /= mean);
}
