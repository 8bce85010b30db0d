//! Python functions as networks of model files.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use elbow_base::Error;
use elbow_harness::outside::{Backend, CallTargets, Functions, ModelFile, function_inputs};
use elbow_metrics::{InputArray, Port};
use numpy::ndarray::{ArrayD, IxDyn};
use numpy::{IntoPyArray, PyReadonlyArrayDyn};
use pyo3::prelude::*;

use crate::door::{Door, Request};

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
    fn find(&self, name: &str, folder: &Path, file: &ModelFile) -> Result<Box<dyn Backend>, Error> {
        let given = self.given.iter().find(|(known, _)| known == name).map(|(_, function)| function.clone());
        let file_text = serde_json::to_string(file).map_err(|e| Error::internal(e.to_string()))?;
        let folder = folder.display().to_string();
        let (answer, answered) = mpsc::sync_channel(1);
        let search = Search { given, name: name.to_owned(), folder, file: file_text, answer };
        let found = self.door.ask(Box::new(search)).and_then(|()| answered.recv().ok());
        let (function, has_costs, hash) = found.ok_or_else(|| Error::input(format!("{name}: not loaded"), ""))?;
        Ok(Box::new(Network { door: self.door.clone(), function, has_costs, hash, inputs: function_inputs(file) }))
    }
}

/// A function to be found; its exceptions end the caller's wait.
struct Search {
    given: Option<Function>,
    name: String,
    folder: String,
    file: String,
    answer: SyncSender<(Function, bool, String)>,
}

impl Request for Search {
    fn answer(self: Box<Self>, py: Python<'_>) -> PyResult<()> {
        let function = match self.given {
            Some(function) => function.0.clone_ref(py).into_bound(py),
            None => {
                let functions = py.import("elbow_diffusion.functions")?;
                functions.getattr("load")?.call1((self.name, self.folder, self.file))?
            }
        };
        let (has_costs, hash) = (function.getattr("has_costs")?.extract()?, function.getattr("hash")?.extract()?);
        // The receiver is gone where the call was given up.
        let _ = self.answer.send((Function::new(function.unbind()), has_costs, hash));
        Ok(())
    }
}

/// A network whose calls go through the door.
struct Network {
    door: Door,
    function: Function,
    has_costs: bool,
    hash: String,
    inputs: Vec<Port>,
}

type Output = (Vec<f32>, Vec<usize>);

impl Network {
    fn call(&self, inputs: &[InputArray], targets: Option<Targets>) -> Result<Output, String> {
        let (answer, answered) = mpsc::sync_channel(1);
        let call = Call { function: self.function.clone(), inputs: inputs.to_vec(), targets, answer };
        let output = self.door.ask(Box::new(call)).and_then(|()| answered.recv().ok());
        output.ok_or_else(|| "the function was not called: the caller has left".to_owned())
    }
}

impl Backend for Network {
    fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    fn run(&self, inputs: &[InputArray]) -> Result<Output, String> {
        self.call(inputs, None)
    }

    fn has_costs(&self) -> bool {
        self.has_costs
    }

    fn masked_costs(&self, inputs: &[InputArray], targets: &CallTargets) -> Result<Vec<f32>, String> {
        let targets = Targets {
            x: targets.x.clone(),
            masked: targets.masked.clone(),
            length: targets.length,
            places: (targets.before, targets.first, targets.values),
        };
        let tokens = targets.x.len();
        let (costs, shape) = self.call(inputs, Some(targets))?;
        match costs.len() == tokens {
            true => Ok(costs),
            false => Err(format!("its costs have the shape {shape:?} for {tokens} tokens")),
        }
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}

struct Targets {
    x: Vec<i64>,
    masked: Vec<bool>,
    length: usize,
    places: (usize, usize, usize),
}

/// A call of a function with arrays that it may keep.
struct Call {
    function: Function,
    inputs: Vec<InputArray>,
    targets: Option<Targets>,
    answer: SyncSender<Output>,
}

impl Request for Call {
    fn answer(self: Box<Self>, py: Python<'_>) -> PyResult<()> {
        let inputs = self.inputs.into_iter().map(|array| input(py, array)).collect::<PyResult<Vec<_>>>()?;
        let function = self.function.0.bind(py);
        let output = match self.targets {
            None => function.call_method1("call", (inputs,))?,
            Some(Targets { x, masked, length, places }) => {
                let rows = x.len() / length;
                let (x, masked) = (shaped(py, x, vec![rows, length])?, shaped(py, masked, vec![rows, length])?);
                function.call_method1("costs", (inputs, x, masked, places))?
            }
        };
        let output: PyReadonlyArrayDyn<'_, f32> = output.extract()?;
        let output = output.as_array();
        let _ = self.answer.send((output.iter().copied().collect(), output.shape().to_vec()));
        Ok(())
    }
}

/// An array of Rust as one of NumPy, with the same memory.
fn input(py: Python<'_>, array: InputArray) -> PyResult<Py<PyAny>> {
    match array {
        InputArray::Ids(ids, shape) => shaped(py, ids, shape),
        InputArray::Numbers(numbers, shape) => shaped(py, numbers, shape),
    }
}

fn shaped<T: numpy::Element>(py: Python<'_>, numbers: Vec<T>, shape: Vec<usize>) -> PyResult<Py<PyAny>> {
    let array = ArrayD::from_shape_vec(IxDyn(&shape), numbers);
    let array = array.map_err(|wrong| pyo3::exceptions::PyRuntimeError::new_err(wrong.to_string()))?;
    Ok(array.into_pyarray(py).into_any().unbind())
}
