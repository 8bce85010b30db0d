//! README's results, from recorded rows.

use std::path::{Path, PathBuf};

use elbow_harness::claims::{bundled, recorded};
use elbow_reports::format::{counted, exact, with_error, with_unit};
use elbow_reports::record::{About, Claim, Row, Verdict, latest};

/// What is shown of a claim.
enum Shown {
    /// The number that decides it.
    Deciding,
    /// A number beside it, by its name.
    Beside(&'static str),
}

/// The claims of the table, by suite and id.
const CLAIMS: [(&str, &str, Shown); 10] = [
    ("theory", "theorem-1", Shown::Deciding),
    ("theory", "theorem-2", Shown::Deciding),
    ("likelihood", "digits", Shown::Beside("NELBO of the test split")),
    ("likelihood", "variance-per-call", Shown::Beside("times less variance for as many calls")),
    ("weighting", "masked-distance", Shown::Deciding),
    ("weighting", "gaussian-distance", Shown::Deciding),
    ("weighting", "masked-non-monotone", Shown::Deciding),
    ("sampling", "first-hitting-law", Shown::Deciding),
    ("fid", "tools-frechet", Shown::Deciding),
    ("speed", "step-digits-compiled", Shown::Deciding),
];

/// The table of the newest record in a folder of records, Markdown.
pub fn results(records: &Path) -> String {
    let entries = std::fs::read_dir(records).unwrap_or_else(|e| panic!("{}: {e}", records.display()));
    let newest = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).max();
    let newest: PathBuf = newest.expect("a record");
    // As `elbow report` reads them, with what each claim is about.
    let catalogue = bundled().expect("the bundled claims");
    let rows = recorded(&newest.join("results.jsonl"), &catalogue).expect("rows").rows;
    let rows = latest(&rows);
    let mut table = String::from("| claim | measured | verdict |\n|---|---|---|\n");
    for (suite, id, shown) in &CLAIMS {
        let row = rows.iter().find(|row| row.claim.suite == *suite && row.claim.id == *id);
        table += &line(row.unwrap_or_else(|| panic!("{}: no row {suite}/{id}", newest.display())), shown);
    }
    let name = newest.file_name().expect("a name").to_string_lossy();
    let subjects = [Some(About::Paper), Some(About::Elbow), None];
    let counted =
        subjects.map(|about| (about, counts(&rows, about))).into_iter().filter(|(_, counts)| !counts.is_empty());
    let subject = |about: Option<About>| about.map_or("of older rows, without a subject".to_owned(), |a| a.to_string());
    let counts: Vec<String> = counted.map(|(about, counts)| format!("{}: {counts}", subject(about))).collect();
    let counts = counts.join("; ");
    format!("{table}\nAll claims {counts} ([record {name}](reports/record/{name}/report/report.md)).\n")
}

/// How many claims of a kind have each verdict.
fn counts(rows: &[&Row], about: Option<About>) -> String {
    let count = |verdict| rows.iter().filter(|row| row.claim.about == about && row.verdict == verdict).count();
    let counts = Verdict::ALL.map(|verdict| (count(verdict), verdict));
    let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, verdict)| format!("{n} {verdict}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// A line of the table.
fn line(row: &Row, shown: &Shown) -> String {
    let measured = row.measured.as_ref().unwrap_or_else(|| panic!("{}: nothing was measured", row.claim.id));
    let number = |value, error, unit: &str| match error {
        Some(_) => with_unit(with_error(value, error), unit),
        None => with_unit(exact(value), unit),
    };
    let (what, number) = match shown {
        Shown::Deciding => {
            (measured.quantity.as_str(), number(measured.value, measured.standard_error, &measured.unit))
        }
        Shown::Beside(name) => {
            let detail = row.details.iter().find(|detail| detail.name == *name);
            let detail = detail.unwrap_or_else(|| panic!("{}: no {name}", row.claim.id));
            (*name, number(detail.value, detail.standard_error, &detail.unit))
        }
    };
    let count = format!("{} {}", measured.n, counted(measured.n, &measured.n_unit));
    // A bar would end the cell.
    let escaped = |text: &str| text.replace('|', "\\|");
    format!("| {} | {}: {number} ({count}) | {} |\n", escaped(&row.claim.title), escaped(what), row.verdict)
}

#[test]
fn a_line_holds_what_the_row_says() {
    let row = r#"{"schema": 1, "verdict": "consistent", "reason": null, "figures": [], "seconds": 0.1, "key": "5eed",
        "details": [{"name": "beside", "value": 2.5, "standard_error": null, "unit": "1"}],
        "claim": {"id": "a", "title": "A |b|", "suite": "theory", "tier": "exact", "source": "", "statement": "",
            "expected": "", "why": "", "analysis": "", "command": ""},
        "measured": {"quantity": "q", "value": -2.2823, "standard_error": 0.1877, "n": 1, "n_unit": "trainings",
            "unit": "bits/dim", "interval": null},
        "provenance": {"version": "0.1.0", "git_revision": "", "git_dirty": false, "program_hash": "", "seed": 0,
            "device": "cpu", "threads": 2, "claim_hash": "", "inputs": [], "finished": "2026-11-23T02:49:50Z"}}"#;
    let row: Row = serde_json::from_str(row).expect("a row");
    assert_eq!(line(&row, &Shown::Deciding), "| A \\|b\\| | q: -2.28 ± 0.19 bits/dim (1 training) | consistent |\n");
    let of_papers = Row { claim: Claim { about: Some(About::Paper), ..row.claim.clone() }, ..row.clone() };
    assert_eq!(counts(&[&row, &of_papers], Some(About::Paper)), "1 consistent");
    assert_eq!(line(&row, &Shown::Beside("beside")), "| A \\|b\\| | beside: 2.5 (1 training) | consistent |\n");
}
