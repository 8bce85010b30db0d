//! The file of rows: append-only, one line per finished claim.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file};
use elbow_reports::record::Row;

/// `results.jsonl`, append-only.
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
}

impl Ledger {
    /// Opens the file, first removing a torn last line: the next row must start on a line of its own.
    pub fn open(path: &Path) -> Result<Self, Error> {
        atomic_file::check_ordinary(path)?;
        if let Ok(text) = std::fs::read(path)
            && text.last().is_some_and(|&byte| byte != b'\n')
        {
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let file = OpenOptions::new().write(true).open(path).map_err(Error::writing(path))?;
            file.set_len(whole as u64).map_err(Error::writing(path))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::writing(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a row.
    pub fn append(&mut self, row: &Row) -> Result<(), Error> {
        let mut line = serde_json::to_string(row).map_err(|e| Error::internal(e.to_string()))?;
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(Error::writing(&self.path))
    }
}
