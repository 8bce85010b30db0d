//! Networks that checks train, with their bounds, samples and probabilities.

use std::path::PathBuf;

use elbow_base::Error;
use elbow_impls::data::{Dataset, InMemory, Split};
use elbow_impls::sampler_state::Samples;
use elbow_impls::train::{Settings, TRAINING, Trainer};

use crate::claims::context::Context;
use crate::likelihood::{Bound, Estimator};
use crate::runs::{Trained, run_training};
use crate::sampling::{self, Request};

impl Context<'_> {
    /// Trains a network with a progress bar; nothing is written.
    pub(super) fn train<'a>(&self, settings: &Settings, data: &'a InMemory, label: &str) -> Result<Trainer<'a>, Error> {
        let mut trainer = Trainer::new(settings, data, &self.devices)?;
        self.bar.start(settings.steps, &format!("train on {label}"));
        for _ in 0..settings.steps {
            let progress = trainer.advance()?;
            self.bar.set(progress.step, format!("loss {:.3}", progress.weighted_loss));
        }
        self.bar.finish();
        Ok(trainer)
    }

    /// A preset trained to the end, and the folder of its run. The folder's name holds everything that shapes the run:
    /// an older one is never mistaken for it, and all claims about one run train it once.
    pub(super) fn trained_run(&self, preset: &str, set: &[String]) -> Result<(Trained, PathBuf), Error> {
        let settings = Settings::resolve(preset, set)?;
        let data = self.open(&settings.data(Split::Train))?;
        let run = self.out.join("runs").join(self.trained_name(preset, &settings, data.as_ref()));
        run_training(self, &settings, data.as_ref(), &run)?;
        Ok((Trained::load(&run, &self.device)?, run))
    }

    /// A preset trained to the end.
    pub(super) fn trained(&self, preset: &str, set: &[String]) -> Result<Trained, Error> {
        Ok(self.trained_run(preset, set)?.0)
    }

    /// The name of the folder of a run.
    pub(super) fn trained_name(&self, preset: &str, settings: &Settings, data: &dyn Dataset) -> String {
        let device = self.device_name.clone();
        let shape = [settings.to_toml(), data.hash().to_owned(), format!("training {TRAINING}"), device].join("\n");
        format!("{preset}-{}", &elbow_impls::hash::sha256(shape.as_bytes())[..12])
    }

    /// The bound of a trained model on the first `sequences` of some data (or all), by the estimator of least variance.
    pub(super) fn bound(
        &self,
        model: &Trained,
        data: &dyn Dataset,
        draws: usize,
        sequences: Option<usize>,
    ) -> Result<Bound, Error> {
        let estimation = model.bound_estimation(data, Estimator::Auto, draws, sequences, self.seed)?;
        estimation.run(&self.device, self.bar.as_ref())
    }

    /// A request for `count` samples of `length` tokens by the implementation's own sampler, with this run's seed.
    pub(super) fn request(&self, model: &Trained, count: usize, length: usize) -> Request {
        Request::new(&model.settings, &model.model, count, length, self.seed)
    }

    /// Samples of a trained model.
    pub(super) fn sample(&self, model: &Trained, request: &Request) -> Result<Samples, Error> {
        sampling::draw(&self.device, &model.settings, &model.model, request, self.bar.as_ref())
    }
}
