//! The row file, `results.jsonl`: one JSON document per line, append-only.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::Error;
use crate::record::{Row, SCHEMA};

/// Reads a row file, oldest row first.
///
/// A torn last line is dropped: the program was killed while it wrote.
///
/// # Errors
///
/// [`Error::Row`] names any other line that is no row, is of another schema, or has no version.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, Error> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    // The tear may go through a character.
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let text = std::str::from_utf8(&bytes[..whole]).map_err(io::Error::other).map_err(Error::io("read", path))?;
    let lines: Vec<&str> = text.lines().collect();
    let mut rows = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let problem = match serde_json::from_str::<Row>(line) {
            Ok(row) if row.schema != SCHEMA => format!("row schema {} where this program reads {SCHEMA}", row.schema),
            Ok(row) if row.provenance.version.is_empty() => "a row without a version".to_owned(),
            Ok(row) => {
                rows.push(row);
                continue;
            }
            Err(_) if index + 1 == lines.len() && !text.ends_with('\n') => break,
            Err(error) => error.to_string(),
        };
        return Err(Error::Row { path: path.to_owned(), line: index + 1, problem });
    }
    Ok(rows)
}

/// The newest row of each claim, sorted by suite and id.
pub fn latest(rows: &[Row]) -> Vec<&Row> {
    let newest: BTreeMap<_, _> = rows.iter().map(|row| ((&row.claim.suite, &row.claim.id), row)).collect();
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_rows;
    use crate::record::Verdict;

    /// Writes text as a row file and reads it.
    fn read(text: &str) -> Result<Vec<Row>, Error> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("results.jsonl");
        std::fs::write(&path, text).expect("writable");
        read_rows(&path)
    }

    /// A row file of one changed row.
    fn line(change: impl Fn(&mut Row)) -> String {
        let mut row = example_rows::row("a", Verdict::Verified);
        change(&mut row);
        format!("{}\n", serde_json::to_string(&row).expect("finite numbers"))
    }

    #[test]
    fn a_torn_last_line_is_dropped() {
        let rows = [example_rows::row("a", Verdict::Verified), example_rows::row("b", Verdict::Blocked)];
        let [first, second] = rows.clone().map(|row| serde_json::to_string(&row).expect("finite numbers"));
        let whole = format!("{first}\n{second}\n");
        assert_eq!(read(&whole).expect("two rows"), rows);
        assert_eq!(read(&whole[..whole.len() - 1]).expect("the line end alone is torn"), rows);
        assert_eq!(read(&whole[..whole.len() - 9]).expect("one row"), rows[..1]);
    }

    #[test]
    fn any_other_bad_line_is_named() {
        let good = line(|_| ());
        for (text, bad) in [(format!("{}\n{good}", &good[..40]), 1), (format!("{good}{{}}\n"), 2)] {
            let error = read(&text).expect_err("a bad line");
            assert!(matches!(error, Error::Row { line, .. } if line == bad), "{error}");
        }
    }

    #[test]
    fn another_schema_is_refused() {
        let newer = read(&line(|row| row.schema += 1)).expect_err("a newer schema");
        assert!(newer.to_string().ends_with("line 1: row schema 2 where this program reads 1"), "{newer}");
    }

    #[test]
    fn a_row_without_a_version_is_refused() {
        let nameless = read(&line(|row| row.provenance.version.clear())).expect_err("no version");
        assert!(nameless.to_string().ends_with("a row without a version"), "{nameless}");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let unknown = line(|_| ()).replace("\"seconds\":", "\"surprise\":1,\"seconds\":");
        assert!(read(&unknown).expect_err("an unknown field").to_string().contains("surprise"));
    }

    #[test]
    fn an_absent_file_is_named() {
        let error = read_rows(Path::new("no/such/rows.jsonl")).expect_err("no file");
        assert!(error.to_string().starts_with("cannot read no/such/rows.jsonl: "), "{error}");
    }

    #[test]
    fn the_newest_row_of_each_claim_counts() {
        let rows = [("b", Verdict::Error), ("a", Verdict::Refuted), ("b", Verdict::Verified)]
            .map(|(id, verdict)| example_rows::row(id, verdict));
        assert_eq!(latest(&rows), [&rows[1], &rows[2]]);
    }
}
