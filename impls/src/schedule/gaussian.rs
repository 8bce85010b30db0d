//! Gaussian diffusion z_t = alpha(t) x + sigma(t) eps: lambda(t) = log(alpha^2 / sigma^2), gamma = -lambda.
//!
//! Source: Kingma et al. 2021 (VDM), Nichol and Dhariwal 2021 (cosine), Liu et al. 2022 (rectified flow).

use std::f64::consts::{FRAC_PI_2, PI};
use std::fmt;
use std::str::FromStr;

use super::{LogSnr, sigmoid};
use crate::error::UnknownName;

/// The noise schedule of a Gaussian diffusion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GaussianSchedule {
    /// Variance-preserving with gamma(t) = gamma_min + (gamma_max - gamma_min) t.
    FixedLinear { gamma_min: f64, gamma_max: f64 },
    /// alpha = cos(pi t/2), sigma = sin(pi t/2).
    Cosine,
    /// Optimal transport (rectified flow): alpha = 1 - t, sigma = t.
    OptimalTransport,
}

impl GaussianSchedule {
    /// VDM's fixed-linear schedule for images: gamma from -13.3 to 5.
    pub const VDM: Self = Self::FixedLinear { gamma_min: -13.3, gamma_max: 5.0 };

    /// The factor of the data in z_t.
    pub fn alpha(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { .. } => sigmoid(self.log_snr(t)).sqrt(),
            // cos(pi t/2) as a sine: exact zero and full accuracy near t = 1.
            Self::Cosine => (FRAC_PI_2 * (1.0 - t)).sin(),
            Self::OptimalTransport => 1.0 - t,
        }
    }

    /// The standard deviation of the noise in z_t.
    pub fn sigma(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { .. } => sigmoid(-self.log_snr(t)).sqrt(),
            Self::Cosine => (FRAC_PI_2 * t).sin(),
            Self::OptimalTransport => t,
        }
    }

    /// gamma'(t) = -d lambda / dt (positive): the eps-MSE weight of the ELBO, up to the factor 1/2.
    pub fn gamma_prime(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => gamma_max - gamma_min,
            // 2 pi / sin(pi t); sin(pi t) = 2 sigma alpha keeps its digits near t = 1.
            Self::Cosine => PI / (self.sigma(t) * self.alpha(t)),
            Self::OptimalTransport => 2.0 / (t * (1.0 - t)),
        }
    }
}

impl LogSnr for GaussianSchedule {
    fn log_snr(&self, t: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => -(gamma_min + (gamma_max - gamma_min) * t),
            Self::Cosine | Self::OptimalTransport => 2.0 * (self.alpha(t).ln() - self.sigma(t).ln()),
        }
    }

    fn time_of_log_snr(&self, log_snr: f64) -> f64 {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => (-log_snr - gamma_min) / (gamma_max - gamma_min),
            Self::Cosine => (-log_snr / 2.0).exp().atan() / FRAC_PI_2,
            Self::OptimalTransport => sigmoid(-log_snr / 2.0),
        }
    }

    /// 1 / gamma': the unweighted eps-MSE of DDPM, which is the density of lambda for uniform times.
    fn simple_weight(&self, log_snr: f64) -> f64 {
        let sech = |x: f64| 1.0 / x.cosh();
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => 1.0 / (gamma_max - gamma_min),
            Self::Cosine => sech(log_snr / 2.0) / (2.0 * PI),
            Self::OptimalTransport => sech(log_snr / 4.0).powi(2) / 8.0,
        }
    }

    /// 1 / gamma' is constant for fixed-linear, and rises and falls again for the other two.
    fn simple_is_monotone(&self) -> bool {
        matches!(self, Self::FixedLinear { .. })
    }
}

impl fmt::Display for GaussianSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixedLinear { gamma_min, gamma_max } => write!(f, "fixed-linear:{gamma_min}:{gamma_max}"),
            Self::Cosine => f.write_str("cosine"),
            Self::OptimalTransport => f.write_str("ot"),
        }
    }
}

impl FromStr for GaussianSchedule {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "vdm" => return Ok(Self::VDM),
            "cosine" => return Ok(Self::Cosine),
            "ot" => return Ok(Self::OptimalTransport),
            _ => {}
        }
        let bounds = name.strip_prefix("fixed-linear:").and_then(|r| r.split_once(':'));
        if let Some((Ok(gamma_min), Ok(gamma_max))) = bounds.map(|(a, b)| (a.parse::<f64>(), b.parse::<f64>()))
            && gamma_min < gamma_max
        {
            return Ok(Self::FixedLinear { gamma_min, gamma_max });
        }
        let known = ["vdm", "cosine", "ot", "fixed-linear:MIN:MAX (gamma, MIN < MAX)"];
        Err(UnknownName::new("schedule", name, &known))
    }
}
