//! Masked (absorbing) diffusion: each token is still visible at time `t` with probability alpha(t).
//!
//! Source: Shi et al. 2024 (MD4), Table 4; Sahoo et al. 2024 (MDLM) for log-linear.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use elbow_base::{Error, UnknownName};

use super::table::MaskTable;
use super::{LogSnr, sigmoid, softplus};
use crate::parameter::{Range, parameter};

/// A masking schedule from outside: alpha(t), decreasing from (about) 1 to (about) 0 for `t` in \[0, 1\].
///
/// Implement it, and every bound, loss and sampler takes it as [`MaskedSchedule::custom`].
pub trait MaskSchedule: LogSnr + fmt::Debug + Send + Sync {
    /// Probability that a token is still visible at time `t`.
    fn alpha(&self, t: f64) -> f64;

    /// Probability that a token is masked at time `t`: 1 - alpha, without cancellation near t = 0.
    fn mask_probability(&self, t: f64) -> f64;

    /// d alpha / dt (negative).
    fn alpha_prime(&self, t: f64) -> f64;
}

/// Schedules are equal if their names are.
impl PartialEq for dyn MaskSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// The masking schedule alpha(t), decreasing from (about) 1 to (about) 0.
///
/// ```
/// use elbow_process::schedule::{LogSnr, MaskedSchedule};
///
/// let cosine: MaskedSchedule = "cosine".parse()?;
/// assert!((cosine.alpha(0.5) - (1.0 - 0.5f64.sqrt())).abs() < 1e-15);
/// assert!((cosine.time_of_log_snr(cosine.log_snr(0.3)) - 0.3).abs() < 1e-12);
///
/// // alpha at some times, from a CSV file.
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(&file, "t,alpha\n0,1\n0.5,0.9\n1,0\n")?;
/// let table: MaskedSchedule = format!("table:{}", file.path().display()).parse()?;
/// assert_eq!(table.alpha(0.5), 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum MaskedSchedule {
    /// alpha = 1 - t.
    Linear,
    /// alpha = 1 - cos(pi/2 (1 - t)).
    Cosine,
    /// alpha = 1 - t^w.
    Poly(f64),
    /// alpha = exp(-S), S = beta_min^(1-t) beta_max^t, with MD4's beta_min = 1e-5 and beta_max = 20.
    Geometric,
    /// alpha = 1 - (1 - eps) t with MDLM's eps = 1e-3: one token in a thousand stays visible at t = 1.
    LogLinear,
    /// (1 - 2 eps) alpha + eps with eps = 1e-4 and the alpha of a linear, cosine or polynomial schedule, as in the code of
    /// MD4's authors.
    Clipped(Box<Self>),
    /// A schedule from outside, such as `table:FILE`.
    Custom(Arc<dyn MaskSchedule>),
}

const BETA_MIN: f64 = 1e-5;
const BETA_MAX: f64 = 20.0;
const LOG_LINEAR_EPS: f64 = 1e-3;
const CLIP_EPS: f64 = 1e-4;

impl MaskedSchedule {
    /// A schedule from outside.
    pub fn custom(schedule: impl MaskSchedule + 'static) -> Self {
        Self::Custom(Arc::new(schedule))
    }

    /// alpha(t), the probability that a token is still visible at time `t` [MD4, Table 4].
    pub fn alpha(&self, t: f64) -> f64 {
        match self {
            Self::Linear => 1.0 - t,
            // 1 - cos(x) = 2 sin^2(x/2): no cancellation near t = 1.
            Self::Cosine => 2.0 * (FRAC_PI_4 * (1.0 - t)).sin().powi(2),
            Self::Poly(w) => -(w * ln_of_time(t)).exp_m1(),
            Self::Geometric => (-total_noise(t)).exp(),
            Self::LogLinear => (1.0 - t) + LOG_LINEAR_EPS * t,
            Self::Clipped(base) => clip(base.alpha(t)),
            Self::Custom(schedule) => schedule.alpha(t),
        }
    }

    /// Probability that a token is masked at time `t`: 1 - alpha, without cancellation near t = 0.
    pub fn mask_probability(&self, t: f64) -> f64 {
        match self {
            Self::Linear => t,
            Self::Cosine => (FRAC_PI_2 * t).sin(),
            Self::Poly(w) => t.powf(*w),
            Self::Geometric => -(-total_noise(t)).exp_m1(),
            Self::LogLinear => (1.0 - LOG_LINEAR_EPS) * t,
            Self::Clipped(base) => clip(base.mask_probability(t)),
            Self::Custom(schedule) => schedule.mask_probability(t),
        }
    }

    /// d alpha / dt (negative).
    pub fn alpha_prime(&self, t: f64) -> f64 {
        match self {
            Self::Linear => -1.0,
            Self::Cosine => -FRAC_PI_2 * (FRAC_PI_2 * (1.0 - t)).sin(),
            Self::Poly(w) => -w * t.powf(w - 1.0),
            Self::Geometric => {
                let noise = total_noise(t);
                -(-noise).exp() * noise * (BETA_MAX / BETA_MIN).ln()
            }
            Self::LogLinear => -(1.0 - LOG_LINEAR_EPS),
            Self::Clipped(base) => (1.0 - 2.0 * CLIP_EPS) * base.alpha_prime(t),
            Self::Custom(schedule) => schedule.alpha_prime(t),
        }
    }

    /// r(t) = -alpha' / (1 - alpha) = d/dt log(1 - alpha), the cross-entropy weight of the ELBO [MD4 (5)].
    ///
    /// Positive. The sources print alpha'/(1 - alpha), which is -r, before a log-probability.
    pub fn elbo_weight(&self, t: f64) -> f64 {
        match self {
            Self::Linear | Self::LogLinear => 1.0 / t,
            Self::Poly(w) => w / t,
            Self::Geometric => {
                let noise = total_noise(t);
                noise * (BETA_MAX / BETA_MIN).ln() / noise.exp_m1()
            }
            Self::Cosine | Self::Clipped(_) | Self::Custom(_) => -self.alpha_prime(t) / self.mask_probability(t),
        }
    }

    /// xi = (alpha_s - alpha_t) / (1 - alpha_t), the probability that the reverse step from `t` to `s < t` reveals a
    /// masked token [MD4, reverse posterior]; 1 where no token is masked at `t`.
    pub fn reveal_probability(&self, s: f64, t: f64) -> f64 {
        let masked = self.mask_probability(t);
        // Steep schedules underflow: t^w is 0 for w in the thousands.
        if masked == 0.0 { 1.0 } else { ((masked - self.mask_probability(s)) / masked).clamp(0.0, 1.0) }
    }
}

/// A probability kept away from 0 and 1.
fn clip(probability: f64) -> f64 {
    (1.0 - 2.0 * CLIP_EPS) * probability + CLIP_EPS
}

/// ln t without loss of digits near t = 1.
fn ln_of_time(t: f64) -> f64 {
    if t > 0.5 { (t - 1.0).ln_1p() } else { t.ln() }
}

/// S(t) of the geometric schedule.
fn total_noise(t: f64) -> f64 {
    BETA_MIN * (t * (BETA_MAX / BETA_MIN).ln()).exp()
}

impl LogSnr for MaskedSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        match self {
            Self::Custom(schedule) => schedule.log_snr(t),
            _ => self.alpha(t).ln() - self.mask_probability(t).ln(),
        }
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        let (alpha, masked) = (sigmoid(log_snr), sigmoid(-log_snr));
        match self {
            Self::Linear => masked,
            Self::Cosine if masked < 0.5 => masked.asin() / FRAC_PI_2,
            Self::Cosine => 1.0 - (alpha / 2.0).sqrt().asin() / FRAC_PI_4,
            Self::Poly(w) => masked.powf(1.0 / w),
            Self::Geometric => (softplus(-log_snr) / BETA_MIN).ln() / (BETA_MAX / BETA_MIN).ln(),
            Self::LogLinear => masked / (1.0 - LOG_LINEAR_EPS),
            Self::Clipped(base) => {
                let unclipped = |p: f64| ((p - CLIP_EPS) / (1.0 - 2.0 * CLIP_EPS)).max(0.0).ln();
                base.time_of_log_snr(unclipped(alpha) - unclipped(masked))
            }
            Self::Custom(schedule) => schedule.time_of_log_snr(log_snr),
        }
    }

    /// (1 - alpha) / (-alpha'), which makes the cross-entropy weight 1 (MaskGIT, MAR) [Demystifying, simple weighting].
    fn simple_weight(&self, log_snr: f64) -> f64 {
        let (alpha, masked) = (sigmoid(log_snr), sigmoid(-log_snr));
        match self {
            Self::Linear | Self::LogLinear => self.time_of_log_snr(log_snr),
            Self::Poly(w) => self.time_of_log_snr(log_snr) / w,
            // -alpha' = pi/2 cos(pi t/2), and 1 - sin^2 = alpha (1 + masked).
            Self::Cosine => masked / (FRAC_PI_2 * (alpha * (1.0 + masked)).sqrt()),
            Self::Geometric => {
                let noise = softplus(-log_snr);
                noise.exp_m1() / (noise * (BETA_MAX / BETA_MIN).ln())
            }
            Self::Clipped(_) => 1.0 / self.elbo_weight(self.time_of_log_snr(log_snr)),
            Self::Custom(schedule) => schedule.simple_weight(log_snr),
        }
    }

    /// t, (2/pi) tan(pi t/2), t/w and expm1(S)/S all grow with t. Clipping adds a multiple of 1/(-alpha'), which falls
    /// for polynomials of w > 1, and without bound at t = 0.
    fn simple_is_monotone(&self) -> bool {
        match self {
            Self::Clipped(base) => !matches!(**base, Self::Poly(w) if w > 1.0),
            Self::Custom(schedule) => schedule.simple_is_monotone(),
            _ => true,
        }
    }
}

impl fmt::Display for MaskedSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Cosine => f.write_str("cosine"),
            Self::Poly(w) => write!(f, "poly:{w}"),
            Self::Geometric => f.write_str("geometric"),
            Self::LogLinear => f.write_str("loglinear"),
            Self::Clipped(base) => write!(f, "md4:{base}"),
            Self::Custom(schedule) => schedule.fmt(f),
        }
    }
}

impl FromStr for MaskedSchedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        const KNOWN: &str = "linear, cosine, poly:W (W > 0), geometric, loglinear, md4:linear, md4:cosine, md4:poly:W, \
            table:FILE (a CSV file: t,alpha)";
        match name {
            "linear" => Ok(Self::Linear),
            "cosine" => Ok(Self::Cosine),
            "geometric" => Ok(Self::Geometric),
            "loglinear" => Ok(Self::LogLinear),
            "md4:linear" | "md4:cosine" => Ok(Self::Clipped(Box::new(name[4..].parse()?))),
            _ if name.starts_with("md4:poly:") => Ok(Self::Clipped(Box::new(name[4..].parse()?))),
            _ if name.starts_with("table:") => Ok(Self::custom(MaskTable::read(&name["table:".len()..])?)),
            _ => match name.strip_prefix("poly:") {
                Some(w) => Ok(Self::Poly(parameter(name, "W", w, Range::Positive)?)),
                None => Err(UnknownName::listed("schedule", name, KNOWN).into()),
            },
        }
    }
}
