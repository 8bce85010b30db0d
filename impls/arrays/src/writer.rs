//! npz archives, written as NumPy writes them.

use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file};
use npyz::{AutoSerialize, WriterBuilder};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

/// An unfinished npz file, written beside its path and renamed when whole.
pub struct NpzWriter {
    path: PathBuf,
    zip: zip::ZipWriter<tempfile::NamedTempFile>,
}

impl NpzWriter {
    /// Begins a file that [`NpzWriter::finish`] will put at this path.
    pub fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), zip: zip::ZipWriter::new(atomic_file::beside(path)?) })
    }

    /// Adds one array of this shape, given in row-major order.
    pub fn array<T: AutoSerialize + Copy>(&mut self, name: &str, shape: &[usize], data: &[T]) -> Result<(), Error> {
        let mut buffer = Vec::new();
        let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let mut write = || -> io::Result<()> {
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

    /// Completes the file and gives it its name.
    pub fn finish(self) -> Result<(), Error> {
        let mut file = self.zip.finish().map_err(zip_failed(&self.path))?;
        file.flush().and_then(|()| file.rewind()).map_err(Error::writing(&self.path))?;
        atomic_file::persist(file, &self.path)
    }
}

/// An I/O error is the environment's (a full disk), any other one a defect.
fn zip_failed(path: &Path) -> impl FnOnce(ZipError) -> Error + '_ {
    move |error| match error {
        ZipError::Io(error) => Error::writing(path)(error),
        other => Error::internal(other.to_string()),
    }
}
