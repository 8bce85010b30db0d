//! Models from outside: an ONNX denoiser with a model file, judged by the same estimators as the implementations.

mod model_file;
mod network;
mod points;
mod probe;
mod probe_points;
mod tokens;

use std::path::Path;

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::DiffusionModel;
use elbow_impls::d3pm::{D3pmUniform, ReverseKernel};
use elbow_impls::data::{Dataset, Spec, Split};
use elbow_impls::diffusion_model::Objective;
use elbow_impls::gaussian::Gaussian;
use elbow_impls::md4::Md4;
use elbow_impls::network::Denoiser;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule};
use elbow_impls::weighting::Weighting;
use elbow_metrics::Runtime;

pub use model_file::{
    ClassInput, DataTable, Frame, InputsTable, ModelFile, ModelKind, ModelTable, OutputMeaning, OutputTable,
    ProcessTable, TimeInput, TimeMeaning,
};
pub use points::OutsidePoints;
pub use probe::{Finding, Verdict};
pub use tokens::OutsideTokens;

use network::Network;

use crate::workspace::Workspace;

/// Tokens per sequence of a text where neither the network nor the user says how many.
const DEFAULT_LENGTH: usize = 64;

/// A model from outside, with the objective whose bound judges it.
pub struct OutsideModel {
    objective: Objective,
    denoiser: OutsideDenoiser,
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
        let (kind, name, prediction) = (file.model.kind, file.process.schedule.clone(), file.prediction());
        let network = Network::load(file, runtime)?;
        let (objective, denoiser) = match (kind, prediction) {
            (ModelKind::Gaussian, Some(prediction)) => {
                let schedule: GaussianSchedule = name.parse()?;
                let gaussian = Gaussian {
                    schedule: schedule.clone(),
                    weighting: Weighting::Elbo,
                    prediction,
                    steps: None,
                    levels: None,
                    learned: false,
                };
                let points = OutsideDenoiser::Points(OutsidePoints { network, schedule });
                (Objective::Gaussian(gaussian), points)
            }
            (kind, _) => {
                let schedule: MaskedSchedule = name.parse()?;
                let tokens = OutsideTokens { network, schedule: schedule.clone() };
                let objective: Objective = match kind {
                    ModelKind::Uniform => Objective::Tokens(Box::new(D3pmUniform {
                        schedule,
                        steps: None,
                        kernel: ReverseKernel::D3pm,
                        hybrid_ce_weight: 0.0,
                    })),
                    _ => Objective::Tokens(Box::new(Md4 { schedule, weighting: Weighting::Elbo, steps: None })),
                };
                (objective, OutsideDenoiser::Tokens(tokens))
            }
        };
        Ok(Self { objective, denoiser })
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
                let place = self.file().model.onnx.display();
                Err(Error::input(format!("{place}: {what}"), "see `elbow model check FILE`"))
            }
        }
    }

    /// Tokens per sequence: the file's, or those `asked` for where the network takes any.
    pub fn length(&self, asked: Option<usize>) -> usize {
        self.file().model.length.or(asked).unwrap_or(DEFAULT_LENGTH)
    }

    /// The data set of the model file, or another by name or file; none where neither names one. A text is cut into
    /// windows of `length` tokens.
    pub fn data(
        &self,
        workspace: &Workspace,
        name: Option<&str>,
        split: Split,
        length: usize,
    ) -> Result<Option<Box<dyn Dataset>>, Error> {
        let file = self.file();
        let own = file.data.as_ref();
        let Some(set) = name.or(own.map(|data| data.dataset.as_str())) else { return Ok(None) };
        let spec = Spec {
            alphabet: own.and_then(|data| data.alphabet.clone()),
            length: Some(length),
            ..Spec::new(set, split)
        };
        let data = workspace.open(&spec)?;
        let (values, tokens) = (data.values(), data.length());
        if values > file.model.values || file.model.length.is_some_and(|length| length != tokens) {
            let what = format!("{} has {values} values and {tokens} tokens per sequence", data.name());
            let length = file.model.length.map_or("any number".to_owned(), |length| length.to_string());
            return Err(Error::input(
                format!("{what}, the model {} values and {length} of tokens", file.model.values),
                "name the data that the model was trained for",
            ));
        }
        Ok(Some(data))
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
            OutsideDenoiser::Tokens(tokens) => probe::probe(tokens, data, length, seed, device),
            OutsideDenoiser::Points(points) => probe_points::probe(points, data, length, seed, device),
        }
    }

    fn network(&self) -> &Network {
        match &self.denoiser {
            OutsideDenoiser::Tokens(tokens) => &tokens.network,
            OutsideDenoiser::Points(points) => &points.network,
        }
    }
}
