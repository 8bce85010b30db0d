//! VDM with learned ends: gamma(t) = gamma_min + e^s t, where theta = (gamma_min, s) is trained with the network.

use burn::tensor::activation::{log_softmax, sigmoid};
use burn::tensor::{Int, Tensor, TensorData};

use super::corruption::GaussianCorruption;
use super::decoder::Decoder;
use super::prediction::network_time;
use crate::error::{Error, Result};
use crate::network::{GaussianDenoiser, Input, ids_tensor, rows_tensor, to_f64_vec};
use crate::schedule::GaussianSchedule;
use crate::time_sampling::step_of;

/// theta, \[2\].
fn theta(denoiser: &dyn GaussianDenoiser) -> Result<Tensor<1>> {
    let missing = || Error::Setting("this denoiser has no learned ends of its noise levels".into());
    denoiser.learned_ends().ok_or_else(missing)
}

/// The schedule that a model has learned.
pub(super) fn learned_schedule(denoiser: &dyn GaussianDenoiser) -> Result<GaussianSchedule> {
    let theta = to_f64_vec(theta(denoiser)?);
    Ok(GaussianSchedule::FixedLinear { gamma_min: theta[0], gamma_max: theta[0] + theta[1].exp() })
}

/// The whole NELBO of each sequence, \[batch\], nats, with gradients for theta: the ends shape every term, and the
/// network sees gamma. For eps_hat = z + F.
pub(super) fn learned_loss(
    steps: Option<u32>,
    denoiser: &dyn GaussianDenoiser,
    corruption: &GaussianCorruption,
) -> Result<Tensor<1>> {
    let decoder = Decoder { values: denoiser.values() };
    let GaussianCorruption { batch, device, .. } = corruption;
    let (rows, length) = (batch.len(), batch.x.length());
    let [x, eps, eps_0] = [&corruption.x, &corruption.eps, corruption.eps_0()?]
        .map(|numbers: &[f64]| corruption.tensor(numbers.iter().copied()));
    let theta = theta(denoiser)?;
    let (gamma_min, slope) = (theta.clone().narrow(0, 0, 1), theta.narrow(0, 1, 1).exp());
    // gamma at some times, [batch, 1].
    let gamma = |times: &[f64]| (gamma_min.clone() + slope.clone() * rows_tensor(times, device)).unsqueeze_dim::<2>(1);
    let at = |gamma: &Tensor<2>| (sigmoid(gamma.clone().neg()).sqrt(), sigmoid(gamma.clone()).sqrt());

    let (late, weight) = match steps {
        None => (gamma(&batch.u), slope.clone().mul_scalar(0.5).unsqueeze_dim::<2>(1)),
        Some(steps) => {
            let steps = f64::from(steps);
            let times: Vec<f64> = batch.u.iter().map(|&u| f64::from(step_of(u, steps as u32)) / steps).collect();
            // gamma_t - gamma_s is the same for all steps, and no difference of large numbers.
            let gap = slope.clone().mul_scalar(1.0 / steps).exp() - 1.0;
            (gamma(&times), gap.mul_scalar(0.5 * steps).unsqueeze_dim::<2>(1))
        }
    };
    let (alpha, sigma) = at(&late);
    let z = alpha * x.clone() + sigma * eps.clone();
    // network_time is linear in gamma.
    let [start, end] = [0.0, -1.0].map(network_time);
    let times = late.mul_scalar(end - start).add_scalar(start).squeeze_dim::<1>(1);
    let input = batch.accompany(Input { z: z.clone(), time: times, class: None, dropout: None });
    let error = eps - (z + denoiser.output(&input));
    let diffusion = error.square().sum_dim(1) * weight;

    let first = gamma(&vec![0.0; rows]);
    let (alpha, sigma) = at(&first);
    let z = x.clone() + eps_0 * (sigma / alpha);
    let places: Vec<f32> = (0..decoder.values as u32).map(|v| decoder.point(v) as f32).collect();
    let places = Tensor::<3>::from_data(TensorData::new(places, [1, 1, decoder.values]), device);
    let logits = (z.unsqueeze_dim::<3>(2) - places).square() * first.neg().exp().mul_scalar(-0.5).unsqueeze_dim::<3>(2);
    let truth: Tensor<3, Int> = ids_tensor(batch.x.ids(), length, device).unsqueeze_dim(2);
    let decoded = log_softmax(logits, 2).gather(2, truth).squeeze_dim::<2>(2).sum_dim(1).neg();

    let (alpha, sigma) = at(&gamma(&vec![1.0; rows]));
    let variance = sigma.square();
    let prior = (alpha * x).square() + (variance.clone() - variance.log() - 1.0);
    let prior = prior.sum_dim(1).mul_scalar(0.5);
    Ok((diffusion + decoded + prior).squeeze_dim::<1>(1))
}
