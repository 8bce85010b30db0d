//! An ONNX network with named inputs of any shape, such as a denoiser, run by ONNX Runtime or by tract.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use elbow_base::hash::sha256;
use ort::session::{Session, SessionInputValue};
use ort::value::Value;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Extent;
use tract_onnx::pb::{ModelProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel,
};

use super::super::ports::{InputArray, NumberType, Port};
use super::super::runtime::Runtime;
use super::failure::{guarded, one_line};
use super::native::Sessions;
use super::structure;
use crate::{Error, Result};

/// The network compiled for an embedded call, by the shapes of its inputs.
type Plans = HashMap<Vec<Vec<usize>>, Arc<TypedRunnableModel>>;

/// The runtime's own state of a network.
enum State {
    Native(Sessions),
    Embedded(Mutex<Plans>),
}

/// A network that can be called.
pub struct OnnxSession {
    bytes: Arc<[u8]>,
    state: State,
    /// The inputs in the order of the file.
    pub inputs: Vec<Port>,
    /// The outputs in the order of the file.
    pub outputs: Vec<Port>,
    /// SHA-256 of the file.
    pub hash: String,
}

impl OnnxSession {
    /// Reads a network and the ports that it has; it is compiled at the first call.
    pub fn load(path: &Path, runtime: Runtime) -> Result<Self> {
        let bytes: Arc<[u8]> =
            std::fs::read(path).map_err(|e| Error::from(elbow_base::Error::reading(path)(e)))?.into();
        let wrong = |what: String| Error::input(format!("{}: {what}", path.display()), "give an ONNX network");
        let model = tract_onnx::onnx().proto_model_for_read(&mut &bytes[..]);
        let model: ModelProto = model.map_err(|e| wrong(format!("not an ONNX file: {e}")))?;
        let graph = model.graph.as_ref().ok_or_else(|| wrong("it has no graph".to_owned()))?;
        structure::check(graph).map_err(|e| e.of(path.display()))?;
        let is_weight = |port: &&ValueInfoProto| graph.initializer.iter().any(|tensor| tensor.name == port.name);
        let inputs = graph.input.iter().filter(|port| !is_weight(port)).map(port).collect();
        let outputs = graph.output.iter().map(port).collect();
        let state = match &runtime {
            Runtime::Native { library, cuda } => State::Native(Sessions::new(&bytes, library, *cuda)?),
            Runtime::Embedded => State::Embedded(Mutex::default()),
        };
        let hash = sha256(&bytes);
        Ok(Self { bytes, state, inputs, outputs, hash })
    }

    /// The input of this name.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// What `take` makes of the output `wanted` and its shape, for inputs in the order of [`Self::inputs`]. The output lies
    /// where the runtime has put it: a copy of large logits takes a part of the network's own time.
    pub fn run<T>(
        &self,
        inputs: &[InputArray],
        wanted: usize,
        take: impl FnOnce(&[f32], Vec<usize>) -> T,
    ) -> std::result::Result<T, String> {
        match &self.state {
            State::Native(sessions) => sessions
                .run(|session| self.run_native(session, inputs, wanted, take))
                .map_err(|e| one_line(&e.to_string())),
            State::Embedded(plans) => guarded(|| self.run_embedded(plans, inputs, wanted, take)),
        }
    }

    fn run_native<T>(
        &self,
        session: &mut Session,
        inputs: &[InputArray],
        wanted: usize,
        take: impl FnOnce(&[f32], Vec<usize>) -> T,
    ) -> ort::Result<T> {
        let mut given: Vec<(&str, SessionInputValue)> = Vec::new();
        for (port, input) in self.inputs.iter().zip(inputs) {
            let value: SessionInputValue = match (input, port.number) {
                (InputArray::Ids(ids, shape), Some(NumberType::Int32)) => {
                    Value::from_array((shape.clone(), ids.iter().map(|&id| id as i32).collect::<Vec<_>>()))?.into()
                }
                (InputArray::Ids(ids, shape), _) => Value::from_array((shape.clone(), ids.clone()))?.into(),
                (InputArray::Numbers(numbers, shape), _) => Value::from_array((shape.clone(), numbers.clone()))?.into(),
            };
            given.push((&port.name, value));
        }
        let outputs = session.run(given)?;
        let (shape, values) = outputs[wanted].try_extract_tensor::<f32>()?;
        Ok(take(values, shape.iter().map(|&n| n as usize).collect()))
    }

    fn run_embedded<T>(
        &self,
        plans: &Mutex<Plans>,
        inputs: &[InputArray],
        wanted: usize,
        take: impl FnOnce(&[f32], Vec<usize>) -> T,
    ) -> TractResult<T> {
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape().to_vec()).collect();
        let known = plans.lock().unwrap_or_else(PoisonError::into_inner).get(&shapes).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => {
                // Shapes that the exporter noted are of free axes, which the inputs fix.
                let onnx = tract_onnx::onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
                let mut model = onnx.model_for_read(&mut &self.bytes[..])?;
                for (place, (port, shape)) in self.inputs.iter().zip(&shapes).enumerate() {
                    let kind = match port.number {
                        Some(NumberType::Int64) => DatumType::I64,
                        Some(NumberType::Int32) => DatumType::I32,
                        _ => DatumType::F32,
                    };
                    model = model.with_input_fact(place, InferenceFact::dt_shape(kind, shape))?;
                }
                let plan = model.into_optimized().and_then(TypedModel::into_runnable)?;
                plans.lock().unwrap_or_else(PoisonError::into_inner).insert(shapes, Arc::clone(&plan));
                plan
            }
        };
        let tensor = |(port, input): (&Port, &InputArray)| match (input, port.number) {
            (InputArray::Ids(ids, shape), Some(NumberType::Int32)) => {
                Tensor::from_shape(shape, &ids.iter().map(|&id| id as i32).collect::<Vec<_>>())
            }
            (InputArray::Ids(ids, shape), _) => Tensor::from_shape(shape, ids),
            (InputArray::Numbers(numbers, shape), _) => Tensor::from_shape(shape, numbers),
        };
        let given = self.inputs.iter().zip(inputs).map(|pair| Ok(tensor(pair)?.into()));
        let outputs = plan.run(given.collect::<TractResult<_>>()?)?;
        let output = outputs[wanted].to_plain_array_view::<f32>()?;
        let shape = output.shape().to_vec();
        Ok(match output.as_slice() {
            Some(values) => take(values, shape),
            None => take(&output.iter().copied().collect::<Vec<_>>(), shape),
        })
    }
}

fn port(info: &ValueInfoProto) -> Port {
    let kind = info.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let tensor = kind.map(|type_proto::Value::TensorType(tensor)| tensor);
    let number = tensor.and_then(|tensor| match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Int64) => Some(NumberType::Int64),
        Ok(DataType::Int32) => Some(NumberType::Int32),
        Ok(DataType::Float) => Some(NumberType::Float32),
        _ => None,
    });
    let extents = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim[..]);
    let extent = |extent: Option<&Extent>| match extent {
        Some(Extent::DimValue(n)) => usize::try_from(*n).ok().filter(|&n| n > 0),
        _ => None,
    };
    let shape = extents.iter().map(|dim| extent(dim.value.as_ref())).collect();
    Port { name: info.name.clone(), number, shape }
}
