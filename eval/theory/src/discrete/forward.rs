//! Forward processes of one token over finitely many states: D3PM with any transition.
//!
//! Matrices are row-stochastic: entry (a, b) is the probability to go from a to b. (Austin et al. 2021 write them so;
//! the lecture's are the transposes.)

use std::fmt;
use std::path::{Path, PathBuf};

use elbow_process::Weighting;
use elbow_process::schedule::{LogSnr, MaskedSchedule, VectorSchedule, sigmoid};
use faer::Mat;
use serde::Deserialize;

use super::matrix::{exponential, identity, masking};
use crate::toy::Alphabet;
use elbow_base::Error;

/// How far a row of a transition may be from summing to 1.
const SUM_TOLERANCE: f64 = 1e-9;

/// The forward process of one token; tokens are independent.
pub struct Forward {
    /// Data values; they are the first of the states.
    pub values: usize,
    /// States of a token: the values, and the mask as the last one where there is one.
    pub states: usize,
    kind: Kind,
}

enum Kind {
    /// A Markov chain in continuous time that jumps by the matrix P: q(z_t | x) = exp(tau (P - I)) with
    /// tau = -log alpha(t). Where P^2 = P (uniform, absorbing) this is alpha I + (1 - alpha) P.
    Jump { name: String, jump: Mat<f64>, idempotent: bool, schedule: MaskedSchedule },
    /// Generalised masked diffusion.
    Vector(VectorSchedule),
    /// Given one-step matrices Q_1..Q_T; the schedule is only for the weighting.
    Steps { name: String, matrices: Vec<Mat<f64>>, schedule: MaskedSchedule },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum TransitionFile {
    Jump(Vec<Vec<f64>>),
    Steps(Vec<Vec<Vec<f64>>>),
}

impl Forward {
    /// (1 - beta) I + beta 11^T / V: a corrupted token is a uniformly random value.
    pub fn uniform(values: usize, schedule: MaskedSchedule) -> Self {
        let jump = Mat::from_fn(values, values, |_, _| 1.0 / values as f64);
        Self { values, states: values, kind: Kind::Jump { name: "uniform".into(), jump, idempotent: true, schedule } }
    }

    /// A corrupted token is the mask, for good.
    pub fn absorbing(values: usize, schedule: MaskedSchedule) -> Self {
        let jump = Mat::from_fn(values + 1, values + 1, |_, to| f64::from(to == values));
        let kind = Kind::Jump { name: "absorbing".into(), jump, idempotent: true, schedule };
        Self { values, states: values + 1, kind }
    }

    /// Each value is masked on a schedule of its own.
    pub fn vector(schedule: VectorSchedule) -> Self {
        let values = schedule.powers().len();
        Self { values, states: values + 1, kind: Kind::Vector(schedule) }
    }

    /// `uniform`, `absorbing`, or the transition of a file, which `locate` finds.
    pub fn named(
        name: &str,
        values: usize,
        schedule: MaskedSchedule,
        locate: impl FnOnce(&str) -> Result<PathBuf, Error>,
    ) -> Result<Self, Error> {
        match name {
            "uniform" => Ok(Self::uniform(values, schedule)),
            "absorbing" => Ok(Self::absorbing(values, schedule)),
            file => Self::load(&locate(file)?, values, schedule),
        }
    }

    /// The transition that a file describes: {"jump": P} or {"steps": \[Q_1, ..., Q_T\]}.
    pub fn load(path: &Path, values: usize, schedule: MaskedSchedule) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
        let name = path.display().to_string();
        let hint =
            "it holds {\"jump\": P} or {\"steps\": [Q_1, ..., Q_T]}, matrices as lists of rows (from) that sum to 1";
        let bad = |what: String| Error::input(format!("{name}: {what}"), hint);
        let file: TransitionFile = serde_json::from_str(&text).map_err(|e| bad(format!("not a transition: {e}")))?;
        let matrix = |rows: &Vec<Vec<f64>>| -> Result<Mat<f64>, Error> {
            let size = rows.len();
            if size != values && size != values + 1 {
                return Err(bad(format!("{size} rows for a toy of {values} values")));
            }
            for (from, row) in rows.iter().enumerate() {
                let total: f64 = row.iter().sum();
                if row.len() != size
                    || row.iter().any(|p| p.is_nan() || *p < 0.0)
                    || (total - 1.0).abs() > SUM_TOLERANCE
                {
                    return Err(bad(format!("row {} is no distribution over {size} states: {row:?}", from + 1)));
                }
            }
            Ok(Mat::from_fn(size, size, |from, to| rows[from][to]))
        };
        let (states, kind) = match &file {
            TransitionFile::Jump(rows) => {
                let jump = matrix(rows)?;
                let idempotent = (&jump * &jump - &jump).norm_max() < 1e-15;
                (jump.nrows(), Kind::Jump { name: name.clone(), jump, idempotent, schedule })
            }
            TransitionFile::Steps(list) => {
                let matrices = list.iter().map(matrix).collect::<Result<Vec<_>, _>>()?;
                let states = matrices.first().map_or(0, |m| m.nrows());
                if matrices.is_empty() || matrices.iter().any(|m| m.nrows() != states) {
                    return Err(bad("steps must be matrices of one size, at least one".into()));
                }
                (states, Kind::Steps { name: name.clone(), matrices, schedule })
            }
        };
        Ok(Self { values, states, kind })
    }

    /// What a table denoiser must list.
    pub fn alphabet(&self) -> Alphabet {
        if self.states > self.values { Alphabet::Masked } else { Alphabet::Values }
    }

    /// Refuses a number of steps that the process does not have.
    pub fn check_steps(&self, steps: usize) -> Result<(), Error> {
        match &self.kind {
            Kind::Steps { name, matrices, .. } if matrices.len() != steps => {
                let what = format!("{name} has {} steps, not {steps}", matrices.len());
                Err(Error::input(what, format!("use --steps {}", matrices.len())))
            }
            _ => Ok(()),
        }
    }

    /// Whether there is a continuous-time process behind the steps.
    pub fn is_continuous(&self) -> bool {
        !matches!(self.kind, Kind::Steps { .. })
    }

    /// q(z_t | x) at t = i / `steps`.
    pub fn cumulative(&self, i: usize, steps: usize) -> Mat<f64> {
        let t = i as f64 / steps as f64;
        match &self.kind {
            Kind::Jump { schedule, .. } => self.jumped(schedule.alpha(t), schedule.mask_probability(t)),
            Kind::Vector(schedule) => masking(|v| (schedule.alpha(v, t), schedule.mask_probability(v, t)), self.values),
            Kind::Steps { matrices, .. } => matrices[..i].iter().fold(identity(self.states), |product, m| product * m),
        }
    }

    /// q(z_t | z_s) from s = (i - 1) / `steps` to t = i / `steps`.
    pub fn one_step(&self, i: usize, steps: usize) -> Mat<f64> {
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

    /// The cumulative matrix, and the rates of jumps per unit of falling noise level (zero diagonal), at a noise
    /// level: the log-SNR for a scalar schedule, logit(1 - t) for a vector one.
    pub fn at_level(&self, level: f64) -> (Mat<f64>, Mat<f64>) {
        let (kept, lost) = (sigmoid(level), sigmoid(-level));
        match &self.kind {
            Kind::Jump { jump, .. } => {
                // d(-log alpha) / d(-lambda) = 1 - alpha.
                let rates =
                    Mat::from_fn(self.states, self.states, |a, b| if a == b { 0.0 } else { lost * jump[(a, b)] });
                (self.jumped(kept, lost), rates)
            }
            Kind::Vector(schedule) => {
                // t = lost: dt / d(-level) = t (1 - t), and the rate in t is w t^(w-1) / (1 - t^w).
                let alpha = |v: usize| schedule.alpha_at_logit(v, level);
                let rate = |v: usize| schedule.powers()[v] * schedule.mask_probability(v, lost) * kept / alpha(v);
                let (values, states) = (self.values, self.states);
                let rates = Mat::from_fn(states, states, |a, b| if a < values && b == values { rate(a) } else { 0.0 });
                (masking(|v| (alpha(v), schedule.mask_probability(v, lost)), values), rates)
            }
            Kind::Steps { .. } => unreachable!("no continuous process"),
        }
    }

    /// The ends of the noise level, t = 1 and t = 0.
    pub fn levels(&self) -> (f64, f64) {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => {
                (schedule.log_snr(1.0), schedule.log_snr(0.0))
            }
            Kind::Vector(_) => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The schedule that weightings read.
    pub fn schedule(&self) -> &dyn LogSnr {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => schedule,
            Kind::Vector(schedule) => schedule,
        }
    }

    /// w~ at a noise level.
    pub fn weight(&self, weighting: &Weighting, level: f64) -> f64 {
        match &self.kind {
            Kind::Jump { schedule, .. } | Kind::Steps { schedule, .. } => weighting.of_log_snr(schedule, level),
            Kind::Vector(schedule) => weighting.of_log_snr(schedule, schedule.log_snr_at_logit(level)),
        }
    }

    /// The noise level at which a weighting has its kink.
    pub fn kink(&self, weighting: &Weighting) -> Option<f64> {
        let log_snr = weighting.kink()?;
        Some(match &self.kind {
            Kind::Vector(schedule) => {
                let t = schedule.time_of_log_snr(log_snr);
                (1.0 - t).ln() - t.ln()
            }
            _ => log_snr,
        })
    }

    /// Keeps a token with probability `kept`, alpha_t / alpha_s; `lost` is 1 - `kept` without cancellation.
    fn jumped(&self, kept: f64, lost: f64) -> Mat<f64> {
        let Kind::Jump { jump, idempotent, .. } = &self.kind else { unreachable!("a jump process") };
        if *idempotent {
            return Mat::from_fn(self.states, self.states, |a, b| {
                lost * jump[(a, b)] + if a == b { kept } else { 0.0 }
            });
        }
        // tau = -log(kept), from whichever has the digits; infinite where nothing is kept.
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

    fn distance(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
        (a - b).norm_max()
    }

    fn walk(schedule: MaskedSchedule) -> Forward {
        let rows = [[0.5, 0.5, 0.0], [0.3, 0.0, 0.7], [0.0, 0.2, 0.8]];
        let jump = Mat::from_fn(3, 3, |a, b| rows[a][b]);
        Forward { values: 3, states: 3, kind: Kind::Jump { name: "walk".into(), jump, idempotent: false, schedule } }
    }

    /// The lecture's table: Q_1:t = alpha I + (1 - alpha) U, or alpha I + (1 - alpha) e_m 1^T; products of the
    /// one-step matrices.
    #[test]
    fn cumulative_matrices_are_products_of_steps() {
        let schedules =
            [MaskedSchedule::Linear, MaskedSchedule::Cosine, MaskedSchedule::LogLinear, MaskedSchedule::Poly(2.0)];
        for schedule in schedules {
            let vector = VectorSchedule::new(vec![0.5, 1.0, 3.0]);
            let all = [
                Forward::uniform(3, schedule),
                Forward::absorbing(3, schedule),
                walk(schedule),
                Forward::vector(vector),
            ];
            for forward in all {
                let mut product = identity(forward.states);
                for i in 1..=7 {
                    product = &product * forward.one_step(i, 7);
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
            distance(&last(&Forward::uniform(4, MaskedSchedule::Linear)), &Mat::from_fn(4, 4, |_, _| 0.25)) < 1e-16
        );
        let masked = Mat::from_fn(5, 5, |_, b| f64::from(b == 4));
        assert_eq!(distance(&last(&Forward::absorbing(4, MaskedSchedule::Cosine)), &masked), 0.0);
        // Stationary law of the walk by detailed balance: p0 * 0.5 = p1 * 0.3, p1 * 0.7 = p2 * 0.2.
        let weights = [1.0, 5.0 / 3.0, 35.0 / 6.0];
        let total: f64 = weights.iter().sum();
        let stationary = Mat::from_fn(3, 3, |_, b| weights[b] / total);
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
                let generator = Mat::from_fn(size, size, |a, b| if a == b { -leave(a) } else { rates[(a, b)] });
                let slope = (high - low) * faer::Scale(0.5 / step);
                assert!(distance(&slope, &(&here * generator)) < 1e-9, "{forward} {level}");
            }
        }
    }
}
