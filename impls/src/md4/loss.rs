//! The training loss and the NELBO of masked diffusion.

use burn::tensor::{Device, Tensor};

use crate::corruption::{masked_cost, numbers};
use crate::key::Key;
use crate::network::{Denoiser, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::schedule::MaskedSchedule;
use crate::time_sampling::step_of;
use crate::weighting::Weighting;

/// The objective: a masking schedule, a weighting, and the number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Md4 {
    pub schedule: MaskedSchedule,
    pub weighting: Weighting,
    /// T; none for continuous time.
    pub steps: Option<u32>,
}

impl Md4 {
    /// Continuous time.
    pub fn new(schedule: MaskedSchedule, weighting: Weighting) -> Self {
        Self { schedule, weighting, steps: None }
    }

    /// The time of a uniform number: itself, or the grid point t(i) = i/T of its step.
    pub fn time(&self, u: f64) -> f64 {
        match self.steps {
            None => u,
            Some(steps) => f64::from(step_of(u, steps)) / f64::from(steps),
        }
    }

    /// The NELBO's weight of the cross-entropy at time `t`: r(t) = -alpha'/(1 - alpha), or T xi(t - 1/T, t).
    pub fn step_weight(&self, t: f64) -> f64 {
        match self.steps {
            None => self.schedule.elbo_weight(t),
            Some(steps) => {
                let steps = f64::from(steps);
                let s = ((t * steps).round() - 1.0) / steps;
                steps * self.schedule.reveal_probability(s, t)
            }
        }
    }

    /// The weight of the cross-entropy in training.
    fn training_weight(&self, t: f64) -> f64 {
        match self.steps {
            None => self.weighting.ce_weight(&self.schedule, t),
            Some(_) => self.weighting.at(&self.schedule, t) * self.step_weight(t),
        }
    }
}

impl Objective for Md4 {
    /// w~(t) r(t) sum over masked n of -log mu_theta(z_t)\[n, x_n\] [MD4 (5)] [Demystifying, masked L_w~]
    ///
    /// Its mean over t ~ U(0, 1) and z_t is the reweighted continuous-time loss (Shi and Titsias 2025); with
    /// the `elbo` weighting it is the diffusion term of the NELBO (MD4, equation 5). With any other weighting
    /// its value is not a bound on the likelihood.
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        let weights: Vec<f64> = times.iter().map(|&t| self.training_weight(t)).collect();
        masked_cost(&self.schedule, denoiser, batch, &times, key, device) * rows_tensor(&weights, device)
    }

    /// The same cross-entropies, multiplied in double precision (1/t is large near t = 0). Reconstruction is
    /// length (1 - alpha(0)) ln V and the prior term length alpha(1) ln V, the same for every sequence.
    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        let cost = numbers(masked_cost(&self.schedule, denoiser, batch, &times, key, device));
        let ends = Terms::ends(&self.schedule, batch.x.length(), denoiser.values());
        let terms = |(cost, &t): (f64, &f64)| Terms { diffusion: cost * self.step_weight(t), ..ends };
        cost.into_iter().zip(&times).map(terms).collect()
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objective", "md4".into()),
            ("schedule", self.schedule.to_string()),
            ("steps", self.steps.map_or("continuous time".into(), |steps| steps.to_string())),
            ("times", "(0, 1), no end left out".into()),
            ("reconstruction", "length (1 - alpha(0)) ln V, included".into()),
            ("prior", "length alpha(1) ln V, included".into()),
        ]
    }

    fn is_any_order(&self) -> bool {
        self.steps.is_none() && self.schedule.mask_probability(0.0) == 0.0 && self.schedule.alpha(1.0) == 0.0
    }
}
