//! Forward processes of one token over finitely many states: D3PM with any transition.
//!
//! Matrices are row-stochastic as in Austin et al. 2021: entry (a, b) is the probability of going from a to b.

use std::fmt;

use elbow_process::Weighting;
use elbow_process::schedule::{LogSnr, MaskedSchedule, VectorSchedule, sigmoid};
use ndarray::Array2;

use super::matrix::{exponential, identity, masking};
use crate::error::Error;
use crate::toy::Alphabet;

/// The forward process of one token; the tokens of a sequence are independent given x.
pub struct Forward {
    /// Number of data values, V; they are the first of the states.
    pub values: usize,
    /// Number of states of a token: the values, and the mask as the last one where there is one.
    pub states: usize,
    pub(super) kind: Kind,
}

/// The transition with its schedule.
pub(super) enum Kind {
    /// A Markov chain in continuous time that jumps by the matrix P: q(z_t | x) = exp(tau (P - I)), tau = -log
    /// alpha(t). Where P^2 = P (uniform, absorbing) this is alpha I + (1 - alpha) P.
    Jump { name: String, jump: Array2<f64>, idempotent: bool, schedule: MaskedSchedule },
    /// Generalised masked diffusion.
    Vector(VectorSchedule),
    /// Given one-step matrices Q_1, ..., Q_T; the schedule serves the weighting only.
    Steps { name: String, matrices: Vec<Array2<f64>>, schedule: MaskedSchedule },
}

impl Forward {
    /// Uniform diffusion, (1 - beta) I + beta 11^T / V: a corrupted token is a uniformly random value.
    pub fn uniform(values: usize, schedule: MaskedSchedule) -> Self {
        let jump = Array2::from_shape_fn((values, values), |(_, _)| 1.0 / values as f64);
        Self { values, states: values, kind: Kind::Jump { name: "uniform".into(), jump, idempotent: true, schedule } }
    }

    /// Masked diffusion: a corrupted token is the mask and stays so.
    pub fn absorbing(values: usize, schedule: MaskedSchedule) -> Self {
        let jump = Array2::from_shape_fn((values + 1, values + 1), |(_, to)| f64::from(to == values));
        let kind = Kind::Jump { name: "absorbing".into(), jump, idempotent: true, schedule };
        Self { values, states: values + 1, kind }
    }

    /// Generalised masked diffusion (GenMD4): each value has its own masking schedule.
    pub fn vector(schedule: VectorSchedule) -> Self {
        let values = schedule.powers().len();
        Self { values, states: values + 1, kind: Kind::Vector(schedule) }
    }

    /// The symbols that a table denoiser must list.
    pub fn alphabet(&self) -> Alphabet {
        if self.states > self.values { Alphabet::Masked } else { Alphabet::Values }
    }

    /// Refuses a number of steps other than that of a transition given as one-step matrices.
    pub fn check_steps(&self, steps: usize) -> Result<(), Error> {
        match &self.kind {
            Kind::Steps { name, matrices, .. } if matrices.len() != steps => {
                Err(Error::GivenSteps { transition: name.clone(), given: matrices.len(), steps })
            }
            _ => Ok(()),
        }
    }

    /// Whether the process exists in continuous time.
    pub fn is_continuous(&self) -> bool {
        !matches!(self.kind, Kind::Steps { .. })
    }

    /// q(z_t | x) at t = i / `steps`, shape \[states, states\] [D3PM (3)].
    pub(super) fn cumulative(&self, i: usize, steps: usize) -> Array2<f64> {
        let t = i as f64 / steps as f64;
        match &self.kind {
            Kind::Jump { schedule, .. } => self.jumped(schedule.alpha(t), schedule.mask_probability(t)),
            Kind::Vector(schedule) => masking(|v| (schedule.alpha(v, t), schedule.mask_probability(v, t)), self.values),
            Kind::Steps { matrices, .. } => {
                matrices[..i].iter().fold(identity(self.states), |product, m| product.dot(m))
            }
        }
    }

    /// q(z_t | z_s) from s = (i - 1) / `steps` to t = i / `steps`, shape \[states, states\].
    pub(super) fn one_step(&self, i: usize, steps: usize) -> Array2<f64> {
        let (s, t) = ((i - 1) as f64 / steps as f64, i as f64 / steps as f64);
        match &self.kind {
            Kind::Jump { schedule, .. } => {
                let kept = schedule.alpha(s);
                let lost = (schedule.mask_probability(t) - schedule.mask_probability(s)) / kept;
                self.jumped(schedule.alpha(t) / kept, lost)
            }
            Kind::Vector(schedule) => {
                let keep = |v: usize| {
                    let kept = schedule.alpha(v, s);
                    let lost = (schedule.mask_probability(v, t) - schedule.mask_probability(v, s)) / kept;
                    (schedule.alpha(v, t) / kept, lost)
                };
                masking(keep, self.values)
            }
            Kind::Steps { matrices, .. } => matrices[i - 1].clone(),
        }
    }

    /// The cumulative matrix at a noise level, and the jump rates per unit by which the level falls (zero diagonal).
    /// The level is the log-SNR for a scalar schedule, logit(1 - t) for a vector one.
    pub(super) fn at_level(&self, level: f64) -> (Array2<f64>, Array2<f64>) {
        let (kept, lost) = (sigmoid(level), sigmoid(-level));
        match &self.kind {
            Kind::Jump { jump, .. } => {
                // d(-log alpha) / d(-lambda) = 1 - alpha.
                let rates =
                    Array2::from_shape_fn(
                        (self.states, self.states),
                        |(a, b)| if a == b { 0.0 } else { lost * jump[(a, b)] },
                    );
                (self.jumped(kept, lost), rates)
            }
            Kind::Vector(schedule) => {
                // t = lost: dt / d(-level) = t (1 - t), and the rate in t is w t^(w-1) / (1 - t^w).
                let alpha = |v: usize| schedule.alpha_at_logit(v, level);
                let rate = |v: usize| schedule.powers()[v] * schedule.mask_probability(v, lost) * kept / alpha(v);
                let (values, states) = (self.values, self.states);
                let rates =
                    Array2::from_shape_fn(
                        (states, states),
                        |(a, b)| if a < values && b == values { rate(a) } else { 0.0 },
                    );
                (masking(|v| (alpha(v), schedule.mask_probability(v, lost)), values), rates)
            }
            Kind::Steps { .. } => unreachable!("no continuous process"),
        }
    }

    /// The noise levels at t = 1 and at t = 0.
    pub(super) fn levels(&self) -> (f64, f64) {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => {
                (schedule.log_snr(1.0), schedule.log_snr(0.0))
            }
            Kind::Vector(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The schedule whose log-SNR the weightings are functions of.
    pub fn schedule(&self) -> &dyn LogSnr {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => schedule,
            Kind::Vector(schedule) => schedule,
        }
    }

    /// w~ at a noise level.
    pub(super) fn weight(&self, weighting: &Weighting, level: f64) -> f64 {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => weighting.of_log_snr(schedule, level),
            Kind::Vector(schedule) => weighting.of_log_snr(schedule, schedule.log_snr_at_logit(level)),
        }
    }

    /// The noise level at which a weighting is not smooth.
    pub(super) fn kink(&self, weighting: &Weighting) -> Option<f64> {
        let log_snr = weighting.kink()?;
        Some(match &self.kind {
            Kind::Vector(schedule) => {
                let t = schedule.time_of_log_snr(log_snr);
                (1.0 - t).ln() - t.ln()
            }
            _ => log_snr,
        })
    }

    /// The matrix of a jump process that keeps a token with probability `kept` = alpha_t / alpha_s; `lost` is 1 -
    /// `kept` without cancellation.
    fn jumped(&self, kept: f64, lost: f64) -> Array2<f64> {
        let Kind::Jump { jump, idempotent, .. } = &self.kind else { unreachable!("a jump process") };
        if *idempotent {
            return Array2::from_shape_fn((self.states, self.states), |(a, b)| {
                lost * jump[(a, b)] + if a == b { kept } else { 0.0 }
            });
        }
        // tau = -log(kept), from the accurate one of the two; infinite where nothing is kept.
        exponential(jump, if lost < 0.5 { -(-lost).ln_1p() } else { -kept.ln() })
    }
}

/// The name of the transition, without its schedule.
impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Jump { name, .. } | Kind::Steps { name, .. } => f.write_str(name),
            Kind::Vector(_) => f.write_str("value-wise masking"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
        (a - b).iter().fold(0.0, |most: f64, entry| most.max(entry.abs()))
    }

    fn walk(schedule: MaskedSchedule) -> Forward {
        let rows = [[0.5, 0.5, 0.0], [0.3, 0.0, 0.7], [0.0, 0.2, 0.8]];
        let jump = Array2::from_shape_fn((3, 3), |(a, b)| rows[a][b]);
        Forward { values: 3, states: 3, kind: Kind::Jump { name: "walk".into(), jump, idempotent: false, schedule } }
    }

    /// Q_1:t = alpha I + (1 - alpha) U, or alpha I + (1 - alpha) e_m 1^T, is the product of the one-step matrices.
    #[test]
    fn cumulative_matrices_are_products_of_steps() {
        let schedules =
            [MaskedSchedule::Linear, MaskedSchedule::Cosine, MaskedSchedule::LogLinear, MaskedSchedule::Poly(2.0)];
        for schedule in schedules {
            let vector = VectorSchedule::new(vec![0.5, 1.0, 3.0]);
            let all = [
                Forward::uniform(3, schedule.clone()),
                Forward::absorbing(3, schedule.clone()),
                walk(schedule.clone()),
                Forward::vector(vector),
            ];
            for forward in all {
                let mut product = identity(forward.states);
                for i in 1..=7 {
                    product = product.dot(&forward.one_step(i, 7));
                    let closed = forward.cumulative(i, 7);
                    assert!(distance(&product, &closed) < 5e-15, "{forward} {i}: {:e}", distance(&product, &closed));
                }
            }
        }
    }

    /// Uniform diffusion ends in the uniform law, absorbing in the mask, any other in its stationary law.
    #[test]
    fn stationary_limits() {
        let last = |forward: &Forward| forward.cumulative(1, 1);
        assert!(
            distance(
                &last(&Forward::uniform(4, MaskedSchedule::Linear)),
                &Array2::from_shape_fn((4, 4), |(_, _)| 0.25)
            ) < 1e-16
        );
        let masked = Array2::from_shape_fn((5, 5), |(_, b)| f64::from(b == 4));
        assert_eq!(distance(&last(&Forward::absorbing(4, MaskedSchedule::Cosine)), &masked), 0.0);
        // Stationary law of the walk by detailed balance: p0 * 0.5 = p1 * 0.3, p1 * 0.7 = p2 * 0.2.
        let weights = [1.0, 5.0 / 3.0, 35.0 / 6.0];
        let total: f64 = weights.iter().sum();
        let stationary = Array2::from_shape_fn((3, 3), |(_, b)| weights[b] / total);
        assert!(distance(&last(&walk(MaskedSchedule::Linear)), &stationary) < 1e-15);
    }

    #[test]
    fn rates_are_the_derivative_of_the_cumulative_matrix() {
        let vector = VectorSchedule::new(vec![0.5, 1.0, 3.0]);
        for forward in
            [Forward::uniform(3, MaskedSchedule::Linear), walk(MaskedSchedule::Cosine), Forward::vector(vector)]
        {
            for level in [-3.0, 0.2, 4.0] {
                let step = 1e-5;
                let (low, high) = (forward.at_level(level + step).0, forward.at_level(level - step).0);
                let (here, rates) = forward.at_level(level);
                let size = forward.states;
                let leave = |a: usize| (0..size).map(|b| rates[(a, b)]).sum::<f64>();
                let generator =
                    Array2::from_shape_fn((size, size), |(a, b)| if a == b { -leave(a) } else { rates[(a, b)] });
                let slope = (high - low) * (0.5 / step);
                assert!(distance(&slope, &here.dot(&generator)) < 1e-9, "{forward} {level}");
            }
        }
    }
}
