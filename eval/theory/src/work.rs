//! The evaluations that the quadrature of one cascade may make: a limit that is the same on every machine, and a bar.

use std::cell::Cell;

use elbow_base::Progress;

use crate::error::Error;

/// Largest number of densities of single components that one cascade evaluates: a few minutes.
pub(crate) const LIMIT: u64 = 5_000_000_000;
/// Evaluations between two movements of the bar.
const UNIT: u64 = 1_000_000;

/// The evaluations made so far.
pub(crate) struct Work<'a> {
    spent: Cell<u64>,
    limit: u64,
    progress: &'a dyn Progress,
}

impl<'a> Work<'a> {
    /// Work up to [`LIMIT`].
    pub fn limited(progress: &'a dyn Progress) -> Self {
        progress.start(LIMIT / UNIT, "million densities, at most");
        Self { spent: Cell::new(0), limit: LIMIT, progress }
    }

    /// Work without a limit or a bar.
    pub fn free() -> Self {
        Self { spent: Cell::new(0), limit: u64::MAX, progress: &elbow_base::Silent }
    }

    /// Counts evaluations that are about to be made; false where the limit is passed, and they are not to be made.
    pub fn spend(&self, evaluations: u64) -> bool {
        let (before, after) = (self.spent.get(), self.spent.get() + evaluations);
        self.spent.set(after);
        if after / UNIT > before / UNIT {
            self.progress.advance(after / UNIT - before / UNIT);
        }
        after <= self.limit
    }

    /// The value of an integrand that costs so many evaluations; NaN beyond the limit, which ends every quadrature.
    pub fn value(&self, evaluations: u64, integrand: impl FnOnce() -> f64) -> f64 {
        if self.spend(evaluations) { integrand() } else { f64::NAN }
    }

    /// Refuses what went beyond the limit.
    pub fn check(&self) -> Result<(), Error> {
        if self.spent.get() <= self.limit {
            Ok(())
        } else {
            Err(Error::TooCostly { least: self.limit, limit: self.limit })
        }
    }
}
