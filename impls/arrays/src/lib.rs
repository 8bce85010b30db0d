//! NumPy's npz archives and npy files.
//!
//! | item | what |
//! |---|---|
//! | [`NpzReader`] | arrays of an archive, read into memory in row-major order |
//! | [`ByteRows`] | a uint8 array whose rows are read from disk as they are needed |
//! | [`read_npy`] | a matrix of single precision from an npy file |
//! | [`NpzWriter`] | an archive that is whole or not there; the same arrays give the same bytes |

#![warn(missing_docs)]

mod error;
mod header;
mod reader;
mod rows;
mod writer;

pub use error::Error;
pub use header::Header;
pub use reader::{Array, NpzReader, read_npy};
pub use rows::ByteRows;
pub use writer::NpzWriter;
