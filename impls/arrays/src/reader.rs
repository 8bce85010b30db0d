//! Arrays of npz archives and npy files, read into memory.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use npyz::{DType, Deserialize, NpyFile, Order};
use zip::ZipArchive;

use crate::{ByteRows, Error};

/// An npz file, open for reading.
pub struct NpzReader {
    pub(crate) path: PathBuf,
    pub(crate) archive: ZipArchive<BufReader<File>>,
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

    /// Whether the archive holds this array.
    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&entry_name(name)).is_some()
    }

    /// An array of f64, from double or single precision.
    pub fn floats(&mut self, name: &str) -> Result<Array<f64>, Error> {
        let npy = self.array(name)?;
        match is_plain(&npy, "f4") {
            true => Ok(self.values::<f32>(name, npy)?.map(f64::from)),
            false => self.values(name, npy),
        }
    }

    /// An array of f32.
    pub fn singles(&mut self, name: &str) -> Result<Array<f32>, Error> {
        let npy = self.array(name)?;
        self.values(name, npy)
    }

    /// An array of bytes.
    pub fn bytes(&mut self, name: &str) -> Result<Array<u8>, Error> {
        let npy = self.array(name)?;
        self.values(name, npy)
    }

    /// An array of integers of any width up to 64 bits.
    pub fn integers(&mut self, name: &str) -> Result<Array<i64>, Error> {
        let npy = self.array(name)?;
        let DType::Plain(kind) = npy.dtype() else {
            return Err(self.failed(name, "a record where an integer was expected"));
        };
        match kind.to_string().trim_start_matches(['<', '>']) {
            "u1" | "|u1" => Ok(self.values::<u8>(name, npy)?.map(i64::from)),
            "i2" => Ok(self.values::<i16>(name, npy)?.map(i64::from)),
            "u2" => Ok(self.values::<u16>(name, npy)?.map(i64::from)),
            "i4" => Ok(self.values::<i32>(name, npy)?.map(i64::from)),
            "i8" => self.values(name, npy),
            _ => Err(self.failed(name, format!("type {kind} where an integer was expected"))),
        }
    }

    /// A uint8 array whose rows stay on disk where the archive stores it uncompressed.
    pub fn rows(&mut self, name: &str) -> Result<ByteRows, Error> {
        ByteRows::of_entry(&self.path, &mut self.archive, &entry_name(name))
    }

    /// Unpacks an array to its end, where its checksum is compared.
    fn array(&mut self, name: &str) -> Result<NpyFile<Cursor<Vec<u8>>>, Error> {
        let mut bytes = Vec::new();
        let read = match self.archive.by_name(&entry_name(name)) {
            Ok(mut entry) => entry.read_to_end(&mut bytes).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        let npy = read.and_then(|_| NpyFile::new(Cursor::new(bytes)).map_err(|e| e.to_string()));
        let npy = npy.map_err(|what| self.failed(name, what))?;
        let entries = npy.shape().iter().try_fold(1_u64, |product, &n| product.checked_mul(n));
        entries.map(|_| npy).ok_or_else(|| self.failed(name, "a shape that no memory holds"))
    }

    fn values<T: Deserialize + Copy>(&self, name: &str, npy: NpyFile<impl Read>) -> Result<Array<T>, Error> {
        Array::of(npy).map_err(|what| self.failed(name, what))
    }

    pub(crate) fn failed(&self, name: &str, what: impl Into<String>) -> Error {
        Error::Array { path: self.path.clone(), name: entry_name(name), what: what.into() }
    }
}

/// Reads an npy file in single precision; double precision is rounded to it.
pub fn read_npy(path: &Path) -> Result<Array<f32>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let failed = |what: String| Error::Array { path: path.to_owned(), name: "of numbers".to_owned(), what };
    let npy = NpyFile::new(&bytes[..]).map_err(|e| failed(e.to_string()))?;
    match is_plain(&npy, "f8") {
        true => Array::<f64>::of(npy).map(|array| array.map(|v| v as f32)),
        false => Array::of(npy),
    }
    .map_err(failed)
}

impl<T: Copy> Array<T> {
    fn of(npy: NpyFile<impl Read>) -> Result<Self, String>
    where
        T: Deserialize,
    {
        let (shape, order) = (npy.shape().iter().map(|&n| n as usize).collect::<Vec<_>>(), npy.order());
        let data = npy.into_vec::<T>().map_err(|e| e.to_string())?;
        Ok(Self { data: row_major(data, &shape, order), shape })
    }

    fn map<U>(self, convert: impl Fn(T) -> U) -> Array<U> {
        Array { shape: self.shape, data: self.data.into_iter().map(convert).collect() }
    }
}

fn entry_name(name: &str) -> String {
    format!("{name}.npy")
}

/// Whether the entries are numbers of this type, in any byte order.
fn is_plain<R: Read>(npy: &NpyFile<R>, kind: &str) -> bool {
    matches!(npy.dtype(), DType::Plain(found) if found.to_string().ends_with(kind))
}

/// Fortran order to C order; only matrices occur in that order.
fn row_major<T: Copy>(data: Vec<T>, shape: &[usize], order: Order) -> Vec<T> {
    match (order, shape) {
        (Order::Fortran, &[rows, columns]) => {
            (0..rows * columns).map(|i| data[(i % columns) * rows + i / columns]).collect()
        }
        _ => data,
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, row_major};

    #[test]
    fn row_major_transposes_fortran_order() {
        // [[1, 2, 3], [4, 5, 6]]
        assert_eq!(row_major(vec![1, 4, 2, 5, 3, 6], &[2, 3], Order::Fortran), [1, 2, 3, 4, 5, 6]);
        assert_eq!(row_major(vec![1, 2, 3, 4, 5, 6], &[2, 3], Order::C), [1, 2, 3, 4, 5, 6]);
        assert_eq!(row_major(vec![1, 2, 3], &[1, 3], Order::Fortran), [1, 2, 3]);
    }
}
