//! A trained model, loaded from the folder of its run.

use std::path::Path;

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::data::{Dataset, Spec, Split};
use elbow_impls::network::Model;
use elbow_impls::train::checkpoint::State;
use elbow_impls::train::{Checkpoint, DataShape, Settings};
use elbow_impls::{DiffusionModel, Objective};

use super::imported::IMPORTED;
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
        if state.model_settings_hash.as_ref().is_some_and(|hash| *hash != settings.model_hash()) {
            let what = format!("{}: not the objective or the network of the checkpoint beside it", config.display());
            return Err(Error::input(
                what,
                "the file was edited after the training: undo that, or train a run with these settings",
            ));
        }
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

    /// Refuses data of another alphabet, length or number of classes than the network's: those of [`Self::check_shape`],
    /// and tokens of another tokenizer than that of training.
    pub fn check_fits(&self, data: &dyn Dataset) -> Result<(), Error> {
        self.check_shape(data)?;
        match self.other_tokens(data) {
            Some(what) => Err(Error::input(what, "name the tokenizer of the training")),
            None => Ok(()),
        }
    }

    /// Refuses data of another length or number of classes than the network's, or of other values. A text may have fewer
    /// tokens than the model has values: a vocabulary is enlarged, as to a round number, and the rest never occurs.
    pub fn check_shape(&self, data: &dyn Dataset) -> Result<(), Error> {
        let (ours, theirs) = (&self.state.data, DataShape::of(data));
        let classes = self.settings.class_conditioning && ours.classes != theirs.classes;
        // Images of one length can have several heights and widths.
        if let (Some([h, w, c]), Some([height, width, channels])) = (ours.image, theirs.image)
            && ours.image != theirs.image
        {
            let what = format!("{}: images of {height}x{width}x{channels}, the model's are {h}x{w}x{c}", data.name());
            return Err(Error::input(what, "use images of the same height, width and channels"));
        }
        let fewer = data.text().is_some() && theirs.values < ours.values;
        if (ours.values == theirs.values || fewer) && ours.length == theirs.length && !classes {
            return Ok(());
        }
        let what = format!(
            "{} has {} values, {} tokens per sequence and {} classes, the model {}, {} and {}",
            data.name(),
            theirs.values,
            theirs.length,
            theirs.classes,
            ours.values,
            ours.length,
            ours.classes
        );
        let holds_mask = data.text().and_then(|text| text.alphabet().tokenizer()).is_some_and(|t| t.mask().is_none());
        Err(Error::input(
            what,
            match holds_mask && theirs.values == ours.values + 1 {
                true => {
                    "where the tokenizer holds the mask token, name it: import with --mask-id [MASK], or set mask_id"
                }
                false => "use data of the same alphabet and sequence_length",
            },
        ))
    }

    /// How the data differ from those of training, which they should be where they have the same name; and how their
    /// tokens do, which must always be the same. None where they do not differ, or where nothing is recorded. Files of
    /// images hold one split each, of which only that of training is known.
    pub fn difference(&self, data: &dyn Dataset, spec: &Spec) -> Option<String> {
        let (ours, theirs) = (&self.state.dataset_hash, data.hash());
        let comparable = data.text().is_some() || spec.split == Split::Train;
        let same_name = spec.set == self.settings.data.dataset && comparable && !ours.starts_with(IMPORTED);
        self.other_tokens(data).or_else(|| {
            (same_name && ours != theirs).then(|| {
                let hashes = format!("its hash is {}, that of training was {}", short(theirs), short(ours));
                format!("{} is not what the model was trained on: {hashes}", data.name())
            })
        })
    }

    fn other_tokens(&self, data: &dyn Dataset) -> Option<String> {
        let (ours, theirs) = (self.state.alphabet_hash.as_ref()?, data.text()?.alphabet().hash().unwrap_or("none"));
        (ours != theirs).then(|| {
            let hashes = format!("its hash is {}, that of training was {}", short(theirs), short(ours));
            format!("{}: the tokenizer is not that of training, and ids may mean other tokens: {hashes}", data.name())
        })
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

/// The first digits of a hash.
fn short(hash: &str) -> &str {
    &hash[..hash.len().min(12)]
}
