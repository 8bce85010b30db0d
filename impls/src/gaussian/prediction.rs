//! The meaning of a network's output F. Every choice is affine in F, so that one loss serves all.

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

/// The input and the output of a network at one noise level: its output F for the input c_in z at the time c_noise
/// means eps_hat = skip z + out F.
///
/// EDM's Table 1 writes the same for the denoised x_hat of y = z / alpha: see [`Self::c_skip`] and [`Self::c_out`].
/// Losses and samplers work with eps_hat, where no difference of large numbers is taken at low noise.
#[derive(Clone, Copy, Debug)]
pub struct Preconditioning {
    /// The noise level.
    pub level: Level,
    /// Coefficient of z in eps_hat.
    pub skip: f64,
    /// Coefficient of F in eps_hat.
    pub out: f64,
    /// Factor of z on its way into the network; EDM's c_in, a factor of y, is alpha times this.
    pub c_in: f64,
    /// The time that the network is told: VDM's time of the log-SNR, in place of EDM's ln(s)/4. Both are linear in the
    /// log-SNR, but VDM's runs from 0 to 1 like the times of all other objectives, which the networks embed.
    pub c_noise: f64,
}

impl Prediction {
    /// The network's input and output at a log-SNR; c_in among them [EDM, preconditioning].
    pub fn at(&self, log_snr: f64) -> Preconditioning {
        let level = Level::of_log_snr(log_snr);
        let (alpha, sigma) = (level.alpha, level.sigma);
        let (skip, out, c_in) = match self {
            Self::Eps => (1.0, 1.0, 1.0),
            Self::X => (1.0 / sigma, -alpha / sigma, 1.0),
            Self::V => (sigma, alpha, 1.0),
            Self::Velocity => {
                let path = 1.0 / (alpha + sigma);
                (path, alpha * path, 1.0)
            }
            // EDM, Table 1, with s = sigma / alpha: c_skip = S^2 / (s^2 + S^2), c_out = s S / sqrt(s^2 + S^2),
            // c_in = 1 / sqrt(s^2 + S^2).
            Self::Edm { sigma_data } => {
                let spread = alpha * sigma_data;
                let total = spread.hypot(sigma);
                (sigma / (total * total), -spread / total, 1.0 / total)
            }
        };
        Preconditioning { level, skip, out, c_in, c_noise: network_time(log_snr) }
    }
}

impl Preconditioning {
    /// The eps_hat of an output F at this z.
    pub fn eps(&self, z: f64, f: f64) -> f64 {
        self.skip * z + self.out * f
    }

    /// The output F that says eps at this z.
    pub fn target(&self, z: f64, eps: f64) -> f64 {
        (eps - self.skip * z) / self.out
    }

    /// |eps - eps_hat|^2 of an error |F - target|^2 = 1.
    pub fn eps_error(&self) -> f64 {
        self.out * self.out
    }

    /// c_skip of x_hat = c_skip y + c_out F, y = z / alpha: (y - s eps_hat) has 1 - sigma skip of y
    /// [EDM, preconditioning].
    pub fn c_skip(&self) -> f64 {
        1.0 - self.level.sigma * self.skip
    }

    /// c_out of the same: -s out [EDM, preconditioning].
    pub fn c_out(&self) -> f64 {
        -self.level.sigma / self.level.alpha * self.out
    }
}

/// The time at which VDM's schedule has a log-SNR.
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
