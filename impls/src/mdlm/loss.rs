//! The training loss and what is reported, under each protocol.

use burn::tensor::{Device, Tensor};

use crate::corruption::{masked_cost, numbers};
use crate::key::Key;
use crate::network::{Denoiser, rows_tensor};
use crate::objective::{Batch, Objective, Terms};
use crate::schedule::MaskedSchedule;

const SCHEDULE: MaskedSchedule = MaskedSchedule::LogLinear;
/// The smallest time of the published protocol ("sampling_eps").
const FIRST_TIME: f64 = 1e-3;

/// Which times are drawn and which terms are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Published,
    Exact,
    Importance,
}

crate::names!(Protocol, "protocol": Published = "published", Exact = "exact", Importance = "importance");

/// The objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mdlm {
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

impl Objective for Mdlm {
    fn loss(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Tensor<1> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        let weights: Vec<f64> = times.iter().map(|&t| self.weight(t)).collect();
        masked_cost(&SCHEDULE, denoiser, batch, &times, key, device) * rows_tensor(&weights, device)
    }

    fn nelbo(&self, denoiser: &dyn Denoiser, batch: &Batch, key: &Key, device: &Device) -> Vec<Terms> {
        let times: Vec<f64> = batch.u.iter().map(|&u| self.time(u)).collect();
        let cost = numbers(masked_cost(&SCHEDULE, denoiser, batch, &times, key, device));
        let ends = match self.protocol {
            Protocol::Exact => Terms::ends(&SCHEDULE, batch.x.length(), denoiser.values()),
            Protocol::Published | Protocol::Importance => Terms::default(),
        };
        let terms = |(cost, &t): (f64, &f64)| Terms { diffusion: cost * self.weight(t), ..ends };
        cost.into_iter().zip(&times).map(terms).collect()
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

    /// A denoiser that sees no time is one of the any-order model too, whose bound is the default; the schedule leaves 1e-3
    /// visible at t = 1, so that this objective's own number, under its protocol, is not quite the same.
    fn is_any_order(&self) -> bool {
        true
    }
}
