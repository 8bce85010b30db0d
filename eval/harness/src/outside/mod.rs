//! Models from outside: an ONNX denoiser with a model file, judged by the same estimators as the implementations.

mod backend;
mod model_file;
mod network;
mod points;
mod probe;
mod rows;
mod tokens;

use std::path::Path;
use std::time::Duration;

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::DiffusionModel;
use elbow_impls::d3pm::{D3pmUniform, ReverseKernel};
use elbow_impls::data::{Dataset, Lines};
use elbow_impls::diffusion_model::Objective;
use elbow_impls::gaussian::{Gaussian, Prediction};
use elbow_impls::md4::Md4;
use elbow_impls::network::Denoiser;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_impls::train::ObjectiveConfig;
use elbow_impls::weighting::Weighting;
use elbow_metrics::Runtime;

pub(crate) use backend::function;
pub use backend::{Backend, CallTargets, CallTokens, Functions, LogitPlaces, function_inputs, with_functions};
pub use model_file::{
    ClassInput, DataTable, Frame, InputsTable, ModelFile, ModelKind, ModelTable, OutputMeaning, OutputTable,
    ProcessTable, TimeInput, TimeMeaning,
};
pub use points::OutsidePoints;
pub use probe::{Finding, Verdict};
pub use tokens::OutsideTokens;

use network::Network;

/// Tokens per sequence of a text where neither the network nor the user says how many.
const DEFAULT_LENGTH: usize = 64;

/// A model from outside, with the objective whose bound judges it.
pub struct OutsideModel {
    config: ObjectiveConfig,
    objective: Objective,
    denoiser: OutsideDenoiser,
    runtime: String,
}

enum OutsideDenoiser {
    Tokens(OutsideTokens),
    Points(OutsidePoints),
}

impl OutsideModel {
    /// Loads a model file and its network.
    ///
    /// The bound of a masked model is MD4's in continuous time, that of a uniform one D3PM's in continuous time, that of
    /// a Gaussian one VDM's in continuous time, each under the file's schedule.
    pub fn load(path: &Path, runtime: Runtime) -> Result<Self, Error> {
        let file = ModelFile::load(path)?;
        let config = config(&file).map_err(|e| e.of(path.display()))?;
        let (network, runtime) = match (file.model.onnx.clone(), file.model.python.clone()) {
            (Some(onnx), _) => {
                let name = runtime.to_string();
                (Network::load(file, &onnx, runtime)?, name)
            }
            (None, name) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                let function = backend::function(&name.unwrap_or_default(), folder, Some(&file))?;
                (Network::of_function(file, function), "python".to_owned())
            }
        };
        let denoiser = match &config {
            ObjectiveConfig::Md4(Md4 { schedule, .. }) | ObjectiveConfig::D3pmUniform(D3pmUniform { schedule, .. }) => {
                OutsideDenoiser::Tokens(OutsideTokens { network, schedule: schedule.clone() })
            }
            config => {
                let gaussian = config.gaussian().ok_or_else(|| Error::internal("the process of a model file"))?;
                OutsideDenoiser::Points(OutsidePoints { network, schedule: gaussian.schedule.clone() })
            }
        };
        Ok(Self { objective: config.objective(), config, denoiser, runtime })
    }

    /// The implementation whose objective judges the model: md4, d3pm-uniform, or that of the output's meaning.
    pub fn objective(&self) -> &ObjectiveConfig {
        &self.config
    }

    /// The name of the runtime that runs the network.
    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// The model's file.
    pub fn file(&self) -> &ModelFile {
        &self.network().file
    }

    /// SHA-256 of the ONNX file.
    pub fn hash(&self) -> &str {
        self.network().hash()
    }

    /// The denoiser with the objective.
    pub fn diffusion(&self) -> Result<DiffusionModel<'_>, Error> {
        Ok(self.objective.with(self.denoiser())?)
    }

    /// The denoiser alone.
    pub fn denoiser(&self) -> Denoiser<'_> {
        match &self.denoiser {
            OutsideDenoiser::Tokens(tokens) => Denoiser::Tokens(tokens),
            OutsideDenoiser::Points(points) => Denoiser::Gaussian(points),
        }
    }

    /// The error of the first call of the network that failed. To be asked after every piece of work: its result is not
    /// finite then.
    pub fn check_calls(&self) -> Result<(), Error> {
        match self.network().failure() {
            None => Ok(()),
            Some(what) => {
                let place = self.file().network_name();
                Err(Error::input(format!("{place}: {what}"), "see `elbow model check FILE`"))
            }
        }
    }

    /// The time that threads have spent in the network itself, all of them together: what is left of a run is the cost of
    /// everything around it.
    pub fn time_in_network(&self) -> Duration {
        self.network().spent()
    }

    /// Tokens per sequence of a text: the file's, or those `asked` for where the network takes any. Refuses others than the
    /// file's.
    pub fn length(&self, asked: Option<usize>) -> Result<usize, Error> {
        match (self.file().model.length, asked) {
            (Some(own), Some(asked)) if own != asked => {
                let what = format!("--length {asked}: the model's sequences have {own} tokens");
                Err(Error::input(what, "leave it out"))
            }
            (own, asked) => Ok(own.or(asked).unwrap_or(DEFAULT_LENGTH)),
        }
    }

    /// Refuses data of other values or another length than the model's. A text may have fewer tokens than the model has
    /// values: the rest never occurs.
    pub fn check_fits(&self, data: &dyn Dataset) -> Result<(), Error> {
        let (values, tokens, model) = (data.values(), data.length(), &self.file().model);
        let fewer = data.image().is_none() && values < model.values;
        if (values == model.values || fewer) && self.file().takes_length(tokens) {
            return Ok(());
        }
        let what = format!("{} has {values} values and {tokens} tokens per sequence", data.name());
        let length = model.length.map_or("any number".to_owned(), |length| length.to_string());
        Err(Error::input(
            format!("{what}, the model {} values and {length} of tokens", model.values),
            "name the data that the model was trained for",
        ))
    }

    /// Refuses sequences of other values or lengths than the model's.
    pub fn check_lines(&self, lines: &Lines) -> Result<(), Error> {
        let (values, [shortest, longest], file) = (lines.values(), lines.lengths(), self.file());
        if values <= file.model.values && [shortest, longest].iter().all(|&length| file.takes_length(length)) {
            return Ok(());
        }
        let what = format!("{} has {values} values and {shortest} to {longest} tokens per sequence", lines.name());
        let length = file.model.length.map_or("any number".to_owned(), |length| length.to_string());
        Err(Error::input(
            format!("{what}, the model {} values and {length} of tokens", file.model.values),
            "name the data that the model was trained for, or the id that fills shorter sequences up: pad_id",
        ))
    }

    /// Probes the network for mistakes of the model file: on the first sequences of `data`, or on random ones of `length`
    /// tokens, on which fewer mistakes show.
    pub fn probe(
        &self,
        data: Option<&dyn Dataset>,
        length: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Vec<Finding>, Error> {
        match &self.denoiser {
            OutsideDenoiser::Tokens(tokens) => probe::probe_tokens(tokens, data, length, seed, device),
            OutsideDenoiser::Points(points) => probe::probe_points(points, data, length, seed, device),
        }
    }

    fn network(&self) -> &Network {
        match &self.denoiser {
            OutsideDenoiser::Tokens(tokens) => &tokens.network,
            OutsideDenoiser::Points(points) => &points.network,
        }
    }
}

/// The implementation whose objective judges the model of a file.
fn config(file: &ModelFile) -> Result<ObjectiveConfig, Error> {
    let name = &file.process.schedule;
    let Some(prediction) = file.prediction() else {
        let schedule: MaskedSchedule = name.parse()?;
        if file.model.kind != ModelKind::Uniform {
            return Ok(ObjectiveConfig::Md4(Md4 { schedule, weighting: Weighting::Elbo, steps: None }));
        }
        if schedule.mask_probability(0.0) > 0.0 {
            let what = format!("schedule {schedule} has noise at t = 0, where the bound of a uniform model ends");
            return Err(Error::input(what, "name one without: linear, cosine or poly:W"));
        }
        let kernel = ReverseKernel::D3pm;
        return Ok(ObjectiveConfig::D3pmUniform(D3pmUniform { schedule, steps: None, kernel, hybrid_ce_weight: 0.0 }));
    };
    let schedule: GaussianSchedule = name.parse()?;
    if schedule.ends().is_none() {
        let what = format!("schedule {schedule} has no ends, which the bound needs");
        return Err(Error::input(what, format!("name them, gamma at the data and at the noise: {schedule}:-13.3:5")));
    }
    let gaussian =
        Gaussian { schedule, weighting: Weighting::Elbo, prediction, steps: None, levels: None, learned: false };
    Ok(match prediction {
        Prediction::Eps | Prediction::X | Prediction::V => ObjectiveConfig::Vdm(gaussian),
        Prediction::Velocity => ObjectiveConfig::Flow(gaussian),
        Prediction::Edm { .. } => ObjectiveConfig::Edm(gaussian),
    })
}
