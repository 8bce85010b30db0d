//! Conditional Gaussian paths of flow matching, their fields, and the fields and scores of the marginal law.
//!
//! Time runs from noise, t = 0, to the data point x_1, t = 1: p_t(x | x_1) = N(m x_1, s^2 I), the forward process at time
//! 1 - t (Isachenko, Deep Generative Models, lecture 14, 2026). A path is moved by f = m' x_1 + (s'/s)(x - m x_1).

use elbow_process::gaussian::Level;
use elbow_process::schedule::GaussianSchedule;

use super::mixture::{Mixture, combine};

/// A conditional path in one dimension.
#[derive(Clone, Debug)]
pub enum ConditionalPath {
    /// m = 1, s = sigma_(1-t) with sigma_u = least (most / least)^u.
    VarianceExploding {
        /// Standard deviation of the noise at the data.
        least: f64,
        /// The same at the start.
        most: f64,
    },
    /// m = alpha_(1-t), s^2 = 1 - alpha_(1-t)^2, of a variance-preserving schedule.
    VariancePreserving(GaussianSchedule),
}

impl ConditionalPath {
    /// m and s at time t.
    pub fn level(&self, t: f64) -> (f64, f64) {
        match self {
            Self::VarianceExploding { least, most } => (1.0, least * (most / least).powf(1.0 - t)),
            Self::VariancePreserving(schedule) => {
                let Level { alpha, sigma, .. } = Level::at(schedule, 1.0 - t);
                (alpha, sigma)
            }
        }
    }

    /// f(x, x_1, t), the field that moves p_t(. | x_1): -(sigma'/sigma)(x - x_1) and (alpha' / (1 - alpha^2))(alpha x - x_1),
    /// with sigma, alpha and their derivatives at 1 - t [Lecture 14, conditional paths].
    pub fn field(&self, x: f64, x_1: f64, t: f64) -> f64 {
        match self {
            // sigma' = sigma ln(most / least).
            Self::VarianceExploding { least, most } => -(most / least).ln() * (x - x_1),
            Self::VariancePreserving(schedule) => {
                let Level { alpha, sigma, .. } = Level::at(schedule, 1.0 - t);
                // alpha' = -gamma'/2 alpha sigma^2 where alpha^2 + sigma^2 = 1.
                let alpha_prime = -0.5 * schedule.gamma_prime(1.0 - t) * alpha * sigma * sigma;
                alpha_prime / (sigma * sigma) * (alpha * x - x_1)
            }
        }
    }

    /// The law of x_t for data with this law.
    pub fn marginal(&self, law: &Mixture, t: f64) -> Mixture {
        let (m, s) = self.level(t);
        law.noisy(m, s)
    }

    /// E\[f(x, x_1, t) | x\] for data with this law, the field that moves the marginal: f is linear in x_1, whose posterior
    /// mean is known [Lecture 14, conditional paths].
    pub fn marginal_field(&self, law: &Mixture, x: f64, t: f64) -> f64 {
        self.field(x, law.posterior_mean(self.level(t), [x, 0.0])[0], t)
    }

    /// E\[grad log p_t(x | x_1) | x\], the optimum of denoising score matching, which is the score of the marginal
    /// [Lecture 14, score matching].
    pub fn marginal_score(&self, law: &Mixture, x: f64, t: f64) -> f64 {
        let (m, s) = self.level(t);
        let mean = law.posterior_mean((m, s), [x, 0.0]);
        combine(-1.0 / (s * s), [x, 0.0], m / (s * s), mean)[0]
    }
}

#[cfg(test)]
mod tests {
    use super::super::Component;
    use super::*;

    /// Standard normal data: an exploding path makes them N(0, 1 + s^2), a preserving one leaves them as they are.
    #[test]
    fn of_normal_data_field_and_score_are_known() {
        let law = Mixture { dimensions: 1, components: vec![Component { weight: 1.0, mean: [0.0; 2], std: 1.0 }] };
        let preserving = ConditionalPath::VariancePreserving("cosine".parse().expect("a schedule"));
        let exploding = ConditionalPath::VarianceExploding { least: 0.05, most: 5.0 };
        // Measured: 2e-15.
        let near = |found: f64, exact: f64| (found - exact).abs() < 2e-14;
        for (x, t) in [(-1.3, 0.2), (0.4, 0.5), (2.1, 0.9)] {
            assert!(near(preserving.marginal_field(&law, x, t), 0.0));
            assert!(near(preserving.marginal_score(&law, x, t), -x));
            let variance = exploding.level(t).1.powi(2);
            assert!(near(exploding.marginal_field(&law, x, t), -100f64.ln() * variance / (1.0 + variance) * x));
            assert!(near(exploding.marginal_score(&law, x, t), -x / (1.0 + variance)));
            // Witness: the conditional field of the mean moves them.
            assert!(!near(preserving.field(x, 0.0, t), 0.0));
        }
    }
}
