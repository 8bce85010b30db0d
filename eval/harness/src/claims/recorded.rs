//! Rows of earlier runs, as far as they count: as they were written, and with the verdict that their numbers have.

use std::path::Path;

use elbow_reports::record::{Row, Verdict, read_rows};

use super::catalogue::Catalogue;
use super::judge::judge_number;

/// The rows of a file.
pub struct Recorded {
    /// Those that count, oldest first.
    pub rows: Vec<Row>,
    /// The newest of a claim that do not count, and why; one line each.
    pub dropped: Vec<String>,
}

/// Reads a row file, and drops each row that was edited or whose verdict is not that of its numbers.
///
/// Rows of older versions have no checksum, and count as far as their verdicts can be judged again.
pub fn recorded(path: &Path, catalogue: &Catalogue) -> Result<Recorded, elbow_reports::Error> {
    let mut found = Recorded { rows: Vec::new(), dropped: Vec::new() };
    let mut faults: Vec<(String, String)> = Vec::new();
    for (index, row) in read_rows(path)?.into_iter().enumerate() {
        match fault(&row, catalogue) {
            Some(why) => faults.push((format!("row {}, {}: {why}", index + 1, row.claim.id), row.claim.id)),
            None => {
                let row = with_subject(row, catalogue);
                // What has been made again since is no news.
                faults.retain(|(_, id)| *id != row.claim.id);
                found.rows.push(row);
            }
        }
    }
    found.dropped = faults.into_iter().map(|(line, _)| line).collect();
    Ok(found)
}

/// The row with what its claim is about, which older rows do not say.
fn with_subject(mut row: Row, catalogue: &Catalogue) -> Row {
    let known = catalogue.iter().find(|claim| claim.id == row.claim.id);
    let Some(claim) = known.filter(|_| row.claim.about.is_none()) else { return row };
    row.claim.about = Some(claim.about);
    if row.checksum.is_some() { row.sealed() } else { row }
}

/// Why a row does not count.
fn fault(row: &Row, catalogue: &Catalogue) -> Option<String> {
    if row.is_intact() == Some(false) {
        return Some("it was edited after it was written".into());
    }
    if !matches!(row.verdict, Verdict::Verified | Verdict::Consistent | Verdict::Refuted) {
        return None;
    }
    let Some(found) = &row.measured else { return Some(format!("{} without a number", row.verdict)) };
    let is_same = |claim: &&super::Claim| claim.id == row.claim.id && claim.hash == row.provenance.claim_hash;
    let claim = catalogue.iter().find(is_same)?;
    let rivals = match (found.rivals, found.standard_error) {
        (Some(rivals), _) => rivals,
        (None, None) => 1,
        // An older row does not say among how many numbers a statistical one was chosen.
        (None, Some(_)) => return None,
    };
    let confidence = found.interval.as_ref().map_or(catalogue.confidence(claim), |interval| interval.confidence);
    let verdict = judge_number(found, rivals, &claim.expect, confidence).0;
    (verdict != row.verdict).then(|| format!("{} is written where its number is {verdict}", row.verdict))
}
