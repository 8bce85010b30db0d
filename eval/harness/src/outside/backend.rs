//! What computes the output of a network from outside: an ONNX session, or a function of the program that uses elbow.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use elbow_base::Error;
use elbow_impls::network::{DrawLaw, Drawn};
use elbow_metrics::{InputArray, NumberType, OnnxSession, Port};

use super::{ModelFile, ModelKind};

/// What is done with an output and its extents.
pub type Take<'a> = dyn FnMut(&[f32], &[usize]) -> Result<(), String> + 'a;

/// Computes the output of a network from arrays for its inputs.
pub trait Backend: Send + Sync {
    /// The inputs, in the order in which a call takes them.
    fn inputs(&self) -> &[Port];

    /// The output of a call, row-major, with its extents; or what went wrong.
    fn run(&self, inputs: &[InputArray]) -> Result<(Vec<f32>, Vec<usize>), String>;

    /// Gives `take` the output of a call with its extents, where it lies: a copy of large logits takes a part of a
    /// network's own time.
    fn run_in_place(&self, inputs: &[InputArray], take: &mut Take) -> Result<(), String> {
        let (output, shape) = self.run(inputs)?;
        take(&output, &shape)
    }

    /// Whether [`Self::masked_costs`] has a shorter way than the output: logits that never leave their device.
    fn has_costs(&self) -> bool {
        false
    }

    /// -log mu of the masked tokens of a call and 0 of the others, \[rows, length\], nats.
    fn masked_costs(&self, _inputs: &[InputArray], _targets: &CallTargets) -> Result<Vec<f32>, String> {
        Err("it gives outputs alone".to_owned())
    }

    /// Whether [`Self::draws`] has a shorter way than the output.
    fn has_draws(&self) -> bool {
        false
    }

    /// A value for each of some tokens of a call, by `law`.
    fn draws(&self, _inputs: &[InputArray], _tokens: &CallTokens, _law: &DrawLaw) -> Result<Vec<Drawn>, String> {
        Err("it gives outputs alone".to_owned())
    }

    /// SHA-256 of what the network is made of.
    fn hash(&self) -> &str;
}

/// The tokens of a call whose costs are wanted.
pub struct CallTargets {
    /// The data values x, \[rows, length\].
    pub x: Vec<i64>,
    /// Whether each is masked.
    pub masked: Vec<bool>,
    /// Tokens per row, without those of the frame.
    pub length: usize,
    /// Where their logits stand.
    pub places: LogitPlaces,
}

/// The tokens of a call whose values are drawn.
pub struct CallTokens {
    /// The row of each.
    pub rows: Vec<i64>,
    /// Its position, the frame's tokens left out.
    pub positions: Vec<i64>,
    /// Where their logits stand.
    pub places: LogitPlaces,
}

/// Where the logits of the data values stand in an output.
#[derive(Clone, Copy, Debug)]
pub struct LogitPlaces {
    /// Number of the frame's tokens before a sequence.
    pub before: usize,
    /// Number of data values.
    pub values: usize,
    /// The column of the first data value in an output that has a column per id; an output of as many columns as data
    /// values has those alone.
    pub first: usize,
}

/// An ONNX session and the output that is wanted of it.
pub(super) struct Onnx {
    pub session: OnnxSession,
    pub output: usize,
}

impl Backend for Onnx {
    fn inputs(&self) -> &[Port] {
        &self.session.inputs
    }

    fn run(&self, inputs: &[InputArray]) -> Result<(Vec<f32>, Vec<usize>), String> {
        self.session.run(inputs, self.output, |output, shape| (output.to_vec(), shape))
    }

    fn run_in_place(&self, inputs: &[InputArray], take: &mut Take) -> Result<(), String> {
        self.session.run(inputs, self.output, |output, shape| take(output, &shape))?
    }

    fn hash(&self) -> &str {
        &self.session.hash
    }
}

/// Finds the functions that model files name, in the program that uses elbow.
pub trait Functions {
    /// The function of this name, as `module:function`; a module may lie in the `folder` of the model file. Without a model file it
    /// is a judge: its output for tokens \[rows, length\] is log p of each row, \[rows\], nats.
    fn find(&self, name: &str, folder: &Path, file: Option<&ModelFile>) -> Result<Box<dyn Backend>, Error>;
}

thread_local! {
    static FUNCTIONS: RefCell<Option<Rc<dyn Functions>>> = const { RefCell::new(None) };
}

/// Does work whose model files may name functions: those that this thread loads in the meantime.
pub fn with_functions<T>(functions: Rc<dyn Functions>, work: impl FnOnce() -> T) -> T {
    let before = FUNCTIONS.replace(Some(functions));
    let done = work();
    FUNCTIONS.set(before);
    done
}

/// The function that a model file names, or without one a judge.
pub(crate) fn function(name: &str, folder: &Path, file: Option<&ModelFile>) -> Result<Box<dyn Backend>, Error> {
    let functions = FUNCTIONS.with_borrow(Clone::clone).ok_or_else(|| {
        let what = format!("python = {name:?}: this program has no Python");
        Error::environment(
            what,
            "use the elbow of the wheel: pip install elbow-diffusion, then python -m elbow_diffusion",
        )
    })?;
    functions.find(name, folder, file)
}

/// The inputs of a function: tokens \[rows, length\], then time and class \[rows\] where the file names them.
pub fn function_inputs(file: &ModelFile) -> Vec<Port> {
    let port = |name: &str, number, shape: &[Option<usize>]| Port {
        name: name.to_owned(),
        number: Some(number),
        shape: shape.to_vec(),
    };
    let of_tokens = if file.model.kind == ModelKind::Gaussian { NumberType::Float32 } else { NumberType::Int64 };
    let length = file.model.length.map(|length| length + file.frame_length());
    let tokens = port(&file.inputs.tokens, of_tokens, &[None, length]);
    let time = file.inputs.time.iter().map(|time| port(&time.name, NumberType::Float32, &[None]));
    let class = file.inputs.class.iter().map(|class| port(&class.name, NumberType::Int64, &[None]));
    [tokens].into_iter().chain(time).chain(class).collect()
}
