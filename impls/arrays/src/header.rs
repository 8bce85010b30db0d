//! Type and shape of an array, without its entries.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{DType, NpyHeader};

use crate::{Error, NpzReader};

/// Type and shape of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// NumPy's type without the byte order: `f4`, `u1`; `O` for Python objects; `record` for others.
    pub kind: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads the beginning of an npy file.
    pub fn of_npy(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Self::parse(BufReader::new(file)).map_err(|what| Error::Array {
            path: path.to_owned(),
            name: "of numbers".to_owned(),
            what,
        })
    }

    pub(crate) fn parse(from: impl Read) -> Result<Self, String> {
        let header = NpyHeader::from_reader(from).map_err(|e| e.to_string())?;
        let kind = match header.dtype() {
            DType::Plain(kind) => kind.to_string().trim_start_matches(['<', '>', '|', '=']).to_owned(),
            _ => "record".to_owned(),
        };
        Ok(Self { kind, shape: header.shape().iter().map(|&n| n as usize).collect() })
    }

    /// Whether the entries are floating-point numbers.
    pub fn is_float(&self) -> bool {
        self.kind.starts_with('f')
    }
}

impl NpzReader {
    /// The names of the arrays, in the order of the archive.
    pub fn names(&self) -> Vec<String> {
        self.archive.file_names().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect()
    }

    /// Type and shape of an array.
    pub fn header(&mut self, name: &str) -> Result<Header, Error> {
        let found = match self.archive.by_name(&format!("{name}.npy")) {
            Ok(entry) => Header::parse(entry),
            Err(e) => Err(e.to_string()),
        };
        found.map_err(|what| self.failed(name, what))
    }
}
