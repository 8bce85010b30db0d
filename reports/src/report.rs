//! The contents of a report: the newest row of each claim, by suite, with its figures.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::figure::{self, DrawnFigure};
use crate::record::{self, Row, SUITES, Verdict};
use crate::speedups;

/// The contents of a report.
pub struct Report<'a> {
    pub suites: Vec<Suite<'a>>,
}

/// The claims of one suite.
pub struct Suite<'a> {
    pub name: &'a str,
    pub title: String,
    pub entries: Vec<Entry<'a>>,
}

/// One claim with its drawn figures.
pub struct Entry<'a> {
    pub row: &'a Row,
    pub figures: Vec<DrawnFigure>,
}

impl<'a> Report<'a> {
    /// Orders the newest rows and draws their figures. Suites that [`SUITES`] does not name come last.
    pub fn new(rows: &'a [Row]) -> Result<Report<'a>, Error> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut suites: BTreeMap<(usize, &str), Suite> = BTreeMap::new();
        for row in record::latest(rows) {
            let claim = &row.claim;
            let mut figures = Vec::new();
            for figure in &row.figures {
                if let Some(owner) = owners.insert(&figure.id, &claim.id) {
                    let (first, second) = (owner.to_owned(), claim.id.clone());
                    return Err(Error::SharedFigure { figure: figure.id.clone(), first, second });
                }
                figures.push(draw(figure, row)?);
            }
            let place = SUITES.iter().position(|name| *name == claim.suite).unwrap_or(SUITES.len());
            suites
                .entry((place, &claim.suite))
                .or_insert_with(|| Suite { name: &claim.suite, title: title(&claim.suite), entries: Vec::new() })
                .entries
                .push(Entry { row, figures });
        }
        for suite in suites.values_mut() {
            if let Some(speedups) = speedups::figure(suite.name, suite.entries.iter().map(|entry| entry.row)) {
                let first = &mut suite.entries[0];
                first.figures.insert(0, draw(&speedups, first.row)?);
            }
        }
        Ok(Report { suites: suites.into_values().collect() })
    }

    /// The claims in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.suites.iter().flat_map(|suite| &suite.entries)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> {
        self.entries().map(|entry| entry.row)
    }

    /// How many claims have each verdict that occurs.
    pub fn counts(&self) -> Vec<(Verdict, usize)> {
        Verdict::ALL
            .into_iter()
            .map(|verdict| (verdict, self.rows().filter(|row| row.verdict == verdict).count()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The programs that made the rows: `0.1.0, revision 3f2a91c (dirty)`.
    pub fn programs(&self) -> Vec<String> {
        let programs: BTreeSet<String> = self
            .rows()
            .map(|row| &row.provenance)
            .map(|from| format!("{}, revision {}", from.version, revision(from)))
            .collect();
        programs.into_iter().collect()
    }

    /// `9 claims: 5 verified, 1 consistent (not decided), ...`.
    pub fn summary(&self) -> String {
        let total = self.rows().count();
        let word = |verdict: Verdict| match verdict {
            Verdict::Consistent => "consistent (not decided: the interval holds the claim, and is too wide)".to_owned(),
            other => other.to_string(),
        };
        let counts: Vec<String> =
            self.counts().into_iter().map(|(verdict, count)| format!("{count} {}", word(verdict))).collect();
        match (total, counts.join(", ")) {
            (0, _) => "no claims".into(),
            (1, counts) => format!("1 claim: {counts}"),
            (total, counts) => format!("{total} claims: {counts}"),
        }
    }
}

fn draw(figure: &record::Figure, row: &Row) -> Result<DrawnFigure, Error> {
    figure::draw(figure).map_err(|problem| Error::Figure { claim: row.claim.id.clone(), problem })
}

/// The heading of a suite.
fn title(suite: &str) -> String {
    match suite.split_at_checked(1) {
        Some(_) if suite == "fid" => "FID".to_owned(),
        Some((first, rest)) => first.to_uppercase() + rest,
        None => suite.to_owned(),
    }
}

/// The start of the revision, with a note where the working tree differed from it.
pub fn revision(provenance: &record::Provenance) -> String {
    let short: String = provenance.git_revision.chars().take(12).collect();
    match provenance.git_dirty {
        true => format!("{short} (dirty)"),
        false => short,
    }
}

/// Why a row has its verdict, in one line: its reason, or what was measured and what was expected.
pub fn reason(row: &Row) -> String {
    match (&row.reason, &row.measured) {
        (Some(reason), _) => reason.clone(),
        (None, Some(measured)) => {
            format!("measured {}, expected {}", crate::format::measured(measured), row.claim.expected)
        }
        (None, None) => "nothing was measured".into(),
    }
}
