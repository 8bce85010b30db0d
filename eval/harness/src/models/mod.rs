//! Models to judge: a run of this project or a model from outside, behind one type.
//!
//! ```no_run
//! use elbow_harness::likelihood::Estimator;
//! use elbow_harness::models::{AnyModel, DataChoice};
//! use elbow_impls::data::Split;
//! use elbow_metrics::Runtime;
//! # fn run(workspace: &elbow_harness::workspace::Workspace) -> Result<(), elbow_base::Error> {
//! let model = AnyModel::open("denoiser.toml".as_ref(), &workspace.device, || Ok(Runtime::Embedded))?;
//! let judged = model.data(workspace, &DataChoice::new(Split::Test))?;
//! let estimation = model.bound_estimation(judged.set.as_ref(), Estimator::Auto, 8, None, workspace.seed)?;
//! let bound = model.calls(|| estimation.run(&workspace.device, workspace.bar.as_ref()))?;
//! # Ok(())
//! # }
//! ```

mod cascade;
mod data;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_base::{Error, Progress};
use elbow_impls::DiffusionModel;
use elbow_impls::data::{Alphabet, Dataset, token_array};
use elbow_impls::network::Denoiser;
use elbow_impls::sampler_state::Samples;
use elbow_impls::train::ObjectiveConfig;
use elbow_metrics::Runtime;
use elbow_reports::record::Input;
use serde_json::{Map, Value, json};

pub use data::{DataChoice, JudgedData, TextChanges};

use crate::likelihood::{BoundEstimation, Estimator};
use crate::outside::OutsideModel;
use crate::provenance;
use crate::runs::Trained;
use crate::sampling::{self, Request, Sampled};
use crate::shards::Shards;

/// A model to judge.
pub struct AnyModel {
    /// The folder of the run, or the model file.
    pub place: PathBuf,
    /// What lies there.
    pub source: Source,
}

/// Where a model comes from.
pub enum Source {
    /// A run of this project.
    Run(Box<Trained>),
    /// A model from outside.
    Outside(Box<OutsideModel>),
}

impl AnyModel {
    /// Opens what lies at `place`: a folder is a run, a file a model file. The runtime is asked for only where there is an
    /// ONNX network to be run.
    pub fn open(
        place: &Path,
        device: &Device,
        runtime: impl FnOnce() -> Result<Runtime, Error>,
    ) -> Result<Self, Error> {
        match (place.is_dir(), place.is_file()) {
            (true, _) => Self::of_run(place, device),
            (_, true) => Self::of_file(place, runtime()?),
            _ => {
                let what = format!("{}: no such file or folder", place.display());
                Err(Error::input(what, "name the folder of a training run, or a model file (docs/your-model.md)"))
            }
        }
    }

    /// Opens the folder of a run.
    pub fn of_run(folder: &Path, device: &Device) -> Result<Self, Error> {
        Ok(Self { place: folder.to_owned(), source: Source::Run(Box::new(Trained::load(folder, device)?)) })
    }

    /// Opens a model file.
    pub fn of_file(file: &Path, runtime: Runtime) -> Result<Self, Error> {
        Ok(Self { place: file.to_owned(), source: Source::Outside(Box::new(OutsideModel::load(file, runtime)?)) })
    }

    /// The run, if it is one.
    pub fn run(&self) -> Option<&Trained> {
        match &self.source {
            Source::Run(run) => Some(run),
            Source::Outside(_) => None,
        }
    }

    /// The model from outside, if it is one.
    pub fn outside(&self) -> Option<&OutsideModel> {
        match &self.source {
            Source::Run(_) => None,
            Source::Outside(model) => Some(model),
        }
    }

    /// The denoiser with the objective whose bound judges it.
    pub fn diffusion(&self) -> Result<DiffusionModel<'_>, Error> {
        match &self.source {
            Source::Run(run) => run.diffusion(),
            Source::Outside(model) => model.diffusion(),
        }
    }

    /// The denoiser alone.
    pub fn denoiser(&self) -> Denoiser<'_> {
        match &self.source {
            Source::Run(run) => (&run.model).into(),
            Source::Outside(model) => model.denoiser(),
        }
    }

    /// The implementation whose objective judges the model: that of its training, or that which its file describes.
    pub fn objective(&self) -> &ObjectiveConfig {
        match &self.source {
            Source::Run(run) => &run.settings.objective,
            Source::Outside(model) => model.objective(),
        }
    }

    /// Refuses data of another alphabet, length or number of classes than the model's.
    pub fn check_fits(&self, data: &dyn Dataset) -> Result<(), Error> {
        match &self.source {
            Source::Run(run) => run.check_fits(data),
            Source::Outside(model) => model.check_fits(data),
        }
    }

    /// The estimation of the model's bound on `data`, with `draws` per sequence. It is told the classes of the data where
    /// it was made for them.
    pub fn bound_estimation<'a>(
        &'a self,
        data: &'a dyn Dataset,
        estimator: Estimator,
        draws: usize,
        sequences: Option<usize>,
        seed: u64,
    ) -> Result<BoundEstimation<'a>, Error> {
        Ok(BoundEstimation {
            conditional: self.is_told_classes_of(data),
            estimator,
            sequences,
            ..BoundEstimation::new(self.diffusion()?, data, draws, seed)
        })
    }

    /// Whether the model is told the class of each sequence of `data`.
    pub fn is_told_classes_of(&self, data: &dyn Dataset) -> bool {
        match &self.source {
            Source::Run(run) => run.settings.class_conditioning,
            Source::Outside(model) => model.denoiser().classes().is_some() && data.classes() > 0,
        }
    }

    /// Does work that calls the network. What made a network from outside fail says more than that a result is not finite:
    /// its error comes first.
    pub fn calls<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let done = work();
        self.check_calls()?;
        done
    }

    /// The error of the first call of the network that failed since the last question. To be asked after every piece of
    /// work; [`Self::calls`] does.
    pub fn check_calls(&self) -> Result<(), Error> {
        self.outside().map_or(Ok(()), OutsideModel::check_calls)
    }

    /// What cuts texts into the model's tokens; none where its tokens are of no text.
    pub fn alphabet(&self) -> Result<Option<Alphabet>, Error> {
        let (alphabet, mask) = match &self.source {
            Source::Run(run) => (run.settings.data.alphabet.as_deref(), run.settings.data.text.mask_id.as_deref()),
            Source::Outside(model) => (model.file().data.as_ref().and_then(|data| data.alphabet.as_deref()), None),
        };
        let of_text = alphabet.filter(|alphabet| token_array::values(alphabet).is_none());
        Ok(of_text.map(|alphabet| Alphabet::with_mask(alphabet, mask)).transpose()?)
    }

    /// Draws samples of the model.
    pub fn draw(&self, request: &Request, device: &Device, bar: &dyn Progress) -> Result<Samples, Error> {
        self.calls(|| sampling::draw(device, self, self.denoiser(), request, bar))
    }

    /// Draws samples of the model, or a part of them: then there are none yet.
    pub fn draw_in(
        &self,
        shards: &Shards,
        request: &Request,
        device: &Device,
        bar: &dyn Progress,
    ) -> Result<Option<Samples>, Error> {
        self.calls(|| sampling::draw_in(shards, device, self, self.denoiser(), request, bar))
    }

    /// SHA-256 of the averaged weights, or of the ONNX file.
    pub fn hash(&self) -> &str {
        match &self.source {
            Source::Run(run) => &run.hash,
            Source::Outside(model) => model.hash(),
        }
    }

    /// The inputs of a number about the model on `data`, for its provenance.
    pub fn inputs(&self, data: &dyn Dataset) -> Vec<Input> {
        self.inputs_beside(provenance::data_input(data))
    }

    /// The same where the data are given as an input.
    pub fn inputs_beside(&self, data: Input) -> Vec<Input> {
        vec![data, self.input()]
    }

    /// The model itself as an input.
    pub fn input(&self) -> Input {
        let name = match &self.source {
            Source::Run(_) => "ema.safetensors",
            Source::Outside(model) if model.file().model.python.is_some() => "network in Python",
            Source::Outside(_) => "network.onnx",
        };
        Input { name: name.into(), sha256: self.hash().to_owned() }
    }

    /// What a result says of the model: `step`, `origin` and `settings` of a run; `model` (the file) and `runtime` of a model
    /// from outside.
    pub fn facts(&self) -> Map<String, Value> {
        let facts = match &self.source {
            Source::Run(run) => {
                json!({ "step": run.state.step, "origin": run.state.origin, "settings": run.settings })
            }
            Source::Outside(model) => json!({ "model": model.file(), "runtime": model.runtime() }),
        };
        match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        }
    }
}

impl Sampled for AnyModel {
    fn objective(&self) -> &ObjectiveConfig {
        Self::objective(self)
    }

    fn window(&self) -> Option<usize> {
        match &self.source {
            Source::Run(run) => run.settings.window(),
            Source::Outside(model) => model.file().model.length,
        }
    }

    fn has_last_position(&self) -> bool {
        matches!(&self.source, Source::Run(run) if run.settings.has_last_position())
    }

    fn has_classes(&self) -> bool {
        self.denoiser().classes().is_some()
    }

    fn unguidable(&self) -> Option<[&'static str; 2]> {
        match &self.source {
            Source::Run(run) => run.settings.unguidable(),
            Source::Outside(model) => {
                let knows_no_class = model.file().inputs.class.as_ref().is_none_or(|class| class.none.is_some());
                (!knows_no_class).then_some([
                    "the model file says no id that means \"no class\"",
                    "guidance needs a model that knows \"no class\": give its id as none in inputs.class",
                ])
            }
        }
    }
}
