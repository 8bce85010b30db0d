//! Rows of arrays that stay on disk.
//!
//! An array that lies in the file as it is, as `numpy.save` and `numpy.savez` write it, is read row by row. One that is
//! deflated (`numpy.savez_compressed`) is unpacked when it is opened: into memory while it is small, else into a
//! temporary file without a name.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tempfile::SpooledTempFile;
use zip::CompressionMethod;
use zip::read::ZipFile;

use crate::{Error, Header, Number, Origin};

/// Bytes of unpacked arrays that are held in memory; more are written to disk.
const IN_MEMORY: usize = 256 << 20;

/// An array of numbers \[n, ...\] in C order whose n rows are read one at a time.
pub struct Rows {
    origin: Origin,
    header: Header,
    number: Number,
    place: Mutex<Place>,
}

/// The place of the rows.
enum Place {
    /// The file itself, and the offset of the first row in bytes.
    File(File, u64),
    Unpacked(SpooledTempFile),
}

impl Rows {
    /// Opens the array of an npy file.
    pub fn open_npy(path: &Path) -> Result<Self, Error> {
        let origin = Origin { path: path.to_owned(), name: None };
        let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, mut file) = file.map_err(|source| Error::Io { path: path.to_owned(), source })?;
        let (header, number) = origin.rows(&mut file)?;
        origin.check_size(&header, size)?;
        let begin = header.size;
        Ok(Self { origin, header, number, place: Mutex::new(Place::File(file, begin)) })
    }

    /// Opens an array of the archive at `path`.
    pub(crate) fn of_entry(
        path: &Path,
        origin: Origin,
        mut entry: ZipFile<'_, BufReader<File>>,
    ) -> Result<Self, Error> {
        let (header, number) = origin.rows(&mut entry)?;
        origin.check_size(&header, entry.size())?;
        let place = match entry.compression() {
            CompressionMethod::Stored => {
                let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
                let (length, file) = file.map_err(|source| Error::Io { path: path.to_owned(), source })?;
                // The sizes in an archive's directory may be wrong.
                origin.check_size(&header, entry.size().min(length.saturating_sub(entry.data_start())))?;
                Place::File(file, entry.data_start() + header.size)
            }
            _ => {
                let mut spool = SpooledTempFile::new(IN_MEMORY);
                origin.unpack(entry, &header, &mut spool)?;
                Place::Unpacked(spool)
            }
        };
        Ok(Self { origin, header, number, place: Mutex::new(place) })
    }

    /// Adds an array as the last row of a stack, or as the first one where there is none.
    pub(crate) fn stack(
        stack: Option<Self>,
        origin: Origin,
        mut entry: ZipFile<'_, BufReader<File>>,
    ) -> Result<Self, Error> {
        let (mut header, number) = origin.rows(&mut entry)?;
        origin.check_size(&header, entry.size())?;
        let rows = stack.as_ref().map_or(0, |stack| stack.header.shape[0]);
        let mut spool = match stack {
            Some(Self { header: first, number: other, .. })
                if (&first.shape[1..], other) != (&header.shape, number) =>
            {
                let what = format!(
                    "{number} {:?}, unlike the arrays before it, {other} {:?}",
                    header.shape,
                    &first.shape[1..]
                );
                return Err(origin.failed(what));
            }
            Some(Self { place, .. }) => match place.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Place::Unpacked(spool) => spool,
                Place::File(..) => return Err(origin.failed("an array that is no stack")),
            },
            None => SpooledTempFile::new(IN_MEMORY),
        };
        origin.unpack(entry, &header, &mut spool)?;
        header.shape.insert(0, rows + 1);
        Ok(Self { origin, header, number, place: Mutex::new(Place::Unpacked(spool)) })
    }

    /// The array's name in its archive.
    pub fn name(&self) -> Option<&str> {
        self.origin.name.as_deref()
    }

    /// Extent of each axis; the first is the number of rows.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// The type of the numbers.
    pub fn number(&self) -> Number {
        self.number
    }

    /// The numbers of one row. An index that is not below the number of rows fails to read.
    pub fn numbers(&self, index: usize) -> Result<Vec<f64>, Error> {
        Ok(self.bytes(index)?.chunks_exact(self.number.width).map(|entry| self.number.float(entry)).collect())
    }

    /// The bytes of one row: its entries, where they are uint8. An index that is not below the number of rows fails to
    /// read.
    pub fn bytes(&self, index: usize) -> Result<Vec<u8>, Error> {
        let rows = self.header.shape[0].max(1) as u64;
        let size = self.header.bytes() / rows;
        let mut row = vec![0; size as usize];
        // Every read seeks first, so the position that a panicking thread may have left does no harm.
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match &mut *place {
            Place::File(file, begin) => read_at(file, *begin + index as u64 * size, &mut row),
            Place::Unpacked(spool) => read_at(spool, index as u64 * size, &mut row),
        };
        read.map(|()| row).map_err(|source| Error::Io { path: self.origin.path.clone(), source })
    }
}

fn read_at(source: &mut (impl Read + Seek), place: u64, row: &mut [u8]) -> std::io::Result<()> {
    source.seek(SeekFrom::Start(place))?;
    source.read_exact(row)
}

impl Origin {
    /// The header of an array of rows: numbers in C order.
    fn rows(&self, reader: &mut impl Read) -> Result<(Header, Number), Error> {
        let header = Header::read(reader).map_err(|what| self.failed(what))?;
        let number = self.number(&header)?;
        // With one axis at most, both orders are the same.
        if header.fortran && header.shape.len() > 1 {
            let advice = "save np.ascontiguousarray(x)".to_owned();
            let what = "it is in Fortran's order, in which no image lies in one piece".to_owned();
            return Err(Error::Array { origin: self.clone(), what, advice });
        }
        Ok((header, number))
    }

    /// Copies the entries of a packed array, and compares size and checksum.
    fn unpack(&self, entry: impl Read, header: &Header, spool: &mut SpooledTempFile) -> Result<(), Error> {
        let mut entry = entry.take(header.bytes().saturating_add(1));
        let mut buffer = vec![0; 1 << 16];
        let mut copied = 0;
        loop {
            let read = entry.read(&mut buffer).map_err(|e| self.failed(format!("after {copied} bytes: {e}")))?;
            if read == 0 {
                return self.check_size(header, header.size + copied);
            }
            let written = spool.write_all(&buffer[..read]);
            written.map_err(|source| Error::Unpack { path: self.path.clone(), source })?;
            copied += read as u64;
        }
    }
}
