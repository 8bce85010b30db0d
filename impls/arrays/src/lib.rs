//! NumPy's npz archives and npy files.
//!
//! | item | what |
//! |---|---|
//! | [`NpzReader`] | arrays of an archive, read into memory in row-major order |
//! | [`Rows`] | an array of numbers whose rows are read from disk as they are needed |
//! | [`Header`], [`Dtype`] | shape, order and type of an array; pickled objects are never loaded |
//! | [`read_npy`], [`read_npy_integers`] | a matrix of single precision, or of integers, from an npy file |
//! | [`NpzWriter`] | an archive that is whole or not there; the same arrays give the same bytes |

#![warn(missing_docs)]

mod dtype;
mod error;
mod header;
mod reader;
mod rows;
mod writer;

pub use dtype::{Dtype, Number};
pub use error::{Error, Origin};
pub use header::Header;
pub use reader::{Array, NpzReader, read_npy, read_npy_integers};
pub use rows::Rows;
pub use writer::NpzWriter;
