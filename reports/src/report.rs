//! The contents of a report: the newest row of each claim, by suite, with its figures.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;
use crate::figure::{self, DrawnFigure};
use crate::record::{self, About, Row, SUITES, Verdict};
use crate::speedups;

/// Verdicts that occur, with their numbers.
pub type Counts = Vec<(Verdict, usize)>;

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
    /// The place of the claim on the page: its id, and its suite's name too where two suites have a claim of this id.
    pub anchor: String,
    pub figures: Vec<DrawnFigure>,
}

impl Entry<'_> {
    /// Whether the claim is an identity: its check has no randomness.
    pub fn is_identity(&self) -> bool {
        self.row.claim.tier == "exact"
    }
}

impl Suite<'_> {
    /// How many claims have each verdict that occurs.
    pub fn counts(&self) -> Counts {
        count(self.entries.iter().map(|entry| entry.row))
    }

    /// Whether most of the claims are identities.
    fn is_of_identities(&self) -> bool {
        2 * self.entries.iter().filter(|entry| entry.is_identity()).count() > self.entries.len()
    }
}

impl<'a> Report<'a> {
    /// Orders the newest rows and draws their figures: suites in the order of [`SUITES`], then those that it does not name,
    /// then those that are mostly identities; within a suite identities last.
    pub fn new(rows: &'a [Row]) -> Result<Report<'a>, Error> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut suites: BTreeMap<(usize, &str), Suite> = BTreeMap::new();
        let newest = record::latest(rows);
        for &row in &newest {
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
                .push(Entry { row, anchor: anchor(row, &newest), figures });
        }
        let mut suites: Vec<Suite> = suites.into_values().collect();
        suites.sort_by_key(Suite::is_of_identities);
        for suite in &mut suites {
            suite.entries.sort_by_key(Entry::is_identity);
            if let Some(speedups) = speedups::figure(suite.name, suite.entries.iter().map(|entry| entry.row)) {
                let first = &mut suite.entries[0];
                first.figures.insert(0, draw(&speedups, first.row)?);
            }
        }
        Ok(Report { suites })
    }

    /// The claims in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> + Clone {
        self.suites.iter().flat_map(|suite| &suite.entries)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> + Clone {
        self.entries().map(|entry| entry.row)
    }

    /// How many claims have each verdict that occurs.
    pub fn counts(&self) -> Counts {
        count(self.rows())
    }

    /// The counts of what each claim is about: of papers, of elbow itself, of the user's own; of older rows, which do not say it,
    /// without a name.
    pub fn counts_apart(&self) -> Vec<(Option<About>, Counts)> {
        let subjects = About::ALL.map(Some).into_iter().chain([None]);
        let of = |about| self.rows().filter(move |row| row.claim.about == about);
        subjects.map(|about| (about, count(of(about)))).filter(|(_, counts)| !counts.is_empty()).collect()
    }

    /// The claim of an id, wherever it stands.
    pub fn find(&self, id: &str) -> Option<&Entry<'a>> {
        self.entries().find(|entry| entry.row.claim.id == id)
    }

    /// The figure of an id.
    pub fn figure(&self, id: &str) -> Option<&DrawnFigure> {
        self.entries().flat_map(|entry| &entry.figures).find(|figure| figure.id == id)
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

/// How many rows have each verdict that occurs.
fn count<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Counts {
    let of = |verdict| rows.clone().filter(|row| row.verdict == verdict).count();
    Verdict::ALL.into_iter().map(|verdict| (verdict, of(verdict))).filter(|(_, count)| *count > 0).collect()
}

fn anchor(row: &Row, all: &[&Row]) -> String {
    let (id, suite) = (&row.claim.id, &row.claim.suite);
    let shared = all.iter().any(|other| other.claim.id == *id && other.claim.suite != *suite);
    if shared { format!("{suite}.{id}") } else { id.clone() }
}

fn draw(figure: &record::Figure, row: &Row) -> Result<DrawnFigure, Error> {
    figure::draw(figure).map_err(|problem| Error::Figure { claim: row.claim.id.clone(), problem })
}

/// The heading of a suite. A suite of the user's own is a folder's name, and stays as it is.
fn title(suite: &str) -> String {
    match suite {
        "fid" => "FID".to_owned(),
        known if SUITES.contains(&known) => crate::format::capitalised(known),
        own => own.to_owned(),
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
