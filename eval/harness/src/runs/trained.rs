//! A trained model, loaded from the folder of its run.

use std::path::Path;

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::data::Dataset;
use elbow_impls::network::Model;
use elbow_impls::train::checkpoint::State;
use elbow_impls::train::{Checkpoint, DataShape, Settings};
use elbow_impls::{DiffusionModel, Objective};

use crate::likelihood::{BoundEstimation, Estimator};

/// A trained model with its settings and objective.
pub struct Trained {
    /// Settings of the training.
    pub settings: Settings,
    /// The training objective, which also gives the bound.
    pub objective: Objective,
    /// The network with the averaged weights.
    pub model: Model,
    /// Step, data and files of the checkpoint.
    pub state: State,
    /// SHA-256 of the averaged weights.
    pub hash: String,
}

impl Trained {
    /// Loads the averaged weights of a run.
    pub fn load(run: &Path, device: &Device) -> Result<Self, Error> {
        let config = run.join("config.toml");
        if !config.is_file() {
            let what = format!("{}: no config.toml", run.display());
            return Err(Error::input(what, "name the folder of a training run, as `elbow train` printed it"));
        }
        let settings = Settings::load(&config)?;
        let checkpoint = Checkpoint::of_run(run);
        let state = checkpoint.state()?.ok_or_else(|| {
            Error::input(
                format!("{}: no checkpoint yet", run.display()),
                "let `elbow train` run until its first checkpoint",
            )
        })?;
        let shape = settings.network(&state.data)?;
        let key = elbow_impls::Key::new(0, "replaced");
        let model = Model::new(&shape, settings.objective.learned_schedule(), &key, device)?;
        Ok(Self {
            objective: settings.objective(),
            model: checkpoint.load_ema(model)?,
            hash: state.files["ema.safetensors"].clone(),
            settings,
            state,
        })
    }

    /// Refuses data of another alphabet, length or number of classes than the network's.
    pub fn check_fits(&self, data: &dyn Dataset) -> Result<(), Error> {
        let (ours, theirs) = (&self.state.data, DataShape::of(data));
        let classes = self.settings.class_conditioning && ours.classes != theirs.classes;
        // Images of one length can have several heights and widths.
        if let (Some([h, w, c]), Some([height, width, channels])) = (ours.image, theirs.image)
            && ours.image != theirs.image
        {
            let what = format!("{}: images of {height}x{width}x{channels}, the model's are {h}x{w}x{c}", data.name());
            return Err(Error::input(what, "use images of the same height, width and channels"));
        }
        if (ours.values, ours.length) != (theirs.values, theirs.length) || classes {
            let what = format!(
                "{} has {} values, {} tokens a sequence and {} classes, the model {}, {} and {}",
                data.name(),
                theirs.values,
                theirs.length,
                theirs.classes,
                ours.values,
                ours.length,
                ours.classes
            );
            return Err(Error::input(what, "use data of the same alphabet and sequence_length"));
        }
        Ok(())
    }

    /// The model with its objective.
    pub fn diffusion(&self) -> Result<DiffusionModel<'_>, Error> {
        Ok(self.objective.with(&self.model)?)
    }

    /// The estimation of the model's bound on `data`, with `draws` per sequence.
    pub fn bound_estimation<'a>(
        &'a self,
        data: &'a dyn Dataset,
        estimator: Estimator,
        draws: usize,
        sequences: Option<usize>,
        seed: u64,
    ) -> Result<BoundEstimation<'a>, Error> {
        Ok(BoundEstimation {
            conditional: self.settings.class_conditioning,
            estimator,
            sequences,
            ..BoundEstimation::new(self.diffusion()?, data, draws, seed)
        })
    }
}
