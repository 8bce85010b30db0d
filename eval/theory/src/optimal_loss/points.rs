//! The optimal loss of Gaussian diffusion on a set of points: the posterior mean over the points.

use elbow_base::Estimate;
use elbow_process::gaussian::Level;
use rand_distr::{Distribution, StandardNormal};

use super::Draws;

/// A set of points, whose empirical law is the data.
pub struct PointFloor {
    points: Vec<f64>,
    dimension: usize,
}

impl PointFloor {
    /// The floor of at least one point: `points` holds whole rows of `dimension` coordinates.
    pub fn new(points: Vec<f64>, dimension: usize) -> Self {
        let rows = points.len() / dimension;
        assert!(rows > 0 && rows * dimension == points.len(), "{} coordinates in rows of {dimension}", points.len());
        Self { points, dimension }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points.len() / self.dimension
    }

    /// Whether there are no points: never.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The coordinates of one point.
    pub fn point(&self, i: usize) -> &[f64] {
        &self.points[i * self.dimension..(i + 1) * self.dimension]
    }

    /// E |x - E\[x | z\]|^2 at a log-SNR, in squared units of the points, a mean over points and noise [Optimal loss,
    /// Gaussian]. Times the SNR it is the error of eps, and half the integral of that over log-SNRs is a term of the
    /// NELBO.
    pub fn loss(&self, log_snr: f64, draws: &Draws) -> Estimate {
        draws.mean(self.len(), |x, among, key| {
            let mut rng = key.rng();
            let eps: Vec<f64> = (0..self.dimension).map(|_| StandardNormal.sample(&mut rng)).collect();
            self.squared_error(x, among, &eps, log_snr)
        })
    }

    /// |x - E\[x | z\]|^2 of point `x` with the noise `eps` at a log-SNR: z = alpha x + sigma eps, and the posterior is
    /// over the points `among`, x being one of them.
    pub fn squared_error(&self, x: usize, among: &[usize], eps: &[f64], log_snr: f64) -> f64 {
        let Level { alpha, sigma, .. } = Level::of_log_snr(log_snr);
        let own = self.point(x);
        // |z - alpha x_i|^2 / (2 sigma^2) with z - alpha x_i = alpha (x - x_i) + sigma eps: nothing cancels where sigma is
        // small.
        let ratio = alpha / sigma;
        let energy = |&i: &usize| -> f64 {
            let coordinates = own.iter().zip(self.point(i)).zip(eps);
            coordinates.map(|((x, other), eps)| (ratio * (x - other) + eps).powi(2)).sum::<f64>() / 2.0
        };
        let energies: Vec<f64> = among.iter().map(energy).collect();
        let least = energies.iter().copied().fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> = energies.iter().map(|energy| (least - energy).exp()).collect();
        let total: f64 = weights.iter().sum();
        // x - E[x | z] is the mean of x - x_i.
        let mut error = vec![0.0; self.dimension];
        for (&i, weight) in among.iter().zip(&weights).filter(|(_, weight)| **weight > 0.0) {
            let differences = own.iter().zip(self.point(i));
            error.iter_mut().zip(differences).for_each(|(sum, (x, other))| *sum += weight / total * (x - other));
        }
        error.iter().map(|e| e * e).sum()
    }
}

#[cfg(test)]
mod tests {
    use elbow_base::Key;

    use super::*;
    use crate::quadrature::integrate;

    fn draws(others: Option<usize>) -> Draws {
        Draws { count: 4000, others, key: Key::new(5, "floor") }
    }

    /// The minimum mean squared error of x = +-1 at an SNR: 1 - E tanh(snr + sqrt(snr) eps).
    fn two_points(snr: f64) -> f64 {
        let mut integrand = |eps: f64| {
            (-eps * eps / 2.0).exp() / std::f64::consts::TAU.sqrt() * (1.0 - (snr + snr.sqrt() * eps).tanh())
        };
        integrate(-12.0, 12.0, &mut integrand).value
    }

    #[test]
    fn the_loss_of_two_points_is_that_of_the_hyperbolic_tangent() {
        let floor = PointFloor::new(vec![-1.0, 1.0], 1);
        for log_snr in [-3.0, -1.0, 0.0, 1.0, 3.0] {
            let (found, exact) = (floor.loss(log_snr, &draws(None)), two_points(f64::exp(log_snr)));
            assert!((found.value - exact).abs() < 4.0 * found.standard_error, "{log_snr}: {found:?} against {exact}");
        }
        // Witness: at log-SNR 0 the nearest point is wrong with probability 0.1587, and then by 2.
        let found = floor.loss(0.0, &draws(None));
        assert!((found.value - 4.0 * 0.1587).abs() > 10.0 * found.standard_error);
    }

    /// Half the integral of the error of eps over log-SNRs is the mutual information of x and z, ln N in the end.
    #[test]
    fn the_losses_sum_to_the_entropy() {
        // Corners of a square: two independent signs, whose entropy is 2 ln 2.
        let floor = PointFloor::new(vec![-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0], 2);
        let (low, high, levels) = (-9.0, 5.0, 56);
        let width = (high - low) / f64::from(levels);
        let (mut total, mut variance) = (0.0, 0.0);
        for level in 0..levels {
            let log_snr = low + width * (f64::from(level) + 0.5);
            let found = floor.loss(log_snr, &draws(None)).scaled(width * log_snr.exp() / 2.0);
            total += found.value;
            variance += found.standard_error.powi(2);
        }
        // Both ends: at small SNR the error is the variance, 2; at large SNR nothing is left.
        total += f64::exp(low);
        let off = (total - 4f64.ln()).abs();
        assert!(off < 4.0 * variance.sqrt(), "{total} +- {} against {}", variance.sqrt(), 4f64.ln());
        assert!(variance.sqrt() < 0.02, "the test decides");
    }

    #[test]
    fn fewer_points_give_a_lower_floor() {
        let points: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17) / 4.0).collect();
        let floor = PointFloor::new(points, 2);
        let [all, some] = [None, Some(4)].map(|others| floor.loss(0.5, &draws(others)));
        assert!(all.value - some.value > 5.0 * all.standard_error.hypot(some.standard_error), "{all:?} {some:?}");
        assert_eq!(floor.loss(0.5, &draws(Some(19))), all);
    }
}
