//! What is not verified, and why.

use crate::format;
use crate::record::{Row, Verdict};
use crate::report::{Entry, Report, reason};

/// Claims of one verdict for one reason.
pub struct Open<'a> {
    pub verdict: Verdict,
    /// A sentence about the one claim, or the reason that several share.
    pub why: String,
    pub claims: Vec<&'a Entry<'a>>,
}

/// The name by which a check records how far a number must lie from the limit to be decided.
const POWER: &str = "distance from the limit that verifies this number";

/// The claims that are not verified, the refuted ones first; claims that were not run are joined by their reasons.
pub fn open<'a>(report: &'a Report) -> Vec<Open<'a>> {
    let mut all: Vec<Open> = Vec::new();
    for verdict in [Verdict::Refuted, Verdict::Error, Verdict::Consistent, Verdict::Blocked, Verdict::NotRun] {
        for entry in report.entries().filter(|entry| entry.row.verdict == verdict) {
            let why = why(entry.row);
            let shared = matches!(verdict, Verdict::Blocked | Verdict::NotRun);
            match all.iter_mut().find(|open| shared && open.verdict == verdict && open.why == why) {
                Some(open) => open.claims.push(entry),
                None => all.push(Open { verdict, why, claims: vec![entry] }),
            }
        }
    }
    all
}

/// Why a row is not verified.
fn why(row: &Row) -> String {
    let (Verdict::Consistent, Some(measured)) = (row.verdict, &row.measured) else { return reason(row) };
    let mut text = format!("{}: {}", measured.quantity, format::measured(measured));
    if let Some(interval) = &measured.interval {
        let (expected, interval) = (&row.claim.expected, format::interval(interval));
        text += &format!("; the interval {interval} holds numbers inside and outside of {expected}");
    }
    if let Some(power) = row.details.iter().find(|detail| detail.name.starts_with(POWER)) {
        let distance = format::with_unit(format!("{:.2}", power.value), &power.unit);
        text +=
            &format!("; a number that lies {distance} within the limit would have been verified with probability 0.8");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Detail;

    #[test]
    fn claims_that_were_not_run_are_joined_by_their_reasons() {
        let absent = |id: &str, reason: &str| {
            let mut row = example_rows::row(id, Verdict::NotRun);
            (row.measured, row.reason) = (None, Some(reason.into()));
            row
        };
        let rows = [
            absent("a", "needs a GPU"),
            absent("b", "tier slow was not asked for"),
            absent("c", "needs a GPU"),
            example_rows::row("d", Verdict::Verified),
            example_rows::row("e", Verdict::Refuted),
        ];
        let report = Report::new(&rows).expect("valid rows");
        let open = open(&report);
        let ids = |open: &Open| open.claims.iter().map(|entry| entry.anchor.clone()).collect::<Vec<_>>();
        assert_eq!(open.iter().map(ids).collect::<Vec<_>>(), [vec!["e"], vec!["a", "c"], vec!["b"]]);
        assert_eq!(open[1].why, "needs a GPU");
        assert!(open[0].why.starts_with("measured 1.3052 ± 0.0012 nats, expected"), "{}", open[0].why);
    }

    #[test]
    fn an_undecided_claim_has_its_interval_and_what_would_decide_it() {
        let mut row = example_rows::row("a", Verdict::Consistent);
        row.details.push(Detail {
            name: format!("{POWER} with probability 0.8"),
            value: 0.0123,
            standard_error: None,
            unit: "nats".into(),
        });
        let rows = [row];
        let report = Report::new(&rows).expect("a valid row");
        assert_eq!(
            open(&report)[0].why,
            "mean loss: 1.3052 ± 0.0012 nats; the interval [1.30200, 1.30800], confidence 99\u{a0}% holds numbers inside and \
             outside of = 1.305 within 3 standard errors; a number that lies 0.01 nats within the limit would have been verified \
             with probability 0.8"
        );
    }
}
