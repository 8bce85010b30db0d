//! The claims of a user's folder: its TOML files, and those of its sub-folders.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use elbow_base::Error;
use elbow_reports::record::About;

use super::catalogue::{ALL, Catalogue, bundled};
use super::check::own;
use super::claim::Claim;
use super::claim_file::{self, Heading};
use super::place::Place;
use crate::workspace::Workspace;

/// A claim file that was read: the claim, or every mistake in it.
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// Its suite: the name of the folder.
    pub suite: String,
    /// Its id: the name of the file without `.toml`.
    pub id: String,
    /// The kind of check.
    pub kind: Option<&'static str>,
    /// What is wrong with it.
    pub mistakes: Vec<Error>,
    claim: Option<Claim>,
}

/// The claims of a folder. A suite is the name of the folder that a file lies in: the folder itself, or one in it.
///
/// # Errors
///
/// Any mistake in any file; an id that occurs twice, or that a bundled claim has.
pub fn own_claims(folder: &Path) -> Result<Catalogue, Error> {
    if folder.is_file() {
        let fix = "name the folder; `elbow claims validate FILE` checks one file without running it";
        return Err(Error::input(format!("--claims {}: a file", folder.display()), fix));
    }
    let read = read_all(&claim_files(folder)?, folder)?;
    let count: usize = read.iter().map(|file| file.mistakes.len()).sum();
    let mut claims = Vec::new();
    for Checked { mistakes, claim, .. } in read {
        if let Some(mut first) = mistakes.into_iter().next() {
            if count > 1 {
                first.what = format!("{count} mistakes; the first: {}", first.what);
                first.advice = format!("{}; all of them: elbow claims validate {}", first.advice, folder.display());
            }
            return Err(first);
        }
        claims.extend(claim);
    }
    Ok(Catalogue::new(claims))
}

/// Checks claim files, and those of folders, without running them: what the files say, and what they name.
pub fn validate(workspace: &Workspace, places: &[PathBuf]) -> Result<Vec<Checked>, Error> {
    let mut all = Vec::new();
    for place in places {
        let (files, folder) = match place.is_file() {
            true => (vec![place.clone()], place.parent().unwrap_or(Path::new("")).to_owned()),
            false => (claim_files(place)?, place.clone()),
        };
        all.extend(read_all(&files, &folder)?);
    }
    for file in &mut all {
        if let Some(claim) = &file.claim {
            let context = claim.context(workspace, 0.95);
            let name = file.file.display();
            file.mistakes.extend(claim.check.faults(&context).into_iter().map(|fault| fault.of(&name)));
        }
    }
    Ok(all)
}

/// The claim files of a folder and of the folders in it, in the order of their names.
fn claim_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, Error> {
        let entries = std::fs::read_dir(folder).map_err(|e| {
            let missing =
                Error::input(format!("{}: no such folder", folder.display()), "name the folder of your claims");
            if e.kind() == std::io::ErrorKind::NotFound { missing } else { Error::reading(folder)(e) }
        })?;
        let mut paths = entries
            .map(|entry| Ok(entry.map_err(Error::reading(folder))?.path()))
            .collect::<Result<Vec<_>, Error>>()?;
        let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        paths.retain(|path| !is_hidden(path));
        paths.sort();
        Ok(paths)
    };
    let mut files = Vec::new();
    let own = entries(folder)?;
    for inner in own.iter().filter(|path| path.is_dir()) {
        // The folder of a training run holds its settings.
        if !inner.join("checkpoint").is_dir() {
            files.extend(entries(inner)?);
        }
    }
    files.extend(own);
    files.retain(|path| path.extension() == Some(OsStr::new("toml")) && path.is_file() && !is_model_file(path));
    if files.is_empty() {
        let what = format!("{}: no claim files in it, nor in the folders in it", folder.display());
        return Err(Error::input(what, "write one: elbow claims new toy-cascade -o DIR/NAME.toml"));
    }
    Ok(files)
}

/// Whether a TOML file is that of a model, which may lie beside the claims about it.
fn is_model_file(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("model") && !table.contains_key("protocol"))
}

/// Reads claim files, and compares their names with each other and with those of the bundled claims.
fn read_all(files: &[PathBuf], given: &Path) -> Result<Vec<Checked>, Error> {
    let bundled = bundled()?;
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut all = Vec::new();
    for path in files {
        let mut file = read(path, given);
        let mut refuse =
            |what: String, fix: &str| file.mistakes.push(Error::input(format!("{}: {what}", path.display()), fix));
        if let Some(other) = places.insert(file.id.clone(), path.clone()) {
            refuse(format!("{} has the same id", other.display()), "give one of the files another name");
        }
        if file.id == ALL || bundled.iter().any(|claim| claim.id == file.id) {
            refuse(format!("{} is the name of a bundled claim", file.id), "give the file another name");
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !file.id.chars().all(is_plain) {
            refuse("the file's name is the id of the claim".into(), "name it with letters, digits, - and _");
        }
        all.push(file);
    }
    Ok(all)
}

fn read(path: &Path, given: &Path) -> Checked {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name of "." is that of the folder which it is.
    let named = folder.canonicalize().ok();
    let name = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let suite = name(named.as_deref().unwrap_or(folder).file_name());
    let id = name(path.file_stem());
    let mut file = Checked { file: path.to_owned(), suite, id, kind: None, mistakes: Vec::new(), claim: None };
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path).map_err(Error::reading(path)) {
        Ok(text) => text,
        Err(error) => {
            file.mistakes.push(error);
            return file;
        }
    };
    match claim_file::parse(&shown, &text, &own::PARSERS) {
        Err(mistakes) => file.mistakes = mistakes,
        Ok(read) => {
            let Heading { id, suite, .. } = &read.heading;
            for (key, written, place) in [("id", id, &file.id), ("suite", suite, &file.suite)] {
                if let Some(written) = written.as_ref().filter(|written| *written != place) {
                    let what = format!("{shown}: {key} = {written:?}, but its place says {place:?}");
                    file.mistakes.push(Error::input(what, format!("leave {key} out, or correct it")));
                }
            }
            file.kind = Some(read.kind);
            let place = Place { given: given.to_owned(), folder: folder.to_owned() };
            let claim = read.into_claim(&file.suite, &file.id, text.as_bytes(), About::Own, Some(place));
            file.claim = file.mistakes.is_empty().then_some(claim);
        }
    }
    file
}
