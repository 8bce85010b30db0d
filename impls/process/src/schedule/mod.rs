//! Noise schedules: how much of the data survives at time `t` in \[0, 1\] (`t = 0` is data, `t = 1` is noise).
//!
//! Plain f64 functions, accurate at both ends, used by the exact theory and by the trainers alike.

use std::fmt;

pub mod gaussian;
pub mod masked;
mod table;
pub mod vector;

pub use gaussian::{GaussianSchedule, NoiseSchedule};
pub use masked::{MaskSchedule, MaskedSchedule};
pub use vector::VectorSchedule;

/// The log-SNR of a schedule, masked or Gaussian, as weightings need it.
pub trait LogSnr: fmt::Display {
    /// The log-SNR lambda(t), decreasing in `t`; infinite where the data or the noise is gone.
    ///
    /// Masked: log(alpha / (1 - alpha)). Gaussian: log(alpha^2 / sigma^2).
    fn log_snr(&self, t: f64) -> f64;

    /// The time at which the schedule has this log-SNR (the inverse of [`LogSnr::log_snr`]).
    fn time_of_log_snr(&self, log_snr: f64) -> f64;

    /// w~ of the "simple" weighting at this log-SNR. It is tied to the schedule: the weighting that makes the
    /// unweighted loss (constant cross-entropy, or eps-MSE) out of the NELBO.
    fn simple_weight(&self, log_snr: f64) -> f64;

    /// Whether [`LogSnr::simple_weight`] is non-increasing in the log-SNR, so that w~ grows with `t` (Theorem 2).
    fn simple_is_monotone(&self) -> bool;
}

/// log(1 + e^x) without overflow or cancellation.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1 / (1 + e^-x), accurate in both tails.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}
