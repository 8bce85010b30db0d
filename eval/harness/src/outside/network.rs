//! The calls of a network from outside: arrays in, arrays out, in the batches that its file allows.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::kind::Basic;
use burn::tensor::{Tensor, TensorData};
use elbow_base::Error;
use elbow_impls::network::{DrawLaw, Drawn, Input, MaskedTargets, QueryPositions};
use elbow_metrics::{InputArray, NumberType, OnnxSession, Port, Runtime};

use super::ModelFile;
use super::backend::{Backend, CallTargets, CallTokens, LogitPlaces, Onnx};
use super::rows::{Rows, ids};

/// A network with the description of its ports.
pub(super) struct Network {
    backend: Box<dyn Backend>,
    pub file: ModelFile,
    /// Sequences per call, where the file fixes them.
    batch: Option<usize>,
    /// Whether the runtime compiles the network for each number of sequences: then calls have a power of two.
    few_sizes: bool,
    /// The first failed call: a denoiser has no way to say so, and returns NaN.
    failure: Mutex<Option<String>>,
    /// Nanoseconds that threads have spent in the network.
    spent: AtomicU64,
}

impl Network {
    /// The network of a function, which takes any number of rows.
    pub fn of_function(file: ModelFile, backend: Box<dyn Backend>) -> Self {
        Self { backend, file, batch: None, few_sizes: false, failure: Mutex::new(None), spent: AtomicU64::new(0) }
    }

    /// Loads the ONNX network of a model file and compares its ports with what the file says.
    pub fn load(file: ModelFile, onnx: &Path, runtime: Runtime) -> Result<Self, Error> {
        let few_sizes = runtime == Runtime::Embedded;
        let session = OnnxSession::load(onnx, runtime)?;
        let place = onnx.display().to_string();
        let wrong = |what: String| Error::input(format!("{place}: {what}"), "correct the model file");
        let names = |ports: &[Port]| ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
        let output = session.outputs.iter().position(|port| port.name == file.output.name);
        let output = output.ok_or_else(|| {
            wrong(format!("no output is called {:?}; it has {}", file.output.name, names(&session.outputs)))
        })?;
        let named = [Some(&file.inputs.tokens), file.inputs.time.as_ref().map(|time| &time.name)];
        let named: Vec<&String> =
            named.into_iter().chain([file.inputs.class.as_ref().map(|class| &class.name)]).flatten().collect();
        if let Some(name) = named.iter().find(|name| session.input(name).is_none()) {
            return Err(wrong(format!("no input is called {name:?}; it has {}", names(&session.inputs))));
        }
        if let Some(port) = session.inputs.iter().find(|port| !named.contains(&&port.name)) {
            let what = format!("its input {:?} is not among the model file's inputs", port.name);
            return Err(wrong(format!("{what}: {}", unnamed(port))));
        }
        if let Some(port) = session.inputs.iter().chain([&session.outputs[output]]).find(|port| port.number.is_none()) {
            let what = format!("{:?} has a type that is neither float32, int64 nor int32", port.name);
            return Err(wrong(format!("{what}: export the network in single precision")));
        }
        let tokens = session.input(&file.inputs.tokens).map_or(&[][..], |port| &port.shape);
        let &[batch, length] = tokens else {
            return Err(wrong(format!("{:?} is not [batch, length]", file.inputs.tokens)));
        };
        let whole = |length: usize| length + file.frame_length();
        match (length, file.model.length) {
            (Some(fixed), None) => {
                let what = format!("its sequences have {fixed} tokens");
                return Err(wrong(format!("{what}: say so, length = {}", fixed - file.frame_length().min(fixed))));
            }
            (Some(fixed), Some(length)) if fixed != whole(length) => {
                let what = format!("its sequences have {fixed} tokens, and the model file says {}", whole(length));
                return Err(wrong(match file.model.frame {
                    None if fixed > length => {
                        format!("{what}: say length = {fixed}, or name the ids around every sequence under frame")
                    }
                    _ => what,
                }));
            }
            _ => {}
        }
        let backend = Box::new(Onnx { session, output });
        Ok(Self { backend, file, batch, few_sizes, failure: Mutex::new(None), spent: AtomicU64::new(0) })
    }

    /// SHA-256 of the ONNX file, or of what a function is made of.
    pub fn hash(&self) -> &str {
        self.backend.hash()
    }

    /// The time that threads have spent in the network, all of them together.
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Whether a call takes any number of sequences.
    pub fn takes_any_batch(&self) -> bool {
        self.batch.is_none()
    }

    /// Whether a call takes sequences of any length.
    pub fn takes_any_length(&self) -> bool {
        let tokens = self.backend.inputs().iter().find(|port| port.name == self.file.inputs.tokens);
        tokens.is_some_and(|port| port.shape.get(1) == Some(&None))
    }

    /// The first failed call, if one has failed since the last question.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The output for each sequence, \[sequences, positions, width\] (width 1 for points): `row` gives the input array
    /// of one sequence, `time` the number of its noise.
    pub fn call<K: Basic>(&self, input: &Input<K>, rows: &Rows, times: &[f64]) -> Result<(Vec<f32>, usize), String> {
        let (mut values, mut all) = (Vec::new(), 0);
        self.call_with(input, rows, times, |_, output, width| {
            all = width;
            values.extend_from_slice(output);
            Ok(())
        })?;
        Ok((values, all))
    }

    /// The same, without a copy: `take` is given the number of the first sequence of a call, the outputs of its sequences,
    /// and the width.
    pub fn call_with<K: Basic>(
        &self,
        input: &Input<K>,
        rows: &Rows,
        times: &[f64],
        mut take: impl FnMut(usize, &[f32], usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let class: Option<Vec<i64>> = input.class.clone().map(ids);
        let count = times.len();
        let free = if self.few_sizes { count.next_power_of_two() } else { count };
        let size = self.batch.unwrap_or(free).max(1);
        for first in (0..count).step_by(size) {
            // The last call is filled up with its last sequence.
            let members: Vec<usize> = (first..first + size).map(|index| index.min(count - 1)).collect();
            let arrays = self.arrays(&members, rows, times, class.as_deref())?;
            let start = Instant::now();
            self.backend.run_in_place(&arrays, &mut |part, shape| {
                self.spent.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
                let per_sequence = part.len() / members.len();
                if shape.len() == 3 && shape[1] != rows.length && shape[2] == rows.length {
                    return Err(format!(
                        "its output has the shape {shape:?}, with the values before the tokens: transpose it to \
                         [batch, length, V] in the export"
                    ));
                }
                if !part.len().is_multiple_of(members.len()) || !per_sequence.is_multiple_of(rows.length) {
                    return Err(format!("its output has the shape {shape:?} for {size} sequences of {}", rows.length));
                }
                take(first, &part[..per_sequence * size.min(count - first)], per_sequence / rows.length)
            })?;
        }
        Ok(())
    }

    /// Whether [`Self::masked_costs`] has a shorter way than the output.
    pub fn has_costs(&self) -> bool {
        self.backend.has_costs()
    }

    /// -log mu of the masked tokens, \[sequences, length\], nats; `first` is the id of the first data value.
    pub fn masked_costs(
        &self,
        input: &Input,
        rows: &Rows,
        times: &[f64],
        targets: &MaskedTargets,
        first: usize,
    ) -> Result<Vec<f32>, String> {
        let targets = CallTargets {
            x: targets.x.iter().map(|&x| i64::from(x)).collect(),
            masked: targets.masked.clone(),
            length: targets.length,
            places: self.places(first),
        };
        self.backend.masked_costs(&self.all_arrays(input, rows, times)?, &targets)
    }

    /// Whether [`Self::draws`] has a shorter way than the output.
    pub fn has_draws(&self) -> bool {
        self.backend.has_draws()
    }

    /// A value for each position, by `law`; `first` is the id of the first data value.
    pub fn draws(
        &self,
        input: &Input,
        rows: &Rows,
        times: &[f64],
        positions: &QueryPositions,
        law: &DrawLaw,
        first: usize,
    ) -> Result<Vec<Drawn>, String> {
        let (of_rows, positions) = positions.iter().map(|(row, position)| (row as i64, position as i64)).unzip();
        let tokens = CallTokens { rows: of_rows, positions, places: self.places(first) };
        self.backend.draws(&self.all_arrays(input, rows, times)?, &tokens, law)
    }

    fn places(&self, first: usize) -> LogitPlaces {
        let before = usize::from(self.file.model.frame.unwrap_or_default().first.is_some());
        LogitPlaces { before, values: self.file.model.values, first }
    }

    /// The inputs of a call for all sequences.
    fn all_arrays(&self, input: &Input, rows: &Rows, times: &[f64]) -> Result<Vec<InputArray>, String> {
        let class: Option<Vec<i64>> = input.class.clone().map(ids);
        let members: Vec<usize> = (0..times.len()).collect();
        self.arrays(&members, rows, times, class.as_deref())
    }

    /// The inputs of a call for these sequences.
    fn arrays(
        &self,
        members: &[usize],
        rows: &Rows,
        times: &[f64],
        class: Option<&[i64]>,
    ) -> Result<Vec<InputArray>, String> {
        self.backend.inputs().iter().map(|port| self.array(port, members, rows, times, class)).collect()
    }

    fn array(
        &self,
        port: &Port,
        members: &[usize],
        rows: &Rows,
        times: &[f64],
        class: Option<&[i64]>,
    ) -> Result<InputArray, String> {
        let inputs = &self.file.inputs;
        if port.name == inputs.tokens {
            return Ok(rows.of(members));
        }
        let per_sequence = match port.shape.len() {
            1 => vec![members.len()],
            2 => vec![members.len(), 1],
            rank => return Err(format!("its input {:?} has {rank} axes: one number per sequence", port.name)),
        };
        if inputs.time.as_ref().is_some_and(|time| time.name == port.name) {
            return Ok(InputArray::Numbers(members.iter().map(|&row| times[row] as f32).collect(), per_sequence));
        }
        let none = inputs.class.as_ref().and_then(|class| class.none);
        let classes = inputs.class.as_ref().map_or(0, |class| class.classes as i64);
        let id = |&row: &usize| match (class.map(|class| class[row]), none) {
            (Some(id), _) if id < classes => Ok(id),
            (_, Some(none)) => Ok(i64::from(none)),
            _ => {
                Err("the network needs a class, and none is given; the model file has no inputs.class.none".to_owned())
            }
        };
        let ids = members.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        Ok(match port.number {
            Some(NumberType::Float32) => InputArray::Numbers(ids.iter().map(|&id| id as f32).collect(), per_sequence),
            _ => InputArray::Ids(ids, per_sequence),
        })
    }

    /// The tensor \[rows, length, width\] of a call's result; NaN where it failed, which [`Self::failure`] then tells.
    pub fn tensor_or_nan(
        &self,
        called: Result<Vec<f32>, String>,
        shape: [usize; 3],
        device: &burn::tensor::Device,
    ) -> Tensor<3> {
        let values = called.unwrap_or_else(|what| {
            self.failed(what);
            vec![f32::NAN; shape.iter().product()]
        });
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Keeps what went wrong in a call, if it is the first.
    pub fn failed(&self, what: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }
}

/// What to do about an input that the model file does not name.
fn unnamed(port: &Port) -> &'static str {
    match (port.number, port.shape.len()) {
        (Some(NumberType::Float32), 0..=1) | (Some(NumberType::Float32), 2) if port.shape.get(1) != Some(&None) => {
            "the network sees a time; name it under inputs.time, or fix it in the export"
        }
        (Some(NumberType::Int64 | NumberType::Int32), 0..=1) => {
            "a class or a time per sequence; name it under inputs.class or inputs.time, or fix it in the export"
        }
        _ => "a number per token, as an attention mask; fix it in the export",
    }
}
