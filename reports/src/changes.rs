//! What has changed since an earlier run.

use std::collections::BTreeMap;

use crate::format;
use crate::record::{self, Measured, Row};

/// Combined standard errors by which two numbers differ that are told apart.
const FAR: f64 = 3.0;
/// Relative difference of two numbers without errors that are told apart, and the size below which they are rounding.
const EXACT: f64 = 1e-9;

/// The differences of two runs, each list sorted by suite and id.
#[derive(Default)]
pub struct Changes<'a> {
    pub verdicts: Vec<Change<'a>>,
    /// Numbers that differ by more than [`FAR`] standard errors, or at all where they are exact; claims with another verdict too.
    pub numbers: Vec<Change<'a>>,
    /// Claims of this run alone.
    pub new: Vec<&'a Row>,
    /// Claims of the earlier run alone.
    pub gone: Vec<&'a Row>,
    /// Claims of both runs.
    pub common: usize,
}

/// A claim in both runs.
pub struct Change<'a> {
    pub earlier: &'a Row,
    pub now: &'a Row,
    /// How far apart the numbers are: `4.2 standard errors`, or nothing.
    pub distance: String,
}

/// Compares the newest row of each claim.
pub fn between<'a>(earlier: &'a [Row], now: &'a [Row]) -> Changes<'a> {
    let by_claim = |rows: &'a [Row]| -> BTreeMap<(&str, &str), &Row> {
        record::latest(rows).into_iter().map(|row| ((row.claim.suite.as_str(), row.claim.id.as_str()), row)).collect()
    };
    let (before, after) = (by_claim(earlier), by_claim(now));
    let mut changes = Changes::default();
    for (claim, &now) in &after {
        let Some(&earlier) = before.get(claim) else {
            changes.new.push(now);
            continue;
        };
        changes.common += 1;
        if earlier.verdict != now.verdict {
            changes.verdicts.push(Change { earlier, now, distance: String::new() });
        }
        let numbers = earlier.measured.as_ref().zip(now.measured.as_ref());
        if let Some(distance) = numbers.and_then(|(earlier, now)| distance(earlier, now)) {
            changes.numbers.push(Change { earlier, now, distance });
        }
    }
    changes.gone = before.iter().filter(|(claim, _)| !after.contains_key(*claim)).map(|(_, &row)| row).collect();
    changes
}

/// How far apart two numbers of a claim are, where they are told apart.
fn distance(earlier: &Measured, now: &Measured) -> Option<String> {
    if (&earlier.unit, &earlier.quantity) != (&now.unit, &now.quantity) {
        return Some("another quantity".into());
    }
    let difference = (now.value - earlier.value).abs();
    let errors = [earlier, now].map(|one| one.standard_error.unwrap_or(0.0));
    let error = errors[0].hypot(errors[1]);
    if error > 0.0 {
        return (difference > FAR * error).then(|| format!("{:.1} standard errors", difference / error));
    }
    let size = earlier.value.abs().max(now.value.abs());
    (difference > EXACT * size.max(1.0)).then(|| format!("{}, exact numbers", format::exact(difference)))
}

impl Changes<'_> {
    /// `2 verdicts and 1 number changed, 1 claim new, none gone, of 139 claims in both`.
    pub fn summary(&self) -> String {
        let some = |count: usize, what: &str| format!("{count} {}", format::counted(count as u64, what));
        format!(
            "{} and {} changed, {} new, {} gone; {} in both runs",
            some(self.verdicts.len(), "verdicts"),
            some(self.numbers.len(), "numbers"),
            some(self.new.len(), "claims"),
            some(self.gone.len(), "claims"),
            some(self.common, "claims")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Verdict;

    fn row(id: &str, verdict: Verdict, value: f64, error: Option<f64>) -> Row {
        let mut row = example_rows::row(id, verdict);
        row.figures.clear();
        let measured = row.measured.as_mut().expect("a number");
        (measured.value, measured.standard_error) = (value, error);
        row
    }

    #[test]
    fn verdicts_and_numbers_beyond_their_errors_are_changes() {
        use Verdict::{Consistent, Verified};
        let earlier = [
            row("near", Verified, 1.0, Some(0.1)),
            row("far", Verified, 1.0, Some(0.1)),
            row("lost", Verified, 1.0, None),
            row("rounding", Verified, 1e-15, None),
            row("exact", Verified, 1.0, None),
            row("gone", Verified, 1.0, None),
        ];
        let now = [
            row("near", Verified, 1.4, Some(0.1)),
            row("far", Verified, 1.5, Some(0.1)),
            row("lost", Consistent, 1.0, None),
            row("rounding", Verified, 3e-15, None),
            row("exact", Verified, 1.000_001, None),
            row("new", Verified, 1.0, None),
        ];
        let changes = between(&earlier, &now);
        let ids = |changes: &[Change]| changes.iter().map(|change| change.now.claim.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&changes.verdicts), ["lost"]);
        assert_eq!(ids(&changes.numbers), ["exact", "far"]);
        assert_eq!(changes.numbers[1].distance, "3.5 standard errors");
        assert_eq!((changes.new.len(), changes.gone.len(), changes.common), (1, 1, 5));
        let summary = "1 verdict and 2 numbers changed, 1 claim new, 1 claim gone; 5 claims in both runs";
        assert_eq!(changes.summary(), summary);
    }

    #[test]
    fn a_run_beside_itself_has_no_changes() {
        let rows = [row("a", Verdict::Verified, 1.0, Some(0.1)), row("b", Verdict::Refuted, 2.0, None)];
        let changes = between(&rows, &rows);
        assert_eq!(
            changes.summary(),
            "0 verdicts and 0 numbers changed, 0 claims new, 0 claims gone; 2 claims in both runs"
        );
    }
}
