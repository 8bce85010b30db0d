//! What the network's output F means. Every choice is affine in F, so that one loss serves all.

use std::fmt;
use std::str::FromStr;

use crate::error::UnknownName;
use crate::schedule::{GaussianSchedule, LogSnr};
use elbow_process::gaussian::Level;

/// The meaning of the network's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction {
    /// eps_hat = z + F (VDM's residual; at high noise z is almost eps).
    Eps,
    /// x_hat = F.
    X,
    /// F is the estimate of v = alpha eps - sigma x (Salimans and Ho 2022).
    V,
    /// F is the estimate of the velocity eps - x of the straight path from data to noise.
    Velocity,
    /// x_hat = c_skip y + c_out F of y = z / alpha, with the input scaled to unit variance (Karras et al. 2022, Table 1).
    Edm {
        /// Standard deviation of the data.
        sigma_data: f64,
    },
}

/// eps_hat = `of_z` z + `of_f` F.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    pub of_z: f64,
    pub of_f: f64,
}

/// What a network is asked at one noise level, and what its answer means there.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub level: Level,
    pub affine: Affine,
    /// What z is multiplied by on its way in.
    pub scale: f64,
    /// The time that the network is told.
    pub time: f64,
}

impl Prediction {
    /// The question at a log-SNR.
    pub fn at(&self, log_snr: f64) -> Asked {
        let level = Level::of_log_snr(log_snr);
        Asked { level, affine: self.affine(level), scale: self.input_scale(level), time: network_time(log_snr) }
    }

    /// The coefficients at a variance-preserving level; for EDM c_skip and c_out [EDM, preconditioning].
    fn affine(&self, level: Level) -> Affine {
        let Level { alpha, sigma, .. } = level;
        match self {
            Self::Eps => Affine { of_z: 1.0, of_f: 1.0 },
            Self::X => Affine { of_z: 1.0 / sigma, of_f: -alpha / sigma },
            Self::V => Affine { of_z: sigma, of_f: alpha },
            Self::Velocity => {
                let path = 1.0 / (alpha + sigma);
                Affine { of_z: path, of_f: alpha * path }
            }
            // With s = sigma / alpha: c_skip = S^2 / (s^2 + S^2), c_out = s S / sqrt(s^2 + S^2).
            Self::Edm { sigma_data } => {
                let spread = alpha * sigma_data;
                let total = spread.hypot(sigma);
                Affine { of_z: sigma / (total * total), of_f: -spread / total }
            }
        }
    }

    /// What the network's input is multiplied by: EDM's c_in, for z instead of y [EDM, preconditioning].
    fn input_scale(&self, level: Level) -> f64 {
        match self {
            Self::Edm { sigma_data } => 1.0 / (level.alpha * sigma_data).hypot(level.sigma),
            _ => 1.0,
        }
    }
}

impl Affine {
    /// The eps_hat of an F at this z.
    pub fn eps(&self, z: f64, f: f64) -> f64 {
        self.of_z * z + self.of_f * f
    }

    /// The F that says eps at this z.
    pub fn target(&self, z: f64, eps: f64) -> f64 {
        (eps - self.of_z * z) / self.of_f
    }

    /// |eps - eps_hat|^2 of an error |F - target|^2 = 1.
    pub fn eps_error(&self) -> f64 {
        self.of_f * self.of_f
    }
}

/// The time that a network is told at a log-SNR: that of VDM's schedule.
pub fn network_time(log_snr: f64) -> f64 {
    GaussianSchedule::VDM.time_of_log_snr(log_snr)
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eps => f.write_str("eps"),
            Self::X => f.write_str("x"),
            Self::V => f.write_str("v"),
            Self::Velocity => f.write_str("velocity"),
            Self::Edm { sigma_data } => write!(f, "edm:{sigma_data}"),
        }
    }
}

impl FromStr for Prediction {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let sigma_data = name.strip_prefix("edm:").and_then(|text| text.parse::<f64>().ok());
        match (name, sigma_data) {
            ("eps", _) => Ok(Self::Eps),
            ("x", _) => Ok(Self::X),
            ("v", _) => Ok(Self::V),
            ("velocity", _) => Ok(Self::Velocity),
            (_, Some(sigma_data)) if sigma_data > 0.0 && sigma_data.is_finite() => Ok(Self::Edm { sigma_data }),
            _ => Err(UnknownName::new("prediction", name, &["eps", "x", "v", "velocity", "edm:SIGMA_DATA"])),
        }
    }
}
