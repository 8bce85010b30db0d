//! The weighted losses and the NELBO of Gaussian diffusion.

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::decoder::{Decoder, prior_kl};
use super::learned::{learned_loss, learned_schedule};
use super::prediction::{Asked, Prediction};
use crate::corruption::numbers;
use crate::key::Key;
use crate::network::{Denoiser, Input, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::schedule::{GaussianSchedule, LogSnr};
use crate::time_sampling::step_of;
use crate::weighting::Weighting;
use elbow_process::gaussian::Level;

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// The noise schedule. It must have ends.
    pub schedule: GaussianSchedule,
    pub weighting: Weighting,
    pub prediction: Prediction,
    /// T; none for continuous time.
    pub steps: Option<u32>,
    /// The schedule under which training draws its noise levels, where it is another one: the same loss in expectation, with
    /// another variance (importance sampling).
    pub levels: Option<GaussianSchedule>,
    /// Whether the ends of a fixed-linear schedule are learned; `schedule` has the initial ones.
    pub learned: bool,
}

/// Clean points with the noise that is added to them.
#[derive(Clone, Debug)]
pub struct Noisy {
    /// x, row after row.
    pub x: Vec<f64>,
    /// eps, likewise.
    pub eps: Vec<f64>,
    /// The log-SNR of each row.
    pub log_snr: Vec<f64>,
}

impl Noisy {
    /// Points with normal noise from `key`.
    pub fn draw(x: Vec<f64>, log_snr: Vec<f64>, key: &Key) -> Self {
        let eps = normals(&mut key.rng(), x.len());
        Self { x, eps, log_snr }
    }
}

/// Standard normal numbers.
pub(super) fn normals(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// |eps - eps_hat|^2 of each row, \[batch\] [VDM, diffusion loss].
///
/// From the network's own target: |F - target|^2 times a factor of the level, so that single precision is enough on the device. `batch` gives classes and dropout.
pub fn squared_errors(
    prediction: &Prediction,
    denoiser: &dyn Denoiser,
    noisy: &Noisy,
    batch: &Batch,
    device: &Device,
) -> Tensor<1> {
    let rows = noisy.log_snr.len();
    let length = noisy.x.len() / rows;
    let (mut z, mut target) = (Vec::with_capacity(noisy.x.len()), Vec::with_capacity(noisy.x.len()));
    let (mut factors, mut times) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for (row, &log_snr) in noisy.log_snr.iter().enumerate() {
        let Asked { level, affine, scale, time } = prediction.at(log_snr);
        for at in row * length..(row + 1) * length {
            let point = level.alpha * noisy.x[at] + level.sigma * noisy.eps[at];
            z.push((scale * point) as f32);
            target.push(affine.target(point, noisy.eps[at]) as f32);
        }
        factors.push(affine.eps_error());
        times.push(time);
    }
    let tensor = |data: Vec<f32>| Tensor::<2>::from_data(TensorData::new(data, [rows, length]), device);
    let input = batch.accompany(Input::points(tensor(z), &times));
    let difference = denoiser.points(&input) - tensor(target);
    difference.square().sum_dim(1).squeeze_dim::<1>(1) * rows_tensor(&factors, device)
}

impl Gaussian {
    /// Continuous time, noise levels under the schedule itself.
    pub fn new(schedule: GaussianSchedule, weighting: Weighting, prediction: Prediction) -> Self {
        Self { schedule, weighting, prediction, steps: None, levels: None, learned: false }
    }

    /// The log-SNR of a uniform number in training, and the loss's weight of |eps - eps_hat|^2 there
    /// [Kingma and Gao, weighted loss].
    pub fn level(&self, u: f64) -> (f64, f64) {
        match (self.steps, &self.levels) {
            (Some(_), _) => {
                let (log_snr, weight) = self.step(&self.schedule, u);
                (log_snr, self.weighting.of_log_snr(&self.schedule, log_snr) * weight)
            }
            (None, levels) => {
                let law = levels.as_ref().unwrap_or(&self.schedule);
                let log_snr = law.log_snr(u);
                (log_snr, 0.5 * self.weighting.of_log_snr(&self.schedule, log_snr) * law.gamma_prime(u))
            }
        }
    }

    /// The same for the bound. In continuous time it does not depend on the schedule between the ends: the log-SNR is uniform.
    pub fn bound_level(&self, schedule: &GaussianSchedule, u: f64) -> (f64, f64) {
        match self.steps {
            Some(_) => self.step(schedule, u),
            None => {
                let [gamma_min, gamma_max] = ends(schedule);
                (-(gamma_min + (gamma_max - gamma_min) * u), 0.5 * (gamma_max - gamma_min))
            }
        }
    }

    /// T steps: log-SNR at t = i/T, and 1/2 T expm1(gamma_t - gamma_s), the weight of the KL of the step to s = t - 1/T
    /// [VDM, finite T].
    fn step(&self, schedule: &GaussianSchedule, u: f64) -> (f64, f64) {
        let steps = self.steps.unwrap_or(1);
        let i = f64::from(step_of(u, steps));
        let log_snr = |i: f64| schedule.log_snr(i / f64::from(steps));
        (log_snr(i), 0.5 * f64::from(steps) * (log_snr(i - 1.0) - log_snr(i)).exp_m1())
    }

    /// The schedule of a trained model: its learned one, or the one that was set.
    pub fn schedule_of(&self, denoiser: &dyn Denoiser) -> GaussianSchedule {
        if self.learned { learned_schedule(denoiser) } else { self.schedule }
    }
}

/// gamma(0) and gamma(1).
pub(super) fn ends(schedule: &GaussianSchedule) -> [f64; 2] {
    schedule.ends().expect("a trained Gaussian diffusion has ends")
}

impl Objective for Gaussian {
    /// 1/2 w(lambda) |eps - eps_hat|^2 over the density of lambda, or of one of T steps, for each sequence.
    ///
    /// Its mean over t ~ U(0, 1) and eps is 1/2 times the integral of w(lambda) E |eps - eps_hat|^2 (Kingma and Gao 2023). With
    /// the `elbo` weighting it is the diffusion term of the NELBO; with any other its value is no bound. Where the ends are
    /// learned it is the whole NELBO.
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        if self.learned {
            let noise = [0, 1].map(|part| normals(&mut key.fold(part).rng(), batch.x.ids().len()));
            return learned_loss(self.steps, denoiser, batch, noise, device);
        }
        let (log_snr, weights): (Vec<f64>, Vec<f64>) = batch.u.iter().map(|&u| self.level(u)).unzip();
        let x = Decoder { values: denoiser.values() }.points(batch.x.ids());
        let noisy = Noisy::draw(x, log_snr, key);
        squared_errors(&self.prediction, denoiser, &noisy, batch, device) * rows_tensor(&weights, device)
    }

    /// Reconstruction from a draw of z_0, the prior term in closed form, and the diffusion term of one draw of t.
    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let schedule = self.schedule_of(denoiser);
        let [first, last] = ends(&schedule).map(|gamma| Level::of_log_snr(-gamma));
        let decoder = Decoder { values: denoiser.values() };
        let length = batch.x.length();
        let x = decoder.points(batch.x.ids());
        let (log_snr, weights): (Vec<f64>, Vec<f64>) = batch.u.iter().map(|&u| self.bound_level(&schedule, u)).unzip();
        let noisy = Noisy::draw(x, log_snr, &key.fold(0));
        let errors = numbers(squared_errors(&self.prediction, denoiser, &noisy, batch, device));
        let eps = normals(&mut key.fold(1).rng(), noisy.x.len());
        let terms = |row: usize| {
            let tokens = row * length..(row + 1) * length;
            let decoded = tokens.clone().map(|at| {
                let z = first.alpha * noisy.x[at] + first.sigma * eps[at];
                decoder.nats(z, first, batch.x.ids()[at])
            });
            Terms {
                reconstruction: decoded.sum(),
                prior: noisy.x[tokens].iter().map(|&x| prior_kl(x, last)).sum(),
                diffusion: weights[row] * errors[row],
            }
        };
        (0..batch.len()).map(terms).collect()
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
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
