//! The noise levels that a sampler visits.

use crate::schedule::{GaussianSchedule, LogSnr};

/// The grid of noise levels between the ends.
#[derive(Clone, Debug, PartialEq)]
pub enum LevelGrid {
    /// t(i) = i/T under a schedule; the last level is the schedule's end, where the decoder takes over.
    Times(GaussianSchedule),
    /// EDM's: s^(1/rho) is linear in i for s = sigma/alpha, and a last step goes to s = 0 (Karras et al. 2022, equation
    /// 5).
    #[allow(missing_docs)]
    Edm { rho: f64, sigma_min: f64, sigma_max: f64 },
}

impl LevelGrid {
    /// EDM's grid with rho = 7 between two values of gamma.
    pub fn edm([gamma_min, gamma_max]: [f64; 2]) -> Self {
        Self::Edm { rho: 7.0, sigma_min: (0.5 * gamma_min).exp(), sigma_max: (0.5 * gamma_max).exp() }
    }

    /// The log-SNRs from noise to data, `steps` + 1 of them, for EDM's grid [EDM (5)]; infinite where no noise is left.
    pub fn log_snrs(&self, steps: usize) -> Vec<f64> {
        let n = steps as f64;
        match self {
            Self::Times(schedule) => (0..=steps).rev().map(|i| schedule.log_snr(i as f64 / n)).collect(),
            Self::Edm { rho, sigma_min, sigma_max } => {
                let [low, high] = [sigma_min, sigma_max].map(|sigma| sigma.powf(1.0 / rho));
                // One step: from the largest level to none.
                let sigma = |i: usize| (high + i as f64 / (n - 1.0).max(1.0) * (low - high)).powf(*rho);
                (0..steps).map(|i| -2.0 * sigma(i).ln()).chain([f64::INFINITY]).collect()
            }
        }
    }
}
