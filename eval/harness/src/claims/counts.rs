//! How many claims have which verdict.

use std::collections::BTreeMap;
use std::fmt;

use elbow_reports::record::{About, Row, Verdict};
use serde::Serialize;

/// The number of claims of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub verified: usize,
    pub consistent: usize,
    pub refuted: usize,
    pub not_run: usize,
    pub blocked: usize,
    pub error: usize,
}

impl Counts {
    /// The counts of some rows.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut counts = Self::default();
        rows.into_iter().for_each(|row| *counts.count(row.verdict) += 1);
        counts
    }

    /// The same per kind of claim. Rows of older versions, which do not say what they are about, are in none.
    pub fn by_subject(rows: &[Row]) -> BTreeMap<About, Self> {
        let of = |about| rows.iter().filter(move |row| row.claim.about == Some(about));
        About::ALL
            .into_iter()
            .filter(|&about| of(about).next().is_some())
            .map(|about| (about, Self::of(of(about))))
            .collect()
    }

    fn count(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Verified => &mut self.verified,
            Verdict::Consistent => &mut self.consistent,
            Verdict::Refuted => &mut self.refuted,
            Verdict::NotRun => &mut self.not_run,
            Verdict::Blocked => &mut self.blocked,
            Verdict::Error => &mut self.error,
        }
    }
}

/// The verdicts that occur: `5 verified, 1 refuted`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = *self;
        let all = Verdict::ALL.map(|verdict| (*counts.count(verdict), verdict));
        let occurring = all.iter().filter(|(count, _)| *count > 0).map(|(count, verdict)| format!("{count} {verdict}"));
        f.write_str(&occurring.collect::<Vec<_>>().join(", "))
    }
}
