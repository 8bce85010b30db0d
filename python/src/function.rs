//! Python functions as networks of model files.

use std::path::Path;
use std::sync::Arc;

use elbow_base::Error;
use elbow_harness::outside::{Backend, CallTargets, CallTokens, Functions, LogitPlaces, ModelFile, function_inputs};
use elbow_impls::network::{DrawLaw, Drawn};
use elbow_metrics::{InputArray, Port};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{IntoPyArray, PyReadonlyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;

use crate::door::Door;

/// A Python object that answers calls: `elbow_diffusion.functions.Function`.
#[derive(Clone)]
pub struct Function(Arc<Py<PyAny>>);

impl Function {
    pub fn new(function: Py<PyAny>) -> Self {
        Self(Arc::new(function))
    }
}

/// The functions that the work finds: those that the caller has given, by name, and those of modules.
pub struct Finder {
    pub door: Door,
    pub given: Vec<(String, Function)>,
}

impl Functions for Finder {
    fn find(&self, name: &str, folder: &Path, file: Option<&ModelFile>) -> Result<Box<dyn Backend>, Error> {
        let given = self.given.iter().find(|(known, _)| known == name).map(|(_, function)| function.clone());
        let text = file.map(serde_json::to_string).transpose().map_err(|e| Error::internal(e.to_string()))?;
        let words = (name.to_owned(), folder.display().to_string(), text);
        let (door, inputs) = (self.door.clone(), file.map_or(Vec::new(), function_inputs));
        let found = door.call(move |py| {
            let function = match given {
                Some(function) => function.0.clone_ref(py).into_bound(py),
                None => py.import("elbow_diffusion.functions")?.getattr("load")?.call1(words)?,
            };
            let has = |name| function.getattr(name)?.extract::<bool>();
            let (costs, draws, hash) = (has("has_costs")?, has("has_draws")?, function.getattr("hash")?.extract()?);
            Ok((Function::new(function.unbind()), costs, draws, hash))
        });
        let (function, has_costs, has_draws, hash) =
            found.ok_or_else(|| Error::input(format!("{name}: not loaded"), ""))?;
        Ok(Box::new(Network { door: self.door.clone(), function, has_costs, has_draws, hash, inputs }))
    }
}

/// A network whose calls go through the door.
struct Network {
    door: Door,
    function: Function,
    has_costs: bool,
    has_draws: bool,
    hash: String,
    inputs: Vec<Port>,
}

type Output = (Vec<f32>, Vec<usize>);

impl Network {
    /// What `work` makes of the function and the input arrays, on the caller's thread. The function may keep the arrays.
    fn call<T: Send + 'static>(
        &self,
        inputs: &[InputArray],
        work: impl FnOnce(&Bound<'_, PyAny>, Vec<Py<PyAny>>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, String> {
        let (function, inputs) = (self.function.clone(), inputs.to_vec());
        let done = self.door.call(move |py| {
            let arrays = inputs.into_iter().map(|array| input(py, array)).collect::<PyResult<Vec<_>>>()?;
            work(function.0.bind(py), arrays)
        });
        done.ok_or_else(|| "the function was not called: the caller has left".to_owned())
    }
}

impl Backend for Network {
    fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    fn run(&self, inputs: &[InputArray]) -> Result<Output, String> {
        self.call(inputs, |function, arrays| numbers(&function.call_method1("call", (arrays,))?))
    }

    fn has_costs(&self) -> bool {
        self.has_costs
    }

    fn masked_costs(&self, inputs: &[InputArray], targets: &CallTargets) -> Result<Vec<f32>, String> {
        let (x, masked, places) = (targets.x.clone(), targets.masked.clone(), of(targets.places));
        let shape = [targets.x.len() / targets.length, targets.length];
        let (costs, found) = self.call(inputs, move |function, arrays| {
            let py = function.py();
            let (x, masked) = (shaped(py, x, &shape)?, shaped(py, masked, &shape)?);
            numbers(&function.call_method1("costs", (arrays, x, masked, places))?)
        })?;
        match costs.len() == targets.x.len() {
            true => Ok(costs),
            false => Err(format!("its costs have the shape {found:?} for {} tokens", targets.x.len())),
        }
    }

    fn has_draws(&self) -> bool {
        self.has_draws
    }

    fn draws(&self, inputs: &[InputArray], tokens: &CallTokens, law: &DrawLaw) -> Result<Vec<Drawn>, String> {
        let (rows, positions, uniforms) = (tokens.rows.clone(), tokens.positions.clone(), law.uniforms.to_vec());
        let (places, count) = (of(tokens.places), rows.len());
        let tempering = (law.tempering.temperature, law.tempering.top_k, law.tempering.nucleus);
        let drawn = self.call(inputs, move |function, arrays| {
            let py = function.py();
            let tokens = (rows.into_pyarray(py), positions.into_pyarray(py));
            let found =
                function.call_method1("draws", (arrays, tokens, uniforms.into_pyarray(py), tempering, places))?;
            let (values, log_mu): (PyReadonlyArray1<'_, i64>, PyReadonlyArray1<'_, f64>) = found.extract()?;
            let pairs = values.as_array().into_iter().zip(log_mu.as_array());
            Ok(pairs.map(|(&value, &log_mu)| Drawn { value: value as u32, log_mu }).collect::<Vec<_>>())
        })?;
        match drawn.len() == count {
            true => Ok(drawn),
            false => Err(format!("it drew {} values for {count} tokens", drawn.len())),
        }
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}

/// Tokens before a sequence, column of the first data value, number of data values.
fn of(places: LogitPlaces) -> (usize, usize, usize) {
    (places.before, places.first, places.values)
}

/// An array of NumPy as numbers with their extents.
fn numbers(array: &Bound<'_, PyAny>) -> PyResult<Output> {
    let array: PyReadonlyArrayDyn<'_, f32> = array.extract()?;
    let view = array.as_array();
    let values = view.as_slice().map_or_else(|| view.iter().copied().collect(), <[f32]>::to_vec);
    Ok((values, view.shape().to_vec()))
}

/// An array of Rust as one of NumPy, with the same memory.
fn input(py: Python<'_>, array: InputArray) -> PyResult<Py<PyAny>> {
    match array {
        InputArray::Ids(ids, shape) => shaped(py, ids, &shape),
        InputArray::Numbers(numbers, shape) => shaped(py, numbers, &shape),
    }
}

fn shaped<T: numpy::Element>(py: Python<'_>, numbers: Vec<T>, shape: &[usize]) -> PyResult<Py<PyAny>> {
    let array = ArrayD::from_shape_vec(IxDyn(shape), numbers);
    let array = array.map_err(|wrong| pyo3::exceptions::PyRuntimeError::new_err(wrong.to_string()))?;
    Ok(array.into_pyarray(py).into_any().unbind())
}
