//! Rows of uint8 arrays that stay on disk.
//!
//! An array that lies in the file as it is, as `numpy.save` and `numpy.savez` write it, is read row by row; one that is
//! deflated (`numpy.savez_compressed`) is unpacked into memory when it is opened.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use npyz::{NpyHeader, Order};
use zip::{CompressionMethod, ZipArchive};

use crate::Error;

/// More than the header of any array of bytes takes, in bytes.
const HEADER: u64 = 1 << 16;

/// A uint8 array \[n, ...\] in C order whose n rows are read one at a time.
pub struct ByteRows {
    path: PathBuf,
    shape: Vec<usize>,
    place: Place,
}

/// The place of the rows.
enum Place {
    /// The file, and the offset of the first row in bytes.
    Disk(Mutex<File>, u64),
    Memory(Vec<u8>),
}

impl ByteRows {
    /// Opens the array of an npy file.
    pub fn open_npy(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(unreadable(path))?;
        let size = file.metadata().map_err(unreadable(path))?.len();
        let mut bytes = Vec::new();
        file.by_ref().take(HEADER).read_to_end(&mut bytes).map_err(unreadable(path))?;
        Self::parse(path, "of images", Some(0), size, bytes)
    }

    /// Opens an array of an archive.
    pub(crate) fn of_entry(path: &Path, zip: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Self, Error> {
        let failed = |what: String| Error::Array { path: path.to_owned(), name: name.to_owned(), what };
        let mut entry = zip.by_name(name).map_err(|e| failed(e.to_string()))?;
        let (stored, begin) = (entry.compression() == CompressionMethod::Stored, entry.data_start());
        let claimed = entry.size();
        let mut bytes = Vec::new();
        let read = entry.by_ref().take(if stored { HEADER } else { u64::MAX }).read_to_end(&mut bytes);
        read.map_err(|e| failed(format!("after {} bytes: {e}", bytes.len())))?;
        // The sizes in an archive's directory may be wrong.
        let on_disk = std::fs::metadata(path).map_err(unreadable(path))?.len().saturating_sub(begin);
        let size = if stored { claimed.min(on_disk) } else { bytes.len() as u64 };
        Self::parse(path, name, stored.then_some(begin), size, bytes)
    }

    /// Checks type and size. `begin`: offset of the array in the file, where it lies there uncompressed; `size`: bytes
    /// of the array with its header; `bytes`: its first bytes, or all of them.
    fn parse(path: &Path, name: &str, begin: Option<u64>, size: u64, mut bytes: Vec<u8>) -> Result<Self, Error> {
        let failed = |what: String| Error::Array { path: path.to_owned(), name: name.to_owned(), what };
        let mut start = Cursor::new(&bytes[..]);
        let header = NpyHeader::from_reader(&mut start).map_err(|e| failed(e.to_string()))?;
        let header_size = start.position();
        let dtype = header.dtype().descr();
        if dtype != "'|u1'" || header.order() != Order::C {
            let order = header.order();
            return Err(failed(format!("{dtype} in {order:?} order where uint8 in C order was expected")));
        }
        let entries = header.shape().iter().fold(1, |area: u64, &n| area.saturating_mul(n));
        let expected = entries.saturating_add(header_size);
        if size != expected {
            let shape = header.shape();
            return Err(failed(format!("{size} bytes where {expected} were expected for the shape {shape:?}")));
        }
        let place = match begin {
            Some(begin) => Place::Disk(Mutex::new(File::open(path).map_err(unreadable(path))?), begin + header_size),
            None => Place::Memory(bytes.split_off(header_size as usize)),
        };
        Ok(Self { path: path.to_owned(), shape: header.shape().iter().map(|&n| n as usize).collect(), place })
    }

    /// Extent of each axis; the first is the number of rows.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Reads one row into a buffer of its size. An index that is not below the number of rows panics, or fails to read.
    pub fn read(&self, index: usize, row: &mut [u8]) -> Result<(), Error> {
        match &self.place {
            Place::Disk(file, begin) => {
                // Every read seeks first, so the position that a panicking thread may have left does no harm.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let place = SeekFrom::Start(begin + (index * row.len()) as u64);
                file.seek(place).and_then(|_| file.read_exact(row)).map_err(unreadable(&self.path))
            }
            Place::Memory(bytes) => {
                row.copy_from_slice(&bytes[index * row.len()..][..row.len()]);
                Ok(())
            }
        }
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}
