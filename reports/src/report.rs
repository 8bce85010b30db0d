//! What a report shows, in its order: the newest row of each claim, by suite, with its figures.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use crate::figure::{self, Drawn};
use crate::ratios;
use crate::record::{self, Row, Verdict};

/// Suites with their titles, in the order of a report. Suites that are not named here come last.
const SUITES: [(&str, &str); 7] = [
    ("theory", "Theory"),
    ("weighting", "Weighting"),
    ("likelihood", "Likelihood"),
    ("sampling", "Sampling"),
    ("fid", "FID"),
    ("text", "Text"),
    ("speed", "Speed"),
];

/// All verdicts, in the order of a summary.
const VERDICTS: [Verdict; 6] =
    [Verdict::Verified, Verdict::Consistent, Verdict::Refuted, Verdict::Error, Verdict::Blocked, Verdict::NotRun];

/// The contents of a report.
pub struct Report<'a> {
    pub suites: Vec<Suite<'a>>,
}

/// The claims of one suite.
pub struct Suite<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub entries: Vec<Entry<'a>>,
}

/// One claim with its drawn figures.
pub struct Entry<'a> {
    pub row: &'a Row,
    pub figures: Vec<Drawn>,
}

impl<'a> Report<'a> {
    /// Orders the newest rows and draws their figures.
    pub fn new(rows: &'a [Row]) -> Result<Report<'a>> {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        let mut suites: BTreeMap<(usize, &str), Suite> = BTreeMap::new();
        for row in record::latest(rows) {
            let claim = &row.claim;
            let mut figures = Vec::new();
            for figure in &row.figures {
                if let Some(owner) = owners.insert(&figure.id, &claim.id) {
                    bail!("claims {owner} and {} both have a figure {}", claim.id, figure.id);
                }
                figures.push(figure::draw(figure).with_context(|| format!("claim {}", claim.id))?);
            }
            let place = SUITES.iter().position(|(name, _)| *name == claim.suite);
            let (place, title) = match place {
                Some(place) => (place, SUITES[place].1),
                None => (SUITES.len(), claim.suite.as_str()),
            };
            suites
                .entry((place, &claim.suite))
                .or_insert_with(|| Suite { name: &claim.suite, title, entries: Vec::new() })
                .entries
                .push(Entry { row, figures });
        }
        for ((_, name), suite) in &mut suites {
            if let Some(overview) = ratios::overview(name, suite.entries.iter().map(|entry| entry.row)) {
                suite.entries[0].figures.insert(0, figure::draw(&overview)?);
            }
        }
        Ok(Report { suites: suites.into_values().collect() })
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> {
        let entries = self.suites.iter().flat_map(|suite| &suite.entries);
        entries.map(|entry| entry.row)
    }

    /// How many claims have each verdict that occurs.
    pub fn counts(&self) -> Vec<(Verdict, usize)> {
        VERDICTS
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

/// The start of the revision, with a note where the working tree differed from it.
pub fn revision(provenance: &record::Provenance) -> String {
    let short: String = provenance.git_revision.chars().take(12).collect();
    match provenance.git_dirty {
        true => format!("{short} (dirty)"),
        false => short,
    }
}

/// Why a row stands as it does, in one line: its reason, or what was measured against what was expected.
pub fn reason(row: &Row) -> String {
    match (&row.reason, &row.measured) {
        (Some(reason), _) => reason.clone(),
        (None, Some(measured)) => {
            format!("measured {}, expected {}", crate::format::measured(measured), row.claim.expected)
        }
        (None, None) => "nothing was measured".into(),
    }
}
