//! Result rows and everything that is rendered from them. Reads recorded rows only.

mod axis;
mod figure;
pub mod format;
mod html;
mod images;
mod junit;
mod markdown;
mod marks;
mod palette;
mod pen;
mod plot;
mod ratios;
pub mod record;
mod report;
#[cfg(test)]
mod sample;
mod series;
#[cfg(test)]
mod tests;
mod text;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::record::Row;
use crate::report::Report;

/// The files of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub html: PathBuf,
    pub markdown: PathBuf,
    pub junit: PathBuf,
    /// In the order of the report.
    pub figures: Vec<PathBuf>,
}

/// Renders the newest row of each claim into `dir`: `index.html`, `report.md`, `junit.xml` and
/// `figures/<id>.png`.
///
/// The same rows give the same bytes. Each file is replaced as a whole or not at all.
pub fn render(rows: &[Row], dir: &Path) -> Result<Rendered> {
    let report = Report::new(rows)?;
    let folder = dir.join("figures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let entries = report.suites.iter().flat_map(|suite| &suite.entries);
    let mut figures = Vec::new();
    for figure in entries.flat_map(|entry| &entry.figures) {
        if let Some(png) = &figure.png {
            figures.push(write(&folder.join(format!("{}.png", figure.id)), png)?);
        }
    }
    Ok(Rendered {
        html: write(&dir.join("index.html"), html::render(&report)?.as_bytes())?,
        markdown: write(&dir.join("report.md"), markdown::render(&report).as_bytes())?,
        junit: write(&dir.join("junit.xml"), junit::render(&report)?.as_bytes())?,
        figures,
    })
}

/// Replaces a file at once: a reader sees the old bytes or the new ones.
fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let folder = path.parent().context("a file lies in a folder")?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; a report is for everyone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let write = || -> Result<()> {
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_path_buf())
}
