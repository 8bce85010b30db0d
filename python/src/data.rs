//! Data sets of elbow as arrays.

use std::path::PathBuf;

use elbow_harness::workspace::Workspace;
use elbow_impls::data::Spec;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::door::{raised, serve};

/// Tokens `[n length]`, classes `[n]` (empty where there are none), and number of values, length, number of classes, image
/// extents and hash.
type Arrays<'py> =
    (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<u32>>, usize, usize, usize, Option<[usize; 3]>, String);

/// A data set by name or file, one split of it. `length` and `alphabet` are those of a text; `folders` are searched first.
#[pyfunction]
#[pyo3(signature = (name, split, *, length, alphabet, folders))]
pub fn dataset<'py>(
    py: Python<'py>,
    name: String,
    split: &str,
    length: Option<usize>,
    alphabet: Option<String>,
    folders: Vec<PathBuf>,
) -> PyResult<Arrays<'py>> {
    let split = split.parse().map_err(|unknown: elbow_base::UnknownName| raised(py, &unknown.into()))?;
    let (tokens, labels, shape, hash) = serve(py, None, move |_| {
        let workspace = Workspace::new(PathBuf::from("out"), folders, 0, "cpu", true, false)?;
        let data = workspace.open(&Spec { length, alphabet, ..Spec::new(&name, split) })?;
        let labels = data.labels(&(0..data.len()).collect::<Vec<_>>());
        Ok((data.all()?.ids().to_vec(), labels, data.shape(), data.hash().to_owned()))
    })?;
    let (tokens, labels) = (tokens.into_pyarray(py), labels.into_pyarray(py));
    Ok((tokens, labels, shape.values, shape.length, shape.classes, shape.image, hash))
}
