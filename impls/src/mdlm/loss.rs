//! The training loss and the bound of MDLM, under each protocol.

use burn::tensor::{Device, Tensor};

use crate::corruption::{Corruption, mask_under};
use crate::error::Result;
use crate::key::Key;
use crate::md4::end_terms;
use crate::network::{TokenDenoiser, rows_tensor};
use crate::objective::{Batch, BoundTerms, TokenObjective};
use crate::schedule::MaskedSchedule;

const SCHEDULE: MaskedSchedule = MaskedSchedule::LogLinear;
/// The smallest time of the published protocol ("sampling_eps").
const FIRST_TIME: f64 = 1e-3;

/// The times that are drawn, and the terms that are counted: see [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// t in \[1e-3, 1\], no reconstruction, no prior.
    Published,
    /// t in (0, 1), with the prior.
    Exact,
    /// Like `Published`, with ln(1 - alpha) uniform.
    Importance,
}

crate::names!(Protocol, "protocol": Published = "published", Exact = "exact", Importance = "importance");

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mdlm {
    /// The times that are drawn, and the terms that are counted.
    pub protocol: Protocol,
}

impl Mdlm {
    /// The time of a uniform number.
    pub fn time(&self, u: f64) -> f64 {
        match self.protocol {
            Protocol::Published => FIRST_TIME + (1.0 - FIRST_TIME) * u,
            Protocol::Exact => u,
            // ln t uniform between ln 1e-3 and 0: ln(1 - alpha) is ln t and a constant.
            Protocol::Importance => FIRST_TIME.powf(1.0 - u),
        }
    }

    /// The weight of the cross-entropy at time `t`: sigma'/(e^sigma - 1) = 1/t, or the length of the interval of ln t.
    pub fn weight(&self, t: f64) -> f64 {
        match self.protocol {
            Protocol::Published | Protocol::Exact => SCHEDULE.elbo_weight(t),
            Protocol::Importance => -FIRST_TIME.ln(),
        }
    }
}

impl TokenObjective for Mdlm {
    fn corrupt(&self, denoiser: &dyn TokenDenoiser, batch: &Batch, key: &Key, device: &Device) -> Result<Corruption> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        Ok(mask_under(&SCHEDULE, batch, &times, denoiser.values(), key, device)?.into())
    }

    /// sigma'/(e^sigma - 1) sum over masked n of -log mu_theta(z_t)\[n, x_n\] (MDLM, section 3.4).
    fn loss_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Tensor<1>> {
        let weights = z.times.iter().map(|&t| self.weight(t));
        Ok(z.cross_entropy(denoiser) * rows_tensor(weights, &z.input.z.device()))
    }

    fn nelbo_of(&self, denoiser: &dyn TokenDenoiser, Corruption { z, .. }: &Corruption) -> Result<Vec<BoundTerms>> {
        let ends = match self.protocol {
            Protocol::Exact => end_terms(&SCHEDULE, z.targets.length, denoiser.values()),
            Protocol::Published | Protocol::Importance => BoundTerms::default(),
        };
        Ok(z.bound_terms(denoiser, ends, |row| self.weight(z.times[row])))
    }

    fn protocol(&self) -> Vec<(&'static str, String)> {
        let (times, prior) = match self.protocol {
            Protocol::Published => ("[1e-3, 1], mean over the interval", "left out"),
            Protocol::Exact => ("(0, 1), no end left out", "length alpha(1) ln V, included"),
            Protocol::Importance => ("[1e-3, 1], uniform in ln(1 - alpha)", "left out"),
        };
        vec![
            ("objective", "mdlm".into()),
            ("protocol", self.protocol.to_string()),
            ("schedule", SCHEDULE.to_string()),
            ("steps", "continuous time".into()),
            ("times", times.into()),
            ("reconstruction", "0 exactly".into()),
            ("prior", prior.into()),
        ]
    }

    /// A denoiser that sees no time is one of the any-order model too, whose bound is the default; the schedule leaves
    /// 1e-3 visible at t = 1, so that this objective's own number, under its protocol, is not quite the same.
    fn is_any_order(&self) -> bool {
        true
    }
}
