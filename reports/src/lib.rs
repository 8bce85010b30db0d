//! Result rows, and the reports that are rendered from them: plots, HTML, Markdown and JUnit XML.
//!
//! A report is a pure function of its rows: the same rows give the same bytes. [`record`] has the layout of a row and reads row
//! files, [`render`] writes a report, and [`mod@format`] writes single numbers as a report does.

#![warn(missing_docs)]

mod changes;
mod csv_file;
mod documents;
mod error;
#[cfg(test)]
mod example_rows;
mod figure;
pub mod format;
mod image_grid;
mod junit;
mod markdown;
mod markers;
mod models;
mod page;
mod palette;
mod plot;
pub mod record;
mod renderer;
mod report;
mod row_file;
mod scale;
mod series;
mod speedups;
mod statements;
#[cfg(test)]
mod tests;
mod text;
mod undecided;

use std::fs;
use std::path::{Path, PathBuf};

pub use crate::error::Error;
use crate::record::Row;
use crate::report::Report;

/// The files of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The page, which needs no other file.
    pub html: PathBuf,
    /// The table of verdicts.
    pub markdown: PathBuf,
    /// The claims as test cases, for continuous integration.
    pub junit: PathBuf,
    /// PNG files, in the order of the report.
    pub figures: Vec<PathBuf>,
}

/// Renders the newest row of each claim into `dir`: `index.html`, `report.md`, `junit.xml` and `figures/<id>.png`.
///
/// The same rows give the same bytes. Each file is replaced as a whole or not at all, and none is written where a figure cannot be
/// drawn.
///
/// ```
/// use elbow_reports::record::{Row, Verdict};
///
/// let line = r#"{"schema": 1, "verdict": "verified", "reason": null, "details": [], "figures": [], "seconds": 0.1, "key": "5eed",
///     "claim": {"id": "theorem-1", "title": "Theorem 1", "suite": "theory", "tier": "exact", "source": "section 3",
///         "statement": "The gap is a KL divergence.", "expected": "= 0 within 1e-12", "why": "rounding", "analysis": "",
///         "command": "elbow eval theorem-1"},
///     "measured": {"quantity": "largest difference", "value": 3.1e-16, "standard_error": null, "n": 12, "n_unit": "toys",
///         "unit": "nats", "interval": null},
///     "provenance": {"version": "0.1.0", "git_revision": "3f2a91c", "git_dirty": false, "program_hash": "", "seed": 0,
///         "device": "cpu", "threads": 2, "claim_hash": "", "inputs": [], "finished": "2026-01-02T03:04:05Z"}}"#;
/// let row: Row = serde_json::from_str(line)?;
/// assert_eq!(row.verdict, Verdict::Verified);
///
/// let folder = tempfile::tempdir()?;
/// let report = elbow_reports::render(&[row], folder.path())?;
/// assert!(std::fs::read_to_string(report.html)?.contains("Theorem 1"));
/// assert!(std::fs::read_to_string(report.markdown)?.contains("| 3.1e-16 nats (n = 12 toys) | verified |"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Figure`] and [`Error::SharedFigure`] name the claim whose row cannot be drawn, [`Error::Io`] the file that cannot be
/// written.
pub fn render(rows: &[Row], dir: &Path) -> Result<Rendered, Error> {
    render_against(rows, None, dir)
}

/// As [`render`], with what has changed since the rows of an earlier run.
///
/// # Errors
///
/// As [`render`].
pub fn render_against(rows: &[Row], earlier: Option<&[Row]>, dir: &Path) -> Result<Rendered, Error> {
    let report = Report::new(rows)?;
    let changes = earlier.map(|earlier| changes::between(earlier, rows));
    let folder = dir.join("figures");
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let mut figures = Vec::new();
    for figure in report.entries().flat_map(|entry| &entry.figures) {
        if let Some(png) = &figure.png {
            figures.push(write(folder.join(format!("{}.png", figure.id)), png)?);
        }
    }
    Ok(Rendered {
        html: write(dir.join("index.html"), page::render(&report, changes.as_ref()).map_err(Error::Page)?.as_bytes())?,
        markdown: write(dir.join("report.md"), markdown::render(&report, changes.as_ref()).as_bytes())?,
        junit: write(dir.join("junit.xml"), junit::render(&report).map_err(Error::Junit)?.as_bytes())?,
        figures,
    })
}

/// The PNG file of one figure: its plots and images side by side.
///
/// # Errors
///
/// [`Error::Figure`] where it cannot be drawn, or has tables alone.
pub fn png(figure: &record::Figure) -> Result<Vec<u8>, Error> {
    let drawn = figure::draw(figure).and_then(|drawn| drawn.png.ok_or_else(|| "no picture".to_owned()));
    drawn.map_err(|problem| Error::Figure { claim: figure.id.clone(), problem })
}

/// Replaces a file at once: a reader sees the old bytes or the new ones.
fn write(path: PathBuf, bytes: &[u8]) -> Result<PathBuf, Error> {
    elbow_base::atomic_file::write(&path, bytes)?;
    Ok(path)
}
