//! Files that are whole or not there.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::Error;

/// An unfinished file in the folder of `path`, which is made if it does not exist. [`persist`] gives the file its name.
pub fn beside(path: &Path) -> Result<NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; results are for everyone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.tempfile_in(folder).map_err(Error::writing(path))
}

/// Gives a finished file its name: a reader sees the old bytes or the new ones.
pub fn persist(file: NamedTempFile, path: &Path) -> Result<(), Error> {
    file.as_file().sync_all().map_err(Error::writing(path))?;
    file.persist(path).map(|_| ()).map_err(|e| Error::writing(path)(e.error))
}

/// Writes a file at once.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = beside(path)?;
    file.write_all(bytes).map_err(Error::writing(path))?;
    persist(file, path)
}
