//! Generalised masked diffusion: a masking schedule for each value.
//!
//! Source: Shi et al. 2024, section on generalised masked diffusion (GenMD4), with the polynomial schedules that
//! they train: alpha_v(t) = 1 - t^(w_v). No value is clipped.

use std::fmt;
use std::str::FromStr;

use super::table::never_falls;
use super::{LogSnr, sigmoid};
use crate::parameter::{Range, parameter};
use elbow_base::{Error, UnknownName};

/// The schedule of each value: value v is still visible at time t with probability 1 - t^(w_v).
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSchedule {
    powers: Vec<f64>,
}

impl VectorSchedule {
    /// `powers`: w_v, one for each value, positive.
    pub fn new(powers: Vec<f64>) -> Self {
        assert!(!powers.is_empty() && powers.iter().all(|w| *w > 0.0 && w.is_finite()), "powers must be positive");
        Self { powers }
    }

    /// w_v, one for each value.
    pub fn powers(&self) -> &[f64] {
        &self.powers
    }

    /// Probability that a token of this value is masked at time `t`.
    pub fn mask_probability(&self, value: usize, t: f64) -> f64 {
        t.powf(self.powers[value])
    }

    /// Probability that a token of this value is still visible at time `t`.
    pub fn alpha(&self, value: usize, t: f64) -> f64 {
        self.alpha_between(value, t, 1.0 - t)
    }

    /// alpha_v at the time t = 1 / (1 + e^`logit`), accurate where t rounds to 1.
    pub fn alpha_at_logit(&self, value: usize, logit: f64) -> f64 {
        self.alpha_between(value, sigmoid(-logit), sigmoid(logit))
    }

    /// alpha_v from `t` and 1 - t, whichever has the digits.
    fn alpha_between(&self, value: usize, t: f64, remaining: f64) -> f64 {
        let ln_t = if t > 0.5 { (-remaining).ln_1p() } else { t.ln() };
        -(self.powers[value] * ln_t).exp_m1()
    }

    /// The log-SNR at the time t = 1 / (1 + e^`logit`).
    pub fn log_snr_at_logit(&self, logit: f64) -> f64 {
        let alpha =
            (0..self.powers.len()).map(|v| self.alpha_at_logit(v, logit)).sum::<f64>() / self.powers.len() as f64;
        alpha.ln() - self.mean_masked(sigmoid(-logit)).ln()
    }

    /// r_v(t) = -alpha_v' / (1 - alpha_v), the rate of the ELBO for value v [GenMD4, continuous time].
    pub fn elbo_weight(&self, value: usize, t: f64) -> f64 {
        self.powers[value] / t
    }

    /// xi_v = (alpha_v(s) - alpha_v(t)) / (1 - alpha_v(t)), the probability that the reverse step from `t` to `s < t`
    /// reveals a masked token of this value [GenMD4, finite T].
    pub fn reveal_probability(&self, value: usize, s: f64, t: f64) -> f64 {
        if s == 0.0 { 1.0 } else { -(self.powers[value] * (s / t).ln()).exp_m1() }
    }

    /// 1 - alpha, averaged over the values.
    fn mean_masked(&self, t: f64) -> f64 {
        self.powers.iter().map(|w| t.powf(*w)).sum::<f64>() / self.powers.len() as f64
    }

    /// (1 - alpha) / (-alpha') of the average.
    fn mean_simple(&self, t: f64) -> f64 {
        let slope = self.powers.iter().map(|w| w * t.powf(w - 1.0)).sum::<f64>() / self.powers.len() as f64;
        self.mean_masked(t) / slope
    }
}

/// There is one log-SNR for each value. Weightings look at that of the average of alpha over the values, which is
/// the schedule's own where all values share it.
impl LogSnr for VectorSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        let alpha = (0..self.powers.len()).map(|v| self.alpha(v, t)).sum::<f64>() / self.powers.len() as f64;
        alpha.ln() - self.mean_masked(t).ln()
    }

    /// By bisection in ln t.
    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        let (mut low, mut high) = (-1000.0 / self.powers.iter().fold(f64::INFINITY, |a, b| a.min(*b)), 0.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if self.log_snr(f64::exp(middle)) > log_snr { low = middle } else { high = middle }
        }
        f64::exp(0.5 * (low + high))
    }

    fn simple_weight(&self, log_snr: f64) -> f64 {
        self.mean_simple(self.time_of_log_snr(log_snr))
    }

    /// By a scan: powers that differ very much make it fall somewhere.
    fn simple_is_monotone(&self) -> bool {
        never_falls(|t| self.mean_simple(t))
    }
}

impl fmt::Display for VectorSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let powers: Vec<String> = self.powers.iter().map(f64::to_string).collect();
        write!(f, "poly:{}", powers.join(","))
    }
}

impl FromStr for VectorSchedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let form = || UnknownName::new("schedule", name, &["poly:W,W,... (one W > 0 for each value)"]);
        let powers = name.strip_prefix("poly:").ok_or_else(form)?.split(',');
        Ok(Self::new(powers.map(|w| parameter(name, "every W", w, Range::Positive)).collect::<Result<_, _>>()?))
    }
}
