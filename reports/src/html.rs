//! The report as one HTML file that needs no other file and no network.

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

use crate::figure::DrawnFigure;
use crate::format;
use crate::palette;
use crate::record::{Claim, Measured, Provenance, Row, Verdict};
use crate::report::{self, Entry, Report, Suite};

/// The values that the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    style: &'static str,
    /// Colours of figures, as CSS declarations.
    light: String,
    dark: String,
    summary: String,
    programs: Vec<String>,
    /// When the newest row was finished.
    newest: Option<&'a str>,
    chips: Vec<Chip>,
    suites: Vec<SuiteView<'a>>,
}

#[derive(Serialize)]
struct SuiteView<'a> {
    name: &'a str,
    title: &'a str,
    claims: Vec<ClaimView<'a>>,
}

#[derive(Serialize)]
struct ClaimView<'a> {
    claim: &'a Claim,
    verdict: Chip,
    /// Why there is no verdict, or why it is what it is.
    reason: Option<&'a str>,
    analysis: Vec<&'a str>,
    measured: Option<MeasuredView<'a>>,
    details: Vec<DetailView<'a>>,
    figures: &'a [DrawnFigure],
    key: &'a str,
    seconds: String,
    provenance: &'a Provenance,
    revision: String,
}

/// A verdict as it is shown: a colour, a sign and a word.
#[derive(Serialize)]
struct Chip {
    class: &'static str,
    sign: &'static str,
    word: String,
    count: usize,
}

#[derive(Serialize)]
struct MeasuredView<'a> {
    quantity: &'a str,
    value: String,
    n: u64,
    n_unit: String,
    interval: Option<String>,
}

#[derive(Serialize)]
struct DetailView<'a> {
    name: &'a str,
    value: String,
    unit: &'a str,
}

/// The whole page.
pub fn render(report: &Report) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // The name decides that values are escaped.
    environment.add_template("report.html", include_str!("template.html"))?;
    let page = Page {
        style: include_str!("style.css"),
        light: palette::declarations(false),
        dark: palette::declarations(true),
        summary: report.summary(),
        programs: report.programs(),
        newest: report.rows().map(|row| row.provenance.finished.as_str()).max(),
        chips: report.counts().into_iter().map(|(verdict, count)| chip(verdict, count)).collect(),
        suites: report.suites.iter().map(view_suite).collect(),
    };
    let template = environment.get_template("report.html")?;
    template.render(Serde(&page))
}

fn view_suite<'a>(suite: &'a Suite) -> SuiteView<'a> {
    SuiteView { name: suite.name, title: &suite.title, claims: suite.entries.iter().map(view_claim).collect() }
}

fn view_claim<'a>(entry: &'a Entry) -> ClaimView<'a> {
    let row: &Row = entry.row;
    ClaimView {
        claim: &row.claim,
        verdict: chip(row.verdict, 1),
        reason: row.reason.as_deref(),
        analysis: paragraphs(&row.claim.analysis),
        measured: row.measured.as_ref().map(view_measured),
        details: row
            .details
            .iter()
            .map(|detail| DetailView {
                name: &detail.name,
                value: format::with_error(detail.value, detail.standard_error),
                unit: if detail.unit == "1" { "" } else { &detail.unit },
            })
            .collect(),
        figures: &entry.figures,
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
        n: measured.n,
        n_unit: format::counted(measured.n, &measured.n_unit),
        interval: measured.interval.as_ref().map(format::interval),
    }
}

fn chip(verdict: Verdict, count: usize) -> Chip {
    let (class, sign) = match verdict {
        Verdict::Verified => ("verified", "✓"),
        Verdict::Consistent => ("consistent", "≈"),
        Verdict::Refuted => ("refuted", "✗"),
        Verdict::NotRun => ("not-run", "–"),
        Verdict::Blocked => ("blocked", "◇"),
        Verdict::Error => ("error", "!"),
    };
    Chip { class, sign, word: verdict.to_string(), count }
}

/// Prose is split at blank lines.
fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;

    fn page(rows: &[Row]) -> String {
        render(&Report::new(rows).expect("valid rows")).expect("a valid template")
    }

    #[test]
    fn text_of_rows_never_becomes_markup() {
        let evil = "<script>alert(1)</script>\"'&";
        let mut row = example_rows::row("a", Verdict::Error);
        let (claim, figure) = (&mut row.claim, &mut row.figures[0]);
        for field in [
            &mut claim.id,
            &mut claim.title,
            &mut claim.suite,
            &mut claim.source,
            &mut claim.statement,
            &mut claim.expected,
            &mut claim.why,
            &mut claim.analysis,
            &mut claim.command,
            &mut row.key,
            &mut row.provenance.device,
            &mut figure.title,
            &mut figure.caption,
        ] {
            *field = evil.into();
        }
        row.reason = Some(evil.into());
        for panel in &mut row.figures[0].panels {
            match panel {
                crate::record::Panel::Plot { title, x, series, .. } => {
                    *title = evil.into();
                    x.label = evil.into();
                    series[0].label = evil.into();
                }
                crate::record::Panel::Images { title, .. } => *title = evil.into(),
                crate::record::Panel::Table { title, header, rows } => {
                    *title = evil.into();
                    header[0] = evil.into();
                    rows[0][0] = evil.into();
                }
            }
        }
        let page = page(&[row]);
        assert!(!page.contains("<script"), "markup came through");
        assert!(!page.contains("\"'&\""), "an attribute was left");
        assert!(page.matches("&lt;script&gt;").count() >= 20);
    }

    #[test]
    fn a_page_needs_nothing_else_and_every_link_has_its_target() {
        let rows = [example_rows::row("a", Verdict::Verified), example_rows::row("b", Verdict::NotRun)];
        let page = page(&rows);
        for outside in ["http-equiv", "<link", "<script", "src=\"http", "url(http", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        let targets: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(targets.len() >= 3, "{targets:?}");
        for target in targets {
            assert_eq!(page.matches(&format!("id=\"{target}\"")).count(), 1, "{target}");
        }
    }

    #[test]
    fn an_empty_report_says_so() {
        assert!(page(&[]).contains("no claims"));
    }
}
