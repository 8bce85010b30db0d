//! The weighted losses and the NELBO of Gaussian diffusion.

use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::corruption::GaussianCorruption;
use super::decoder::{Decoder, prior_kl};
use super::learned_endpoints::{learned_loss, learned_schedule};
use super::prediction::Prediction;
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::network::{GaussianDenoiser, Input, rows_tensor, to_f64_vec};
use crate::objective::BoundTerms;
use crate::schedule::{GaussianSchedule, LogSnr};
use crate::time_sampling::step_of;
use crate::weighting::Weighting;
use elbow_process::gaussian::Level;

/// The objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// The noise schedule. It must have ends.
    pub schedule: GaussianSchedule,
    /// The weighting of training; bounds have the weights of the ELBO.
    pub weighting: Weighting,
    /// The meaning of the network's output.
    pub prediction: Prediction,
    /// T; none for continuous time.
    pub steps: Option<u32>,
    /// The schedule under which training draws its noise levels, where it is another one: the same loss in expectation,
    /// with another variance (importance sampling).
    pub levels: Option<GaussianSchedule>,
    /// Whether the ends of a fixed-linear schedule are learned; `schedule` has the initial ones.
    pub learned: bool,
}

/// A noise level, and the weight of |eps - eps_hat|^2 there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevelWeight {
    /// log(alpha^2 / sigma^2).
    pub log_snr: f64,
    /// The loss weight.
    pub weight: f64,
}

/// Standard normal numbers.
pub(super) fn normals(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// |eps - eps_hat|^2 of each row at its log-SNR, \[batch\] [VDM, diffusion loss].
///
/// Computed from the network's own target, as |F - target|^2 times a factor of the level, so that single precision is
/// enough on the device.
pub fn squared_errors(
    prediction: &Prediction,
    denoiser: &dyn GaussianDenoiser,
    corruption: &GaussianCorruption,
    log_snrs: &[f64],
) -> Tensor<1> {
    let length = corruption.length();
    let (mut z, mut target) = (Vec::with_capacity(corruption.x.len()), Vec::with_capacity(corruption.x.len()));
    let (mut factors, mut times) = (Vec::with_capacity(log_snrs.len()), Vec::with_capacity(log_snrs.len()));
    for (row, &log_snr) in log_snrs.iter().enumerate() {
        let network = prediction.at(log_snr);
        for at in row * length..(row + 1) * length {
            let point = network.level.alpha * corruption.x[at] + network.level.sigma * corruption.eps[at];
            z.push(network.c_in * point);
            target.push(network.target(point, corruption.eps[at]));
        }
        factors.push(network.eps_error());
        times.push(network.c_noise);
    }
    let input = corruption.batch.accompany(Input::points(corruption.tensor(z), &times));
    let difference = denoiser.output(&input) - corruption.tensor(target);
    difference.square().sum_dim(1).squeeze_dim::<1>(1) * rows_tensor(&factors, &corruption.device)
}

/// The reconstruction term -log p(x | z_0) of each sequence, nats, for z_0 = alpha x + sigma eps_0 at the `first` level
/// [VDM, reconstruction].
pub fn reconstruction_loss(values: usize, corruption: &GaussianCorruption, first: Level) -> Result<Vec<f64>> {
    let (decoder, eps_0) = (Decoder { values }, corruption.eps_0()?);
    let nats = |at: usize| {
        let z = first.alpha * corruption.x[at] + first.sigma * eps_0[at];
        decoder.nats(z, first, corruption.batch.x.ids()[at])
    };
    let length = corruption.length();
    Ok((0..corruption.batch.len()).map(|row| (row * length..(row + 1) * length).map(nats).sum()).collect())
}

/// The prior term KL(q(z_1 | x) || N(0, I)) of each sequence, nats, at the `last` level [VDM, prior].
pub fn prior_loss(corruption: &GaussianCorruption, last: Level) -> Vec<f64> {
    corruption.x.chunks(corruption.length()).map(|x| x.iter().map(|&x| prior_kl(x, last)).sum()).collect()
}

impl Gaussian {
    /// Continuous time, noise levels under the schedule itself.
    pub fn new(schedule: GaussianSchedule, weighting: Weighting, prediction: Prediction) -> Self {
        Self { schedule, weighting, prediction, steps: None, levels: None, learned: false }
    }

    /// The noise level of a uniform number in training with its weight, 1/2 w(lambda) over the density of lambda, or w
    /// times the weight of a discrete step [Kingma and Gao, weighted loss].
    pub fn training_weight(&self, u: f64) -> NoiseLevelWeight {
        if let Some(steps) = self.steps {
            let NoiseLevelWeight { log_snr, weight } = discrete_step_weight(&self.schedule, steps, u);
            let weight = self.weighting.of_log_snr(&self.schedule, log_snr) * weight;
            return NoiseLevelWeight { log_snr, weight };
        }
        let law = self.levels.as_ref().unwrap_or(&self.schedule);
        let log_snr = law.log_snr(u);
        let weight = 0.5 * self.weighting.of_log_snr(&self.schedule, log_snr) * law.gamma_prime(u);
        NoiseLevelWeight { log_snr, weight }
    }

    /// The noise level and weight of the bound under a schedule. In continuous time they do not depend on the schedule
    /// between the ends (VDM, section 5.1): the log-SNR is uniform.
    pub fn bound_weight(&self, schedule: &GaussianSchedule, u: f64) -> Result<NoiseLevelWeight> {
        if let Some(steps) = self.steps {
            return Ok(discrete_step_weight(schedule, steps, u));
        }
        let [gamma_min, gamma_max] = ends(schedule)?;
        let log_snr = -(gamma_min + (gamma_max - gamma_min) * u);
        Ok(NoiseLevelWeight { log_snr, weight: 0.5 * (gamma_max - gamma_min) })
    }

    /// The schedule of a trained model: its learned one, or the one that was set.
    pub fn schedule_of(&self, denoiser: &dyn GaussianDenoiser) -> Result<GaussianSchedule> {
        if self.learned { learned_schedule(denoiser) } else { Ok(self.schedule.clone()) }
    }

    /// Draws the noise of each sequence in training, for data of V = `values`.
    pub fn corrupt(&self, values: usize, batch: &Batch, key: &Key, device: &Device) -> GaussianCorruption {
        if self.learned {
            return self.corrupt_for_bound(values, batch, key, device);
        }
        let eps = normals(&mut key.rng(), batch.x.ids().len());
        GaussianCorruption::new(batch, values, eps, None, device)
    }

    /// 1/2 w(lambda) |eps - eps_hat|^2 over the density of lambda, or of one of T steps, for each sequence: \[batch\].
    ///
    /// Its mean over t ~ U(0, 1) and eps is 1/2 times the integral of w(lambda) E |eps - eps_hat|^2 (Kingma and Gao
    /// 2023). With the `elbo` weighting it is the diffusion term of the NELBO; with any other it is not a bound.
    /// Where the ends are learned it is the whole NELBO.
    pub fn loss_of(&self, denoiser: &dyn GaussianDenoiser, corruption: &GaussianCorruption) -> Result<Tensor<1>> {
        if self.learned {
            return learned_loss(self.steps, denoiser, corruption);
        }
        let levels: Vec<_> = corruption.batch.u.iter().map(|&u| self.training_weight(u)).collect();
        let log_snrs: Vec<f64> = levels.iter().map(|level| level.log_snr).collect();
        let errors = squared_errors(&self.prediction, denoiser, corruption, &log_snrs);
        Ok(errors * rows_tensor(levels.iter().map(|level| level.weight), &corruption.device))
    }

    /// The training loss of a fresh corruption, \[batch\].
    pub fn loss(&self, model: &dyn GaussianDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Tensor<1>> {
        self.loss_of(model, &self.corrupt(model.values(), batch, key, device))
    }

    /// Draws the noise of z_t and of z_0.
    pub fn corrupt_for_bound(&self, values: usize, batch: &Batch, key: &Key, device: &Device) -> GaussianCorruption {
        let [eps, eps_0] = [0, 1].map(|part| normals(&mut key.fold(part).rng(), batch.x.ids().len()));
        GaussianCorruption::new(batch, values, eps, Some(eps_0), device)
    }

    /// The diffusion term of each sequence, nats, in continuous time or in T steps [VDM, diffusion loss].
    pub fn diffusion_loss(
        &self,
        denoiser: &dyn GaussianDenoiser,
        corruption: &GaussianCorruption,
        schedule: &GaussianSchedule,
    ) -> Result<Vec<f64>> {
        let levels = corruption.batch.u.iter().map(|&u| self.bound_weight(schedule, u)).collect::<Result<Vec<_>>>()?;
        let log_snrs: Vec<f64> = levels.iter().map(|level| level.log_snr).collect();
        let errors = to_f64_vec(squared_errors(&self.prediction, denoiser, corruption, &log_snrs));
        Ok(errors.into_iter().zip(levels).map(|(error, level)| level.weight * error).collect())
    }

    /// The bound's terms of each sequence, nats: reconstruction, prior and diffusion (VDM, equation 11).
    pub fn nelbo_of(&self, model: &dyn GaussianDenoiser, corruption: &GaussianCorruption) -> Result<Vec<BoundTerms>> {
        let schedule = self.schedule_of(model)?;
        let [first, last] = ends(&schedule)?.map(|gamma| Level::of_log_snr(-gamma));
        let reconstruction = reconstruction_loss(model.values(), corruption, first)?;
        let prior = prior_loss(corruption, last);
        let diffusion = self.diffusion_loss(model, corruption, &schedule)?.into_iter().enumerate();
        let terms = |(row, diffusion)| BoundTerms { reconstruction: reconstruction[row], prior: prior[row], diffusion };
        Ok(diffusion.map(terms).collect())
    }

    /// One draw of the bound's terms of each sequence.
    pub fn nelbo(
        &self,
        denoiser: &dyn GaussianDenoiser,
        batch: &Batch,
        key: &Key,
        device: &Device,
    ) -> Result<Vec<BoundTerms>> {
        self.nelbo_of(denoiser, &self.corrupt_for_bound(denoiser.values(), batch, key, device))
    }

    /// The conventions of the bound by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        let interior = match (self.steps, self.learned) {
            (Some(steps), _) => format!("{steps} steps"),
            (None, _) => "continuous time, log-SNR uniform between the ends".into(),
        };
        let schedule = if self.learned { "fixed-linear, ends learned".into() } else { self.schedule.to_string() };
        vec![
            ("objective", "gaussian".into()),
            ("schedule", schedule),
            ("steps", interior),
            ("prediction", self.prediction.to_string()),
            ("reconstruction", "p(x|z_0) proportional to q(z_0|x) over the data's values, included".into()),
            ("prior", "KL(q(z_1|x) || N(0, I)) of the variance-preserving z_1, included".into()),
        ]
    }
}

/// The step i of T of a uniform number: the log-SNR at t = i/T, and the weight of the KL of the step to
/// s = t - 1/T, 1/2 T expm1(gamma_t - gamma_s) [VDM, finite T].
fn discrete_step_weight(schedule: &GaussianSchedule, steps: u32, u: f64) -> NoiseLevelWeight {
    let i = f64::from(step_of(u, steps));
    let log_snr = |i: f64| schedule.log_snr(i / f64::from(steps));
    let weight = 0.5 * f64::from(steps) * (log_snr(i - 1.0) - log_snr(i)).exp_m1();
    NoiseLevelWeight { log_snr: log_snr(i), weight }
}

/// gamma(0) and gamma(1).
fn ends(schedule: &GaussianSchedule) -> Result<[f64; 2]> {
    let missing = || Error::Setting(format!("schedule {schedule} has no ends, which the bound needs"));
    schedule.ends().ok_or_else(missing)
}
