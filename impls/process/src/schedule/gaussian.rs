//! Gaussian diffusion z_t = alpha(t) x + sigma(t) eps: lambda(t) = log(alpha^2 / sigma^2), gamma = -lambda.
//!
//! Source: Kingma et al. 2021 (VDM), Nichol and Dhariwal 2021 (cosine), Liu et al. 2022 (rectified flow), Karras et al.
//! 2022 (EDM). A schedule is also a law of noise levels: with t ~ U(0, 1), lambda has the density 1 / gamma'.

use std::f64::consts::{FRAC_PI_2, PI};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use elbow_base::{Error, UnknownName};
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::table::NoiseTable;
use super::{LogSnr, sigmoid};
use crate::parameter::{Range, ends, parameter};

/// A noise schedule from outside: variance-preserving, log-SNR decreasing for `t` in \[0, 1\] between finite ends.
///
/// Implement it, and every bound, loss and sampler takes it as [`GaussianSchedule::custom`].
pub trait NoiseSchedule: LogSnr + fmt::Debug + Send + Sync {
    /// gamma'(t) = -d lambda / dt (positive).
    fn gamma_prime(&self, t: f64) -> f64;
}

/// Schedules are equal if their names are.
impl PartialEq for dyn NoiseSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

/// The noise schedule of a Gaussian diffusion.
#[derive(Clone, Debug, PartialEq)]
pub enum GaussianSchedule {
    /// Variance-preserving with gamma(t) = gamma_min + (gamma_max - gamma_min) t.
    #[allow(missing_docs)]
    FixedLinear { gamma_min: f64, gamma_max: f64 },
    /// A curve from infinite to zero signal-to-noise ratio.
    Whole(Curve),
    /// The part of a curve between two noise levels, variance-preserving; its times are stretched to fill \[0, 1\]. A
    /// bound needs an end gamma_min where the decoder takes over, and an end gamma_max where the prior N(0, I) does.
    #[allow(missing_docs)]
    Clipped { curve: Curve, gamma_min: f64, gamma_max: f64 },
    /// A schedule from outside, such as `table:FILE`.
    Custom(Arc<dyn NoiseSchedule>),
}

/// A schedule without ends: log-SNR from infinity to minus infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// alpha = cos(pi t/2), sigma = sin(pi t/2).
    Cosine,
    /// Optimal transport (rectified flow): alpha = 1 - t, sigma = t.
    OptimalTransport,
    /// Variance-preserving with lambda ~ N(mean, std^2) for uniform times: EDM's law of noise levels is N(2.4, 2.4^2).
    #[allow(missing_docs)]
    Normal { mean: f64, std: f64 },
}

impl GaussianSchedule {
    /// VDM's fixed-linear schedule for images: gamma from -13.3 to 5.
    pub const VDM: Self = Self::FixedLinear { gamma_min: -13.3, gamma_max: 5.0 };
    /// The cosine schedule, whole.
    pub const COSINE: Self = Self::Whole(Curve::Cosine);

    /// A schedule from outside.
    pub fn custom(schedule: impl NoiseSchedule + 'static) -> Self {
        Self::Custom(Arc::new(schedule))
    }

    /// gamma(0) and gamma(1), where they are finite.
    pub fn ends(&self) -> Option<[f64; 2]> {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } | Self::Clipped { gamma_min, gamma_max, .. } => {
                Some([*gamma_min, *gamma_max])
            }
            Self::Whole(_) => None,
            Self::Custom(schedule) => Some([0.0, 1.0].map(|t| -schedule.log_snr(t))),
        }
    }

    /// The factor of the data in z_t.
    pub fn alpha(&self, t: f64) -> f64 {
        match self {
            Self::Whole(curve) => curve.alpha(t),
            _ => sigmoid(self.log_snr(t)).sqrt(),
        }
    }

    /// The standard deviation of the noise in z_t.
    pub fn sigma(&self, t: f64) -> f64 {
        match self {
            Self::Whole(curve) => curve.sigma(t),
            _ => sigmoid(-self.log_snr(t)).sqrt(),
        }
    }

    /// gamma'(t) = -d lambda / dt (positive), the eps-MSE weight of the ELBO up to the factor 1/2 [VDM, diffusion
    /// loss].
    pub fn gamma_prime(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => gamma_max - gamma_min,
            Self::Whole(curve) => curve.gamma_prime(t),
            Self::Clipped { curve, .. } => self.part().1 * curve.gamma_prime(self.stretched(t)),
            Self::Custom(schedule) => schedule.gamma_prime(t),
        }
    }

    /// The curve's own time at which a clipped schedule starts, and how much of its time there is.
    fn part(&self) -> (f64, f64) {
        match self {
            Self::Clipped { curve, gamma_min, gamma_max } => {
                let [first, last] = [gamma_min, gamma_max].map(|gamma| curve.time_of_log_snr(-gamma));
                (first, last - first)
            }
            _ => (0.0, 1.0),
        }
    }

    fn stretched(&self, t: f64) -> f64 {
        let (first, size) = self.part();
        first + size * t
    }
}

impl Curve {
    fn alpha(&self, t: f64) -> f64 {
        match self {
            // cos(pi t/2) as a sine: exact zero and full accuracy near t = 1.
            Self::Cosine => (FRAC_PI_2 * (1.0 - t)).sin(),
            Self::OptimalTransport => 1.0 - t,
            Self::Normal { .. } => sigmoid(self.log_snr(t)).sqrt(),
        }
    }

    fn sigma(&self, t: f64) -> f64 {
        match self {
            Self::Cosine => (FRAC_PI_2 * t).sin(),
            Self::OptimalTransport => t,
            Self::Normal { .. } => sigmoid(-self.log_snr(t)).sqrt(),
        }
    }

    fn gamma_prime(&self, t: f64) -> f64 {
        match self {
            // 2 pi / sin(pi t); sin(pi t) = 2 sigma alpha keeps its digits near t = 1.
            Self::Cosine => PI / (self.sigma(t) * self.alpha(t)),
            Self::OptimalTransport => 2.0 / (t * (1.0 - t)),
            Self::Normal { std, .. } => std / Normal::standard().pdf(Normal::standard().inverse_cdf(t)),
        }
    }

    fn log_snr(&self, t: f64) -> f64 {
        match self {
            Self::Cosine | Self::OptimalTransport => 2.0 * (self.alpha(t).ln() - self.sigma(t).ln()),
            Self::Normal { mean, std } => mean - std * Normal::standard().inverse_cdf(t),
        }
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        match self {
            Self::Cosine => (-log_snr / 2.0).exp().atan() / FRAC_PI_2,
            Self::OptimalTransport => sigmoid(-log_snr / 2.0),
            Self::Normal { mean, std } => Normal::standard().cdf((mean - log_snr) / std),
        }
    }

    /// The density of lambda for uniform times: 1 / gamma'.
    fn density(&self, log_snr: f64) -> f64 {
        let sech = |x: f64| 1.0 / x.cosh();
        match self {
            Self::Cosine => sech(log_snr / 2.0) / (2.0 * PI),
            Self::OptimalTransport => sech(log_snr / 4.0).powi(2) / 8.0,
            Self::Normal { mean, std } => Normal::standard().pdf((log_snr - mean) / std) / std,
        }
    }

    /// Whether the curve's times tell these ends apart in double precision: far out in the tails of a normal law they
    /// do not.
    fn reaches(&self, ends: [f64; 2]) -> bool {
        match self {
            Self::Cosine | Self::OptimalTransport => true,
            Self::Normal { mean, std } => ends.iter().all(|gamma| ((gamma + mean) / std).abs() <= 7.0),
        }
    }

    /// The log-SNR at which the density is largest.
    fn mode(&self) -> f64 {
        match self {
            Self::Cosine | Self::OptimalTransport => 0.0,
            Self::Normal { mean, .. } => *mean,
        }
    }
}

impl LogSnr for GaussianSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => -(gamma_min + (gamma_max - gamma_min) * t),
            Self::Whole(curve) => curve.log_snr(t),
            // The ends are exact.
            Self::Clipped { gamma_min, .. } if t == 0.0 => -gamma_min,
            Self::Clipped { gamma_max, .. } if t == 1.0 => -gamma_max,
            Self::Clipped { curve, .. } => curve.log_snr(self.stretched(t)),
            Self::Custom(schedule) => schedule.log_snr(t),
        }
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => (-log_snr - gamma_min) / (gamma_max - gamma_min),
            Self::Whole(curve) => curve.time_of_log_snr(log_snr),
            Self::Clipped { curve, .. } => {
                let (first, size) = self.part();
                (curve.time_of_log_snr(log_snr) - first) / size
            }
            Self::Custom(schedule) => schedule.time_of_log_snr(log_snr),
        }
    }

    /// 1 / gamma', which makes the loss DDPM's unweighted eps-MSE; it is the density of lambda for uniform times
    /// [Kingma and Gao, weighted loss].
    fn simple_weight(&self, log_snr: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => 1.0 / (gamma_max - gamma_min),
            Self::Whole(curve) => curve.density(log_snr),
            Self::Clipped { curve, .. } => curve.density(log_snr) / self.part().1,
            Self::Custom(schedule) => schedule.simple_weight(log_snr),
        }
    }

    /// 1 / gamma' is constant for fixed-linear; a curve's rises and falls again, so that it must be cut at its mode.
    fn simple_is_monotone(&self) -> bool {
        match self {
            Self::FixedLinear { .. } => true,
            Self::Whole(_) => false,
            Self::Clipped { curve, gamma_max, .. } => -gamma_max >= curve.mode(),
            Self::Custom(schedule) => schedule.simple_is_monotone(),
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cosine => f.write_str("cosine"),
            Self::OptimalTransport => f.write_str("ot"),
            Self::Normal { mean, std } => write!(f, "normal:{mean}:{std}"),
        }
    }
}

impl fmt::Display for GaussianSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => write!(f, "fixed-linear:{gamma_min}:{gamma_max}"),
            Self::Whole(curve) => write!(f, "{curve}"),
            Self::Clipped { curve, gamma_min, gamma_max } => write!(f, "{curve}:{gamma_min}:{gamma_max}"),
            Self::Custom(schedule) => schedule.fmt(f),
        }
    }
}

impl FromStr for GaussianSchedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || {
            let known = [
                "vdm",
                "cosine",
                "ot",
                "normal:MEAN:STD (of the log-SNR)",
                "fixed-linear:MIN:MAX (gamma, MIN < MAX)",
                "cosine:MIN:MAX",
                "ot:MIN:MAX",
                "normal:MEAN:STD:MIN:MAX (ends within 7 STD of the mean)",
                "table:FILE (a CSV file: t,log_snr)",
            ];
            Error::from(UnknownName::new("schedule", name, &known))
        };
        if let Some(file) = name.strip_prefix("table:") {
            return Ok(Self::custom(NoiseTable::read(file)?));
        }
        let mut parts = name.split(':');
        let kind = parts.next().unwrap_or_default();
        let (curve, given) = match (kind, parts.collect::<Vec<_>>().as_slice()) {
            ("vdm", []) => return Ok(Self::VDM),
            ("fixed-linear", &[min, max]) => {
                let [gamma_min, gamma_max] = ends(name, [min, max])?;
                return Ok(Self::FixedLinear { gamma_min, gamma_max });
            }
            ("cosine", given) => (Curve::Cosine, given.to_vec()),
            ("ot", given) => (Curve::OptimalTransport, given.to_vec()),
            ("normal", [mean, std, given @ ..]) => {
                let mean = parameter(name, "MEAN", mean, Range::Finite)?;
                (Curve::Normal { mean, std: parameter(name, "STD", std, Range::Positive)? }, given.to_vec())
            }
            _ => return Err(unknown()),
        };
        let [min, max] = match given[..] {
            [] => return Ok(Self::Whole(curve)),
            [min, max] => [min, max],
            _ => return Err(unknown()),
        };
        let [gamma_min, gamma_max] = ends(name, [min, max])?;
        if !curve.reaches([gamma_min, gamma_max]) {
            return Err(Error::input(
                format!("{name}: the ends are too far out for a normal law"),
                "MIN and MAX must lie within 7 STD of -MEAN",
            ));
        }
        Ok(Self::Clipped { curve, gamma_min, gamma_max })
    }
}
