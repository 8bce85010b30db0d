//! Reading and writing npz archives as NumPy, pytorch-fid, clean-fid and ADM do.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::Path;

use npyz::{DType, NpyFile, Order, WriterBuilder};
use zip::ZipArchive;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use elbow_base::Error;
use elbow_base::atomic_file;

/// An npz file, open for reading.
pub struct Npz {
    path: String,
    archive: ZipArchive<BufReader<File>>,
}

/// An array with its shape, row-major.
pub struct Array<T> {
    pub shape: Vec<usize>,
    pub data: Vec<T>,
}

impl Npz {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::reading(path))?;
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| {
            Error::input(format!("{}: not an npz file: {e}", path.display()), "npz files are zip archives")
        })?;
        Ok(Self { path: path.display().to_string(), archive })
    }

    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// An array of f64, from f64 or f32.
    pub fn floats(&mut self, name: &str) -> Result<Array<f64>, Error> {
        let failed = self.failed(name);
        let npy = self.array(name)?;
        let (shape, order) = layout(&npy);
        let data = match npy.dtype() {
            DType::Plain(kind) if kind.to_string().ends_with("f4") => {
                npy.into_vec::<f32>().map(|v| v.into_iter().map(f64::from).collect())
            }
            _ => npy.into_vec::<f64>(),
        };
        let data = data.map_err(|e| failed(&e.to_string()))?;
        Ok(Array { data: row_major(data, &shape, order), shape })
    }

    /// An array of f32.
    pub fn singles(&mut self, name: &str) -> Result<Array<f32>, Error> {
        self.of(name)
    }

    /// An array of bytes.
    pub fn bytes(&mut self, name: &str) -> Result<Array<u8>, Error> {
        self.of(name)
    }

    fn of<T: npyz::Deserialize + Copy>(&mut self, name: &str) -> Result<Array<T>, Error> {
        let failed = self.failed(name);
        let npy = self.array(name)?;
        let (shape, order) = layout(&npy);
        let data = npy.into_vec::<T>().map_err(|e| failed(&e.to_string()))?;
        Ok(Array { data: row_major(data, &shape, order), shape })
    }

    /// Unpacks an array to its end, where its checksum is compared.
    fn array(&mut self, name: &str) -> Result<NpyFile<Cursor<Vec<u8>>>, Error> {
        let failed = self.failed(name);
        let mut entry = self.archive.by_name(&format!("{name}.npy")).map_err(|e| failed(&e.to_string()))?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| failed(&e.to_string()))?;
        let npy = NpyFile::new(Cursor::new(bytes)).map_err(|e| failed(&e.to_string()))?;
        let entries = npy.shape().iter().try_fold(1_u64, |product, &n| product.checked_mul(n));
        entries.map(|_| npy).ok_or_else(|| failed("a shape that no memory holds"))
    }

    fn failed(&self, name: &str) -> impl Fn(&str) -> Error + use<> {
        let place = format!("{}: array {name:?}", self.path);
        move |what| Error::input(format!("{place}: {what}"), "expected an array as NumPy's savez writes it")
    }
}

fn layout<R: Read>(npy: &NpyFile<R>) -> (Vec<usize>, Order) {
    (npy.shape().iter().map(|&n| n as usize).collect(), npy.order())
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

/// An npz file in the making: written beside its place and renamed when whole.
pub struct NpzWriter {
    path: std::path::PathBuf,
    zip: zip::ZipWriter<tempfile::NamedTempFile>,
}

impl NpzWriter {
    pub fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), zip: zip::ZipWriter::new(atomic_file::beside(path)?) })
    }

    /// Adds one array, row-major.
    pub fn array<T: npyz::AutoSerialize + Copy>(
        &mut self,
        name: &str,
        shape: &[usize],
        data: &[T],
    ) -> Result<(), Error> {
        let mut buffer = Vec::new();
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let mut write = || -> std::io::Result<()> {
            let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut buffer).begin_nd()?;
            writer.extend(data.iter().copied())?;
            writer.finish()
        };
        write().map_err(Error::writing(&self.path))?;
        // A fixed date: the same arrays give the same bytes.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        self.zip.start_file(format!("{name}.npy"), options).map_err(zip_failed(&self.path))?;
        self.zip.write_all(&buffer).map_err(Error::writing(&self.path))
    }

    pub fn finish(self) -> Result<(), Error> {
        let mut file = self.zip.finish().map_err(zip_failed(&self.path))?;
        file.flush().and_then(|()| file.rewind()).map_err(Error::writing(&self.path))?;
        atomic_file::persist(file, &self.path)
    }
}

/// A full disk is the environment's fault, anything else ours.
fn zip_failed(path: &Path) -> impl FnOnce(ZipError) -> Error + '_ {
    move |error| match error {
        ZipError::Io(error) => Error::writing(path)(error),
        other => Error::internal(other.to_string()),
    }
}

/// Whether an npz file holds statistics (`mu` and `sigma`), and whether it holds images too (`arr_0`), as ADM's do.
pub fn is_statistics(path: &Path) -> Result<(bool, bool), Error> {
    let file = Npz::open(path)?;
    Ok((file.has("mu") && file.has("sigma"), file.has("arr_0")))
}

#[cfg(test)]
mod tests {
    use super::{Order, row_major};

    #[test]
    fn columns_first_is_turned() {
        // [[1, 2, 3], [4, 5, 6]]
        assert_eq!(row_major(vec![1, 4, 2, 5, 3, 6], &[2, 3], Order::Fortran), [1, 2, 3, 4, 5, 6]);
        assert_eq!(row_major(vec![1, 2, 3, 4, 5, 6], &[2, 3], Order::C), [1, 2, 3, 4, 5, 6]);
        assert_eq!(row_major(vec![1, 2, 3], &[1, 3], Order::Fortran), [1, 2, 3]);
    }
}
