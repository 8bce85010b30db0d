//! Generalised masked diffusion (GenMD4, Shi et al. 2024) from its published formulas: the cost of one masked token.

use elbow_process::schedule::VectorSchedule;

/// The continuous-time cost of a masked token of value `x`, nats per unit of time:
/// -r_x log mu_x - r_x + sum over v of r_v mu_v [GenMD4, continuous time].
///
/// It is non-negative, and r times the cross-entropy where all r_v equal r.
pub fn cost_rate(schedule: &VectorSchedule, mu: &[f64], x: usize, t: f64) -> f64 {
    let rate = |v: usize| schedule.elbo_weight(v, t);
    let expected: f64 = mu.iter().enumerate().map(|(v, p)| rate(v) * p).sum();
    -rate(x) * mu[x].ln() - rate(x) + expected
}

/// The KL of one reverse step from t to s for a masked token of value `x`, nats:
/// -xi_x log mu_x + (1 - xi_x) log ((1 - xi_x) / sum over v of (1 - xi_v) mu_v) [GenMD4, finite T].
pub fn step_cost(schedule: &VectorSchedule, mu: &[f64], x: usize, (s, t): (f64, f64)) -> f64 {
    let xi = |v: usize| schedule.reveal_probability(v, s, t);
    let stays: f64 = mu.iter().enumerate().map(|(v, p)| (1.0 - xi(v)) * p).sum();
    let stay = if xi(x) < 1.0 { (1.0 - xi(x)) * ((1.0 - xi(x)) / stays).ln() } else { 0.0 };
    -xi(x) * mu[x].ln() + stay
}
