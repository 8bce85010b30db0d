//! The command line, and its commands as functions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;

use elbow_cli::cli::{self, Given};
use elbow_harness::outside::with_functions;
use elbow_impls::data::{InMemory, Tokens};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::door::serve;
use crate::function::{Finder, Function};

/// Runs the command line on these arguments, the first of which is the program's name; the exit code.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>) -> PyResult<u8> {
    serve(py, None, |door| {
        let finder = Finder { door: door.clone(), given: Vec::new() };
        Ok(with_functions(Rc::new(finder), || cli::run(arguments)))
    })
}

/// A data set in memory: its name, its number of values, its tokens `[n, length]`, and the classes of its sequences with
/// their number.
type Data<'py> = (String, usize, PyReadonlyArray2<'py, u32>, Option<(PyReadonlyArray1<'py, u32>, usize)>);

/// What a command gives: its JSON, its text, and further numbers by name.
type Printed<'py> = (String, String, Vec<(String, Bound<'py, PyArray1<f64>>)>);

/// What a command prints under `--json`, what it prints for a person, and further numbers by name. The arguments are without
/// the program's name; `data` and `functions` can be named in them, and in model files. `places` are words that stand for files,
/// `merged` the files of shards, or folders that hold them, whose numbers are taken in place of the work.
#[pyfunction]
#[pyo3(signature = (arguments, *, data, functions, places, merged, progress))]
pub fn call<'py>(
    py: Python<'py>,
    arguments: Vec<String>,
    data: Vec<Data<'py>>,
    functions: Vec<(String, Py<PyAny>)>,
    places: Vec<(String, String)>,
    merged: Vec<PathBuf>,
    progress: Option<Bound<'py, PyAny>>,
) -> PyResult<Printed<'py>> {
    let given = Given { data: data.into_iter().map(in_memory).collect(), places, merged };
    let functions: Vec<_> = functions.into_iter().map(|(name, function)| (name, Function::new(function))).collect();
    let printed = serve(py, progress, move |door| {
        let finder = Finder { door: door.clone(), given: functions };
        with_functions(Rc::new(finder), || cli::call(&arguments, given, door.progress()))
    })?;
    let arrays = printed.arrays.into_iter().map(|(name, numbers)| (name, numbers.into_pyarray(py)));
    Ok((printed.json, printed.text, arrays.collect()))
}

fn in_memory((name, values, tokens, classes): Data<'_>) -> InMemory {
    let tokens = tokens.as_array();
    let data = InMemory::new(&name, values, Tokens::new(tokens.iter().copied().collect(), tokens.ncols()));
    match classes {
        None => data,
        Some((labels, classes)) => data.with_labels(labels.as_array().iter().copied().collect(), classes),
    }
}
