//! The views of a claim: its line in the table, and its account.

use serde::Serialize;

use super::{Chip, chip, subject};
use crate::figure::DrawnFigure;
use crate::format;
use crate::record::{Claim, Measured, Provenance, Row, Verdict};
use crate::report::{self, Entry};

/// A claim where it is only named.
#[derive(Serialize)]
pub struct Heading<'a> {
    anchor: &'a str,
    title: &'a str,
    verdict: Chip,
}

/// A claim with everything that is recorded of it.
#[derive(Serialize)]
pub struct ClaimView<'a> {
    anchor: &'a str,
    claim: &'a Claim,
    verdict: Chip,
    /// What it is about, as the filter names it.
    about: &'static str,
    /// What the table sorts verdicts by: the worst first.
    rank: usize,
    /// Why there is no verdict, or why it is what it is.
    reason: Option<&'a str>,
    /// Whether the table says how to run the claim.
    is_open: bool,
    analysis: Vec<&'a str>,
    measured: Option<MeasuredView<'a>>,
    details: Vec<DetailView<'a>>,
    figures: Vec<&'a DrawnFigure>,
    /// Figures that stand above, beside a statement.
    elsewhere: Vec<&'a DrawnFigure>,
    key: &'a str,
    seconds: String,
    provenance: &'a Provenance,
    revision: String,
}

#[derive(Serialize)]
struct MeasuredView<'a> {
    quantity: &'a str,
    value: String,
    /// The bare number, for the order of the table.
    number: f64,
    n: u64,
    n_unit: String,
    interval: Option<String>,
}

#[derive(Serialize)]
struct DetailView<'a> {
    name: &'a str,
    value: String,
}

pub fn heading<'a>(entry: &'a Entry) -> Heading<'a> {
    Heading { anchor: &entry.anchor, title: &entry.row.claim.title, verdict: chip(entry.row.verdict, 1) }
}

/// The view of a claim, without the figures `shown` elsewhere.
pub fn view_claim<'a>(entry: &'a Entry, shown: &[&str]) -> ClaimView<'a> {
    let row: &Row = entry.row;
    let (elsewhere, figures) = entry.figures.iter().partition(|figure| shown.contains(&figure.id.as_str()));
    let order =
        [Verdict::Refuted, Verdict::Error, Verdict::Consistent, Verdict::Blocked, Verdict::NotRun, Verdict::Verified];
    ClaimView {
        anchor: &entry.anchor,
        claim: &row.claim,
        verdict: chip(row.verdict, 1),
        about: subject(row.claim.about),
        rank: order.iter().position(|verdict| *verdict == row.verdict).unwrap_or(0),
        reason: row.reason.as_deref(),
        is_open: matches!(row.verdict, Verdict::NotRun | Verdict::Blocked | Verdict::Error),
        analysis: paragraphs(&row.claim.analysis),
        measured: row.measured.as_ref().map(view_measured),
        details: row
            .details
            .iter()
            .map(|detail| DetailView {
                name: &detail.name,
                value: format::with_unit(format::with_error(detail.value, detail.standard_error), &detail.unit),
            })
            .collect(),
        figures,
        elsewhere,
        key: &row.key,
        seconds: format!("{:.1}", row.seconds),
        provenance: &row.provenance,
        revision: report::revision(&row.provenance),
    }
}

fn view_measured(measured: &Measured) -> MeasuredView<'_> {
    MeasuredView {
        quantity: &measured.quantity,
        value: format::measured(measured),
        number: measured.value,
        n: measured.n,
        n_unit: format::counted(measured.n, &measured.n_unit),
        interval: measured.interval.as_ref().map(format::interval),
    }
}

/// Prose is split at blank lines.
fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect()
}
