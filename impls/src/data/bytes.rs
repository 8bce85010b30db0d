//! The bytes of a text or of its tokens: in memory, or on disk where they are many.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use elbow_base::{Progress, Silent};
use tempfile::NamedTempFile;

/// About how much of a text is worked on at a time.
pub(super) const PIECE: usize = 1 << 20;

/// What the reading of a text may use beside memory, and where its progress shows.
pub struct Reading<'a> {
    /// A folder for texts and tokens that are too many for memory. Tokens stay there and are found again.
    pub folder: &'a Path,
    /// Bytes from which on a text is too large for memory.
    pub large: usize,
    /// The progress of making tokens of a large text.
    pub bar: &'a dyn Progress,
}

impl<'a> Reading<'a> {
    /// Texts of 256 MiB and more are not kept in memory.
    pub fn new(folder: &'a Path, bar: &'a dyn Progress) -> Self {
        Self { folder, large: 1 << 28, bar }
    }

    /// Nothing is too large for memory.
    pub fn in_memory() -> Self {
        Self { folder: Path::new(""), large: usize::MAX, bar: &Silent }
    }
}

/// Bytes that can be read at any place.
pub(super) enum Bytes {
    Memory(Vec<u8>),
    Disk { file: Mutex<File>, length: usize },
}

impl Bytes {
    /// The bytes of a file, which is read as they are needed.
    pub fn of_file(file: File) -> io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self::Disk { file: Mutex::new(file), length })
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Disk { length, .. } => *length,
        }
    }

    pub fn is_on_disk(&self) -> bool {
        matches!(self, Self::Disk { .. })
    }

    pub fn read(&self, range: Range<usize>) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Memory(bytes) => Ok(bytes[range].into()),
            Self::Disk { file, .. } => {
                let mut bytes = vec![0; range.len()];
                let mut file = file.lock().map_err(|_| io::Error::other("another thread failed while it read"))?;
                file.seek(SeekFrom::Start(range.start as u64))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    /// Passes on the bytes of a range piece by piece, with the place of each. `end` is the length of the first piece of some
    /// bytes, of which none follow if `last`; without one, more bytes are read.
    pub fn pieces(
        &self,
        range: Range<usize>,
        end: impl Fn(&[u8], bool) -> Option<usize>,
        mut take: impl FnMut(usize, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let step = if self.is_on_disk() { 4 * PIECE } else { range.len() };
        let (mut at, mut ahead) = (range.start, step);
        while at < range.end {
            let until = range.end.min(at.saturating_add(ahead));
            let read = self.read(at..until)?;
            let mut rest = &read[..];
            while let Some(length) = end(rest, until == range.end).filter(|_| !rest.is_empty()) {
                take(at, &rest[..length])?;
                (at, rest) = (at + length, &rest[length..]);
            }
            // A piece that is longer than what was read.
            ahead = if rest.len() == read.len() { 2 * ahead } else { step };
        }
        Ok(())
    }
}

/// The end of pieces that may be cut anywhere.
pub(super) fn anywhere(bytes: &[u8], last: bool) -> Option<usize> {
    (last || bytes.len() >= PIECE).then(|| bytes.len().min(PIECE))
}

/// Collects bytes: in memory, until they are too many.
pub(super) struct Collected<'a> {
    reading: &'a Reading<'a>,
    memory: Vec<u8>,
    disk: Option<BufWriter<NamedTempFile>>,
}

impl<'a> Collected<'a> {
    pub fn new(reading: &'a Reading<'a>) -> Self {
        Self { reading, memory: Vec::new(), disk: None }
    }

    /// All of them. On disk they are gone when they are dropped.
    pub fn finish(self) -> io::Result<Bytes> {
        match self.disk {
            None => Ok(Bytes::Memory(self.memory)),
            Some(disk) => Bytes::of_file(disk.into_inner()?.into_file()),
        }
    }

    /// The file of those that are on disk.
    pub fn into_file(mut self) -> io::Result<NamedTempFile> {
        self.spill()?;
        let disk = self.disk.ok_or_else(|| io::Error::other("the bytes are on disk"))?;
        Ok(disk.into_inner()?)
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.disk.is_none() {
            std::fs::create_dir_all(self.reading.folder)?;
            let mut disk = BufWriter::new(NamedTempFile::new_in(self.reading.folder)?);
            disk.write_all(&std::mem::take(&mut self.memory))?;
            self.disk = Some(disk);
        }
        Ok(())
    }
}

impl Write for Collected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.memory.len() + bytes.len() >= self.reading.large {
            self.spill()?;
        }
        match &mut self.disk {
            Some(disk) => disk.write(bytes),
            None => self.memory.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.disk.as_mut().map_or(Ok(()), Write::flush)
    }
}
