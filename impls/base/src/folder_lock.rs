//! One writer per folder.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Remedy};

/// The right to write into a folder, which one owner has at a time; it ends when this value is dropped or the process dies.
///
/// It is the operating system's lock on the file `lock` in the folder. The file stays there: removing it would give two
/// writers a file each.
pub struct FolderLock(#[allow(dead_code)] File);

impl FolderLock {
    /// The lock of an existing folder. An error of input where another process, or another part of this one, has it.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lock");
        let opened = File::options().create(true).append(true).open(&path).map_err(Error::writing(&path))?;
        match opened.try_lock() {
            Ok(()) => Ok(Self(opened)),
            Err(TryLockError::WouldBlock) => {
                let what = format!("{}: another process is writing here", folder.display());
                Err(Error::input(what, "wait until it ends, or name another folder").mended_by(Remedy::Output))
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Self(opened)),
            Err(TryLockError::Error(error)) => Err(Error::writing(&path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let lock = FolderLock::take(one.path()).expect("nobody has it");
        let refused = FolderLock::take(one.path()).err().expect("taken").to_string();
        assert!(refused.contains("another process is writing here"), "{refused}");
        FolderLock::take(other.path()).expect("witness: another folder has a lock of its own");
        drop(lock);
        FolderLock::take(one.path()).expect("given back");
    }
}
