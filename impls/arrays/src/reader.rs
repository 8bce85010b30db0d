//! Arrays of npz archives and npy files, read into memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

use crate::{Error, Header, Number, Origin, Rows};

/// An npz file, open for reading.
pub struct NpzReader {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

/// An array in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Entries in row-major order.
    pub data: Vec<T>,
}

impl NpzReader {
    /// Opens an archive and reads its directory.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(source) => return Err(Error::Io { path, source }),
        };
        match ZipArchive::new(file) {
            Ok(archive) => Ok(Self { path, archive }),
            Err(source) => Err(Error::Archive { path, source }),
        }
    }

    /// The names of the arrays, in the order of the archive.
    pub fn names(&self) -> Vec<String> {
        self.archive.file_names().filter_map(|entry| entry.strip_suffix(".npy")).map(str::to_owned).collect()
    }

    /// Whether the archive holds this array.
    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&entry_name(name)).is_some()
    }

    /// Type and shape of an array.
    pub fn header(&mut self, name: &str) -> Result<Header, Error> {
        let (origin, mut entry) = self.entry(name)?;
        Header::read(&mut entry).map_err(|what| origin.failed(what))
    }

    /// An array of f64, from numbers of any type.
    pub fn floats(&mut self, name: &str) -> Result<Array<f64>, Error> {
        self.array(name, "numbers", |_| true, |number, entry| Some(number.float(entry)))
    }

    /// An array of f32, from floating-point numbers of any precision.
    pub fn singles(&mut self, name: &str) -> Result<Array<f32>, Error> {
        self.array(name, FLOATS, Number::is_float, |number, entry| Some(number.float(entry) as f32))
    }

    /// An array of bytes.
    pub fn bytes(&mut self, name: &str) -> Result<Array<u8>, Error> {
        self.array(name, "uint8", Number::is_byte, |_, entry| entry.first().copied())
    }

    /// An array of integers of any width up to 64 bits.
    pub fn integers(&mut self, name: &str) -> Result<Array<i64>, Error> {
        self.array(name, "integers below 2^63", Number::is_integer, Number::integer)
    }

    /// An array of numbers in C order whose rows are read one at a time.
    pub fn rows(&mut self, name: &str) -> Result<Rows, Error> {
        let path = self.path.clone();
        let (origin, entry) = self.entry(name)?;
        Rows::of_entry(&path, origin, entry)
    }

    /// Arrays of one type and shape \[...\] as one array \[n, ...\].
    pub fn stacked(&mut self, names: &[String]) -> Result<Rows, Error> {
        let mut stack = None;
        for name in names {
            let (origin, entry) = self.entry(name)?;
            stack = Some(Rows::stack(stack, origin, entry)?);
        }
        stack.ok_or_else(|| Origin { path: self.path.clone(), name: None }.failed("no arrays"))
    }

    fn entry(&mut self, name: &str) -> Result<(Origin, ZipFile<'_, BufReader<File>>), Error> {
        let origin = Origin { path: self.path.clone(), name: Some(name.to_owned()) };
        if !self.has(name) {
            let names: Vec<String> = self.names().into_iter().take(10).collect();
            return Err(origin.failed(format!("not found; the file has {}", names.join(", "))));
        }
        match self.archive.by_name(&entry_name(name)) {
            Ok(entry) => Ok((origin, entry)),
            Err(e) => Err(origin.failed(e.to_string())),
        }
    }

    fn array<T>(
        &mut self,
        name: &str,
        wanted: &str,
        accepts: fn(&Number) -> bool,
        convert: fn(&Number, &[u8]) -> Option<T>,
    ) -> Result<Array<T>, Error> {
        let (origin, entry) = self.entry(name)?;
        let size = entry.size();
        read(&origin, entry, size, wanted, accepts, convert)
    }
}

/// What arrays of features and weights hold.
const FLOATS: &str = "floating-point numbers";

/// Reads an npy file of integers of any width up to 64 bits.
pub fn read_npy_integers(path: &Path) -> Result<Array<i64>, Error> {
    npy(path, "integers below 2^63", Number::is_integer, Number::integer)
}

/// Reads an npy file in single precision; half precision is exact in it, double precision is rounded to it.
pub fn read_npy(path: &Path) -> Result<Array<f32>, Error> {
    npy(path, FLOATS, Number::is_float, |number, entry| Some(number.float(entry) as f32))
}

fn npy<T>(
    path: &Path,
    wanted: &str,
    accepts: fn(&Number) -> bool,
    convert: fn(&Number, &[u8]) -> Option<T>,
) -> Result<Array<T>, Error> {
    let origin = Origin { path: path.to_owned(), name: None };
    let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, file) = file.map_err(|source| Error::Io { path: path.to_owned(), source })?;
    read(&origin, BufReader::new(file), size, wanted, accepts, convert)
}

/// Reads an array of `size` bytes, with its header, into memory.
fn read<T>(
    origin: &Origin,
    mut reader: impl Read,
    size: u64,
    wanted: &str,
    accepts: fn(&Number) -> bool,
    convert: fn(&Number, &[u8]) -> Option<T>,
) -> Result<Array<T>, Error> {
    let header = Header::read(&mut reader).map_err(|what| origin.failed(what))?;
    let number = origin.number(&header)?;
    if !accepts(&number) {
        return Err(origin.failed(format!("it is {number} where {wanted} were expected")));
    }
    origin.check_size(&header, size)?;
    let mut bytes = Vec::new();
    // At its end, one byte further, an archive compares the checksum.
    let read = reader.take(header.bytes().saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| origin.failed(format!("after {} bytes: {e}", bytes.len())))?;
    origin.check_size(&header, header.size + bytes.len() as u64)?;
    let entry = |i: usize| &bytes[i * number.width..][..number.width];
    let place = |i: usize| if header.fortran { fortran_place(i, &header.shape) } else { i };
    let data = (0..header.entries()).map(|i| convert(&number, entry(place(i)))).collect::<Option<Vec<T>>>();
    let data = data.ok_or_else(|| origin.failed(format!("it is {number} where {wanted} were expected")))?;
    Ok(Array { shape: header.shape, data })
}

fn entry_name(name: &str) -> String {
    format!("{name}.npy")
}

/// The place in Fortran's order of the entry with this place in C order.
fn fortran_place(mut place: usize, shape: &[usize]) -> usize {
    let mut stride = shape.iter().product::<usize>();
    let mut found = 0;
    for &extent in shape.iter().rev() {
        stride /= extent;
        found += place % extent * stride;
        place /= extent;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::fortran_place;

    #[test]
    fn fortran_place_transposes() {
        let in_order = |places: &[usize], shape: &[usize], data: &[i32]| {
            places.iter().map(|&i| data[fortran_place(i, shape)]).collect::<Vec<_>>()
        };
        // [[1, 2, 3], [4, 5, 6]]
        assert_eq!(in_order(&[0, 1, 2, 3, 4, 5], &[2, 3], &[1, 4, 2, 5, 3, 6]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(in_order(&[0, 1, 2], &[1, 3], &[1, 2, 3]), [1, 2, 3]);
        // [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
        let all: Vec<usize> = (0..8).collect();
        assert_eq!(in_order(&all, &[2, 2, 2], &[1, 5, 3, 7, 2, 6, 4, 8]), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
