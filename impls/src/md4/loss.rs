//! The training loss and the NELBO of masked diffusion.

use burn::tensor::{Device, Tensor};

use crate::corruption::{Corruption, mask_under};
use crate::error::Result;
use crate::key::Key;
use crate::network::{TokenDenoiser, rows_tensor};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::MaskedSchedule;
use crate::time_sampling::step_of;
use crate::weighting::Weighting;

/// The objective: a masking schedule, a weighting, and the number of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Md4 {
    /// alpha(t).
    pub schedule: MaskedSchedule,
    /// w~ of training; the bound has weight 1.
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

    /// The NELBO's weight of the cross-entropy at time `t`: r(t) = -alpha'/(1 - alpha) in continuous time, T xi(t -
    /// 1/T, t) in T steps.
    pub fn bound_weight(&self, t: f64) -> f64 {
        match self.steps {
            None => self.schedule.elbo_weight(t),
            Some(steps) => {
                let steps = f64::from(steps);
                let s = ((t * steps).round() - 1.0) / steps;
                steps * self.schedule.reveal_probability(s, t)
            }
        }
    }

    /// The weight of the cross-entropy in training: w~(t) times the NELBO's.
    pub fn training_weight(&self, t: f64) -> f64 {
        match self.steps {
            None => self.weighting.ce_weight(&self.schedule, t),
            Some(_) => self.weighting.at(&self.schedule, t) * self.bound_weight(t),
        }
    }
}

/// E -log p(x | z_0) of a sequence of `length` tokens, nats: length (1 - alpha(0)) ln V for V = `values`, since a token
/// that is still masked at t = 0 is decoded uniformly.
pub fn reconstruction_loss(schedule: &MaskedSchedule, length: usize, values: usize) -> f64 {
    length as f64 * (values as f64).ln() * schedule.mask_probability(0.0)
}

/// KL(q(z_1 | x) || p(z_1)) of the same, nats: length alpha(1) ln V, since a visible token of the prior is uniform.
pub fn prior_loss(schedule: &MaskedSchedule, length: usize, values: usize) -> f64 {
    length as f64 * (values as f64).ln() * schedule.alpha(1.0)
}

/// The terms at the ends of masked diffusion, nats.
pub fn end_terms(schedule: &MaskedSchedule, length: usize, values: usize) -> BoundTerms {
    BoundTerms {
        reconstruction: reconstruction_loss(schedule, length, values),
        prior: prior_loss(schedule, length, values),
        diffusion: 0.0,
    }
}

impl TokenObjective for Md4 {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        Ok(mask_under(&self.schedule, batch, &times, denoiser.values(), key, device)?.into())
    }

    /// w~(t) r(t) sum over masked n of -log mu_theta(z_t)\[n, x_n\] [MD4 (5)].
    ///
    /// Its mean over t ~ U(0, 1) and z_t is the reweighted continuous-time loss [Demystifying, masked L_w~]: the
    /// diffusion term of the NELBO under the `elbo` weighting, and no bound on the likelihood under any other.
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let weights = z.times.iter().map(|&t| self.training_weight(t));
        Ok(z.cross_entropy(denoiser) * rows_tensor(weights, &z.input.z.device()))
    }

    /// The cross-entropies are weighted in double precision, since 1/t is large near t = 0.
    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let ends = end_terms(&self.schedule, z.targets.length, denoiser.values());
        Ok(z.bound_terms(denoiser, ends, |row| self.bound_weight(z.times[row])))
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
