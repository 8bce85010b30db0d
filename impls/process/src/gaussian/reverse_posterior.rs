//! Noise levels, and the Gaussian reverse kernel q(z_s | z_t, x) between two of them.

use crate::schedule::{GaussianSchedule, LogSnr, sigmoid};

/// A noise level: z = alpha x + sigma eps.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// Factor of the data.
    pub alpha: f64,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// log(alpha^2 / sigma^2).
    pub log_snr: f64,
}

impl Level {
    /// The level of a schedule at time `t`, on the schedule's own scale.
    pub fn at(schedule: &GaussianSchedule, t: f64) -> Self {
        Self { alpha: schedule.alpha(t), sigma: schedule.sigma(t), log_snr: schedule.log_snr(t) }
    }

    /// The variance-preserving level with this log-SNR; data without noise where it is infinite.
    pub fn of_log_snr(log_snr: f64) -> Self {
        Self { alpha: sigmoid(log_snr).sqrt(), sigma: sigmoid(-log_snr).sqrt(), log_snr }
    }

    /// alpha^2 / sigma^2.
    pub fn snr(&self) -> f64 {
        self.log_snr.exp()
    }
}

/// q(z_s | z_t, x) = N(keep z_t + gain x, variance I) for s < t; p_theta has x_hat(z_t) for x.
pub struct Kernel {
    /// Level at s.
    pub early: Level,
    /// Level at t.
    pub late: Level,
    /// Factor of z_t in the mean.
    pub keep: f64,
    /// Factor of x in the mean.
    pub gain: f64,
    /// Variance per dimension.
    pub variance: f64,
}

impl Kernel {
    /// The kernel from the level at t, `late`, to that at s, `early` [VDM, reverse posterior].
    pub fn new(early: Level, late: Level) -> Self {
        // c = sigma_t|s^2 / sigma_t^2 (VDM, appendix): 1 - SNR_t / SNR_s, without cancellation.
        let c = -(late.log_snr - early.log_snr).exp_m1();
        Self {
            early,
            late,
            keep: late.alpha * early.sigma.powi(2) / (early.alpha * late.sigma.powi(2)),
            gain: early.alpha * c,
            variance: early.sigma.powi(2) * c,
        }
    }
}
