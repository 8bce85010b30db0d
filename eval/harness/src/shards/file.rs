//! The file of a shard: a header, one line per unit as soon as it is done, and a last line that closes it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file, hash::sha256};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::header::{FORMAT, Header};

/// A unit: the numbers that come of one piece of the work.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<T> {
    stream: String,
    unit: usize,
    value: T,
}

/// The last line of a finished file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    units: usize,
    /// SHA-256 of all lines before.
    sha256: String,
}

/// The lines of units, by stream and number.
pub(super) type Units = BTreeMap<(String, usize), String>;

/// A finished shard.
pub(super) struct Shard {
    pub path: PathBuf,
    pub header: Header,
    pub units: Units,
}

impl Shard {
    /// Reads a finished file. Refuses one that is torn or was edited.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::reading(path))?;
        let wrong = |what: &str| {
            let advice = "name files that `elbow ... --shard m/n` has finished, and make this one again";
            Error::input(format!("{}: {what}", path.display()), advice)
        };
        let (header, units) = lines(&text).ok_or_else(|| wrong("no shard of elbow, or one of another version"))?;
        let body = text.trim_end().rfind('\n').map_or("", |at| &text[..=at]);
        let end: End = serde_json::from_str(&text[body.len()..]).map_err(|_| wrong("its end is missing"))?;
        if end.sha256 != sha256(body.as_bytes()) || end.units != units.len() {
            return Err(wrong("it was changed after it was written"));
        }
        Ok(Self { path: path.to_owned(), header, units })
    }
}

/// The header and the units of a text, as far as its lines are whole.
fn lines(text: &str) -> Option<(Header, Units)> {
    let mut lines = text.split_inclusive('\n');
    let header: Header = serde_json::from_str(lines.next()?).ok()?;
    let unit = |line: &str| {
        let key = serde_json::from_str::<Line<IgnoredAny>>(line).ok()?;
        line.ends_with('\n').then(|| ((key.stream, key.unit), line.to_owned()))
    };
    (header.elbow_shard == FORMAT).then(|| (header, lines.map_while(unit).collect()))
}

/// The value of a unit's line.
pub(super) fn value<T: DeserializeOwned>(line: &str) -> Option<T> {
    serde_json::from_str::<Line<T>>(line).ok().map(|line| line.value)
}

/// A file that is being written: it has another name until it is finished.
pub(super) struct Writer {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
    /// The units so far, those of an earlier call included.
    pub units: Units,
}

impl Writer {
    /// Begins a file, or goes on with what an earlier call of the same command has left. The number of units that it had done.
    pub fn begin(path: &Path, header: &Header) -> Result<(Self, usize), Error> {
        let unfinished = path.with_extension("unfinished.jsonl");
        atomic_file::check_ordinary(path)?;
        atomic_file::check_ordinary(&unfinished)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
        let opened = OpenOptions::new().create(true).append(true).open(&unfinished);
        let mut file = opened.map_err(Error::writing(&unfinished))?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            let what = format!("{}: another process is writing this shard", path.display());
            return Err(Error::input(what, "wait until it ends"));
        }
        let known = [&unfinished, path].into_iter().filter_map(|file| lines(&std::fs::read_to_string(file).ok()?));
        let same = known.filter(|(known, _)| known.check_same(header, ["", ""]).is_ok());
        let units = same.map(|(_, units)| units).max_by_key(Units::len).unwrap_or_default();
        let first = serde_json::to_string(header).map_err(|e| Error::internal(e.to_string()))?;
        let text = std::iter::once(first + "\n").chain(units.values().cloned()).collect::<String>();
        // Lines that are torn, or of other settings, go.
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(Error::writing(&unfinished))?;
        let done = units.len();
        Ok((Self { file, unfinished, path: path.to_owned(), units }, done))
    }

    /// Adds a unit.
    pub fn add(&mut self, stream: &str, unit: usize, value: &impl Serialize) -> Result<(), Error> {
        let line = Line { stream: stream.to_owned(), unit, value };
        let line = serde_json::to_string(&line).map_err(|e| Error::internal(e.to_string()))? + "\n";
        self.file.write_all(line.as_bytes()).map_err(Error::writing(&self.unfinished))?;
        self.units.insert((stream.to_owned(), unit), line);
        Ok(())
    }

    /// Closes the file and gives it its name.
    pub fn finish(self) -> Result<(), Error> {
        let body = std::fs::read(&self.unfinished).map_err(Error::reading(&self.unfinished))?;
        let end = End { units: self.units.len(), sha256: sha256(&body) };
        let end = serde_json::to_string(&end).map_err(|e| Error::internal(e.to_string()))? + "\n";
        let mut file = &self.file;
        let written = file.write_all(end.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| std::fs::rename(&self.unfinished, &self.path)).map_err(Error::writing(&self.path))
    }
}
