//! Files that are whole or not there.

use std::fs;
use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Error, Remedy};

/// An unfinished file in the folder of `path`, which is made if it does not exist. [`persist`] gives the file its name.
pub fn beside(path: &Path) -> Result<NamedTempFile, Error> {
    check_ordinary(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; results are for everyone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(folder).map_err(Error::writing(path))
}

/// Gives a finished file its name: a reader sees the old bytes or the new ones.
pub fn persist(file: NamedTempFile, path: &Path) -> Result<(), Error> {
    check_ordinary(path)?;
    file.as_file().sync_all().map_err(Error::writing(path))?;
    file.persist(path).map(|_| ()).map_err(|e| Error::writing(path)(e.error))
}

/// Writes a file at once.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = beside(path)?;
    file.write_all(bytes).map_err(Error::writing(path))?;
    persist(file, path)
}

/// Refuses a place where something other than an ordinary file stands: a rename would replace a link, or make a device
/// a file, and writing would follow the link.
pub fn check_ordinary(path: &Path) -> Result<(), Error> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let (what, advice) = match found.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_symlink() => ("is a link, which is neither followed nor replaced", "name the file itself"),
        kind if kind.is_dir() => ("is a folder", "name a file"),
        _ => ("is a device or a pipe", "name a file"),
    };
    Err(Error::input(format!("{} {what}", path.display()), advice).mended_by(Remedy::Output))
}

/// Refuses an output that would replace one of the inputs, or a file in one of them.
pub fn check_no_input(output: &Path, inputs: &[&Path]) -> Result<(), Error> {
    // What does not exist replaces nothing.
    let Ok(place) = output.canonicalize() else { return Ok(()) };
    match inputs.iter().find(|input| input.canonicalize().is_ok_and(|input| place.starts_with(input))) {
        None => Ok(()),
        Some(_) => {
            let what = format!("{} is an input, and would be replaced", output.display());
            Err(Error::input(what, "name another file").mended_by(Remedy::Output))
        }
    }
}
