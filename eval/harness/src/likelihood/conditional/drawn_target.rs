//! A target while its likelihood is estimated: the sets that were asked about, and their sums.

use elbow_base::Estimate;
use elbow_impls::Key;
use serde::Serialize;

use super::design::{HiddenSet, MIN_SWEEPS, Sweeps, all_sets};
use super::position_costs::{Sums, estimates};

/// log p(target | prompt). Every number in it is finite.
#[derive(Clone, Debug, Serialize)]
pub struct TargetLikelihood {
    /// The log-likelihood, nats: exact from left to right; for a masked model the any-order bound, which lies below.
    pub log_likelihood: f64,
    /// Its standard error over sweeps; 0 where nothing is drawn.
    pub standard_error: f64,
    /// Number of sweeps; 0 where nothing is drawn.
    pub sweeps: u64,
    /// Sequences that the network was asked about.
    pub calls: u64,
    /// Tokens of the target.
    pub tokens: usize,
    /// The estimate of each sweep, nats: for differences under the same noise.
    #[serde(skip)]
    pub per_sweep: Vec<f64>,
}

/// A target at work.
pub(super) struct DrawnTarget {
    /// The sets that every estimate begins with: that with every token hidden, or all.
    first: Vec<HiddenSet>,
    /// The sweeps; none where nothing is drawn.
    design: Option<Sweeps>,
    key: Key,
    /// The costs of `first`.
    all_hidden: Sums,
    sweeps: Vec<Sums>,
    calls: u64,
}

/// A call to be made: of the first sets, or of a sweep.
pub(super) struct Job {
    sweep: Option<usize>,
    pub set: HiddenSet,
}

impl DrawnTarget {
    /// A target whose hidden sets are drawn, with a stream of random numbers for its sweeps.
    pub fn new(length: usize, key: Key) -> Self {
        match length {
            1 => Self::of_all_sets(length, key),
            _ => Self { design: Some(Sweeps::new(length)), ..Self::left_to_right(length, key) },
        }
    }

    /// A target of which every set is asked about.
    pub fn of_all_sets(length: usize, key: Key) -> Self {
        Self { first: all_sets(length), ..Self::left_to_right(length, key) }
    }

    /// A target that one call scores as a whole.
    pub fn left_to_right(length: usize, key: Key) -> Self {
        let first = vec![HiddenSet::all(length)];
        Self { first, design: None, key, all_hidden: Sums::new(length), sweeps: Vec::new(), calls: 0 }
    }

    /// The calls that are missing at so many draws.
    pub fn jobs(&mut self, draws: usize) -> Vec<Job> {
        let length = self.all_hidden.length();
        if self.design.is_some() && length < 32 && (1 << length) - 1 <= draws {
            *self = Self { calls: self.calls, ..Self::of_all_sets(length, self.key.clone()) };
        }
        let mut jobs: Vec<Job> = self.first.drain(..).map(|set| Job { sweep: None, set }).collect();
        if let Some(design) = &self.design {
            let wanted = MIN_SWEEPS.max(draws.saturating_sub(1) / design.calls());
            for number in self.sweeps.len()..wanted {
                let sets = design.draw(&self.key.fold(number as u64));
                jobs.extend(sets.into_iter().map(|set| Job { sweep: Some(number), set }));
                self.sweeps.push(Sums::new(length));
            }
        }
        self.calls += jobs.len() as u64;
        jobs
    }

    pub fn add(&mut self, job: &Job, costs: &[f64]) {
        let sums = match job.sweep {
            Some(number) => &mut self.sweeps[number],
            None => &mut self.all_hidden,
        };
        sums.add(&job.set, costs);
    }

    pub fn likelihood(&self) -> TargetLikelihood {
        let (tokens, calls) = (self.all_hidden.length(), self.calls);
        let Some(design) = &self.design else {
            let (log_likelihood, per_sweep) = (-self.all_hidden.estimate(), Vec::new());
            return TargetLikelihood { log_likelihood, standard_error: 0.0, sweeps: 0, calls, tokens, per_sweep };
        };
        let (share, last) = (design.share(), self.all_hidden.estimate());
        let whole = |sweep: f64| -(share * sweep + (1.0 - share) * last);
        let per_sweep: Vec<f64> = estimates(&self.sweeps, &self.all_hidden).into_iter().map(whole).collect();
        let Estimate { value, standard_error, n } = Estimate::of(&per_sweep);
        TargetLikelihood { log_likelihood: value, standard_error, sweeps: n, calls, tokens, per_sweep }
    }
}
