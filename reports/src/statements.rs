//! What was found: the main statements of the papers, each with a sentence put together from the rows.
//!
//! `statements.toml` says which claims a statement rests on, and how their clauses read. Verdicts and numbers come from the
//! rows alone; a claim that is not among them was not run.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::figure::DrawnFigure;
use crate::format;
use crate::record::Verdict;
use crate::report::{Entry, Report};

static STATEMENTS: LazyLock<Vec<Statement>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("statements.toml")).expect("the bundled statements are valid");
    file.statement
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    statement: Vec<Statement>,
}

/// A statement of a paper, with the claims that it rests on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    title: String,
    source: String,
    /// The claims with clauses of their own, the most important first.
    part: Vec<Part>,
    /// Ids of further claims, which are counted.
    also: Vec<String>,
    /// Ids of figures.
    figures: Vec<String>,
}

/// A clause of a statement's sentence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The claim's id.
    claim: String,
    /// What the claim says, as a clause after "that" or "whether".
    that: String,
    /// The name of the claim's number.
    number: String,
    /// Whether the statement's verdict depends on the claim.
    #[serde(default = "yes")]
    decides: bool,
}

fn yes() -> bool {
    true
}

/// A statement as the rows have it.
pub struct Finding<'a> {
    pub title: &'a str,
    pub source: &'a str,
    /// The worst verdict of the claims that decide; not run where a row of one is missing.
    pub verdict: Verdict,
    /// One sentence.
    pub sentence: String,
    /// The claims that have rows.
    pub claims: Vec<&'a Entry<'a>>,
    /// Ids of the claims without rows.
    pub absent: Vec<&'a str>,
    pub figures: Vec<&'a DrawnFigure>,
}

/// All statements, where the rows have a claim of any; none for rows of other claims alone. Statements without a row come last.
pub fn findings<'a>(report: &'a Report) -> Vec<Finding<'a>> {
    let mut all: Vec<Finding> = STATEMENTS.iter().map(|statement| finding(statement, report)).collect();
    all.sort_by_key(|finding| finding.claims.is_empty());
    if all.iter().all(|finding| finding.claims.is_empty()) { Vec::new() } else { all }
}

fn finding<'a>(statement: &'a Statement, report: &'a Report) -> Finding<'a> {
    let ids = || statement.part.iter().map(|part| &part.claim).chain(&statement.also);
    let verdict = |id: &str| report.find(id).map_or(Verdict::NotRun, |entry| entry.row.verdict);
    let decisive = statement.part.iter().filter(|part| part.decides);
    let worst = decisive.map(|part| verdict(&part.claim)).min_by_key(|verdict| severity(*verdict));
    Finding {
        title: &statement.title,
        source: &statement.source,
        verdict: worst.unwrap_or(Verdict::NotRun),
        sentence: sentence(statement, report),
        claims: ids().filter_map(|id| report.find(id)).collect(),
        absent: ids().filter(|id| report.find(id).is_none()).map(String::as_str).collect(),
        figures: statement.figures.iter().filter_map(|id| report.figure(id)).collect(),
    }
}

/// The place of a verdict from the worst to the best.
fn severity(verdict: Verdict) -> usize {
    let order =
        [Verdict::Refuted, Verdict::Error, Verdict::Blocked, Verdict::NotRun, Verdict::Consistent, Verdict::Verified];
    order.iter().position(|one| *one == verdict).unwrap_or(0)
}

/// `Verified that A (number) and that B (number), also for 3 of 4 other cases; undecided whether C (number); not run: whether D.`
fn sentence(statement: &Statement, report: &Report) -> String {
    let group = |verdicts: &[Verdict]| -> Vec<&Part> {
        let of = |part: &&Part| report.find(&part.claim).map_or(Verdict::NotRun, |entry| entry.row.verdict);
        statement.part.iter().filter(|part| verdicts.contains(&of(part))).collect()
    };
    let clauses = |parts: Vec<&Part>, word: &str| {
        listed(&parts.iter().map(|part| clause(part, report, word)).collect::<Vec<_>>())
    };
    let mut groups = Vec::new();
    for (lead, word, verdicts) in [
        ("verified", "that", &[Verdict::Verified][..]),
        ("refuted", "that", &[Verdict::Refuted][..]),
        ("undecided", "whether", &[Verdict::Consistent][..]),
        ("not checked:", "whether", &[Verdict::Blocked, Verdict::Error][..]),
        ("not run:", "whether", &[Verdict::NotRun][..]),
    ] {
        let parts = group(verdicts);
        if !parts.is_empty() {
            groups.push(format!("{lead} {}", clauses(parts, word)));
        }
    }
    let others: Vec<Verdict> = statement.also.iter().filter_map(|id| report.find(id)).map(|e| e.row.verdict).collect();
    if !others.is_empty() {
        let held = others.iter().filter(|verdict| **verdict == Verdict::Verified).count();
        let claims = format::counted(others.len() as u64, "claims");
        groups.push(match others.len() {
            1 => format!("1 further {claim} of this statement is {verdict}", claim = claims, verdict = others[0]),
            2 if held == 2 => "both further claims of this statement are verified".to_owned(),
            all if all == held => format!("all {all} further claims of this statement are verified"),
            all => format!("{held} of {all} further claims of this statement are verified"),
        });
    }
    format::capitalised(&groups.join("; ")) + "."
}

/// `that the gap is a KL divergence (largest difference 1.8e-15 nats)`.
fn clause(part: &Part, report: &Report, word: &str) -> String {
    let measured = report.find(&part.claim).and_then(|entry| entry.row.measured.as_ref());
    match measured {
        Some(measured) => format!("{word} {} ({} {})", part.that, part.number, format::measured(measured)),
        None => format!("{word} {}", part.that),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Row;

    fn row(id: &str, verdict: Verdict) -> Row {
        let mut row = example_rows::row(id, verdict);
        row.figures.clear();
        if verdict == Verdict::NotRun {
            row.measured = None;
        }
        row
    }

    fn masked(rows: &[Row]) -> (Verdict, String) {
        let report = Report::new(rows).expect("valid rows");
        let all = findings(&report);
        let found = all.iter().find(|found| found.title.starts_with("Weightings of masked")).expect("a statement");
        (found.verdict, found.sentence.clone())
    }

    #[test]
    fn a_sentence_says_what_the_rows_say() {
        let rows = [row("masked-distance", Verdict::Verified), row("masked-nelbo", Verdict::Consistent)];
        let (verdict, sentence) = masked(&rows);
        assert_eq!(verdict, Verdict::Verified);
        let (first, rest) = sentence.split_once("; ").expect("two groups");
        let number = "(difference of Frechet distances 1.3052 ± 0.0012 nats)";
        assert_eq!(first, format!("Verified that simple and fm make samples nearer to the data than elbo {number}"));
        assert!(rest.starts_with("undecided whether elbo with even numbers of masks"), "{rest}");
        assert!(rest.contains("; not run: whether a part of elbo's disadvantage"), "{rest}");
        // Witness: another verdict gives another sentence and another verdict of the statement.
        let (verdict, sentence) = masked(&[row("masked-distance", Verdict::Refuted)]);
        assert_eq!(verdict, Verdict::Refuted);
        assert!(sentence.starts_with("Refuted that simple and fm make samples nearer"), "{sentence}");
    }

    #[test]
    fn what_has_no_row_was_not_run() {
        let (verdict, sentence) = masked(&[row("theorem-1", Verdict::Verified)]);
        assert_eq!(verdict, Verdict::NotRun);
        assert!(sentence.starts_with("Not run: whether simple and fm make samples nearer"), "{sentence}");
    }

    #[test]
    fn further_claims_are_counted() {
        let rows = [row("theorem-1", Verdict::Verified), row("uniform-theorem-1", Verdict::Verified)]
            .into_iter()
            .chain([row("gap-profile", Verdict::Refuted)])
            .collect::<Vec<_>>();
        let report = Report::new(&rows).expect("valid rows");
        let found = &findings(&report)[0];
        assert!(
            found.sentence.ends_with("; 1 of 2 further claims of this statement are verified."),
            "{}",
            found.sentence
        );
        assert_eq!(found.claims.len(), 3);
        assert!(found.absent.contains(&"kl-bound"));
    }

    #[test]
    fn rows_of_other_claims_have_no_statements() {
        let rows = [row("a-claim-of-my-own", Verdict::Verified)];
        assert!(findings(&Report::new(&rows).expect("valid rows")).is_empty());
    }
}
