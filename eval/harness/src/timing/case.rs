//! A training problem to be timed in several programs: a short run, a fixed batch and the data.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::corruption::{MaskedBatch, mask_under};
use elbow_impls::data::{Dataset, Split, Tokens};
use elbow_impls::key::Key;
use elbow_impls::md4::Md4;
use elbow_impls::network::{Model, to_f64_vec};
use elbow_impls::objective::Batch;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::{Checkpoint, DataShape, NetworkConfig, ObjectiveConfig, Settings};
use elbow_impls::weighting::Weighting;
use elbow_metrics::NpzWriter;

use crate::runs::run_training;
use crate::workspace::Workspace;

/// Steps of a case's training.
const STEPS: usize = 20;

/// A problem in a folder.
pub struct Case {
    /// Settings of the run.
    pub settings: Settings,
    /// The training data.
    pub data: Box<dyn Dataset>,
    run: PathBuf,
}

impl Case {
    /// Trains a preset for its `steps` and writes run, batch and data.
    pub fn write(workspace: &Workspace, preset: &str, set: &[String], to: &Path) -> Result<Self, Error> {
        let few = [format!("steps={STEPS}")];
        let settings = Settings::resolve(preset, &[&few[..], set].concat())?;
        let known = matches!(
            settings.objective,
            ObjectiveConfig::Md4(Md4 {
                schedule: MaskedSchedule::Linear,
                weighting: Weighting::Simple | Weighting::Elbo,
                steps: None,
            })
        ) && settings.time_sampling == TimeSampling::Stratified
            && settings.accumulation == 1
            && matches!(settings.network, NetworkConfig::Transformer { .. })
            && !settings.class_conditioning;
        if !known {
            let what = format!(
                "{preset}: the peers know a transformer of md4 in continuous time: schedule linear, weighting simple or elbo, \
                 stratified times, no accumulation, no classes"
            );
            return Err(Error::input(what, "name such a preset, as md4-digits, and leave these settings"));
        }
        let data = workspace.open(&settings.data(Split::Train))?;
        workspace.make_folder(to)?;
        let run = to.join("run");
        let others = ["batch.npz", "data.npz"].map(|name| to.join(name)).into_iter().find(|file| file.exists());
        if let Some(file) = others.filter(|_| !run.join("config.toml").is_file()) {
            let what = format!("{} exists, and is not of a case", file.display());
            return Err(Error::input(what, "name another folder"));
        }
        run_training(workspace, &settings, data.as_ref(), &run)?;
        let case = Self { settings, data, run };
        let (batch, corrupted) = case.batch(&workspace.device)?;
        let z: Vec<u32> = corrupted.input.z.into_data().iter::<u32>().collect();
        let shape = [batch.len(), batch.x.length()];
        let mut file = NpzWriter::create(&to.join("batch.npz"))?;
        file.array("x", &shape, batch.x.ids())?;
        file.array("z", &shape, &z)?;
        file.array("t", &[batch.len()], &batch.u)?;
        file.array("weight", &[batch.len()], &weights(&batch))?;
        file.finish()?;
        let all = case.data.all()?;
        let mut file = NpzWriter::create(&to.join("data.npz"))?;
        file.array("x", &[all.len(), all.length()], all.ids())?;
        file.finish()?;
        Ok(case)
    }

    /// Opens a folder that [`Case::write`] wrote.
    pub fn open(workspace: &Workspace, from: &Path) -> Result<Self, Error> {
        let run = from.join("run");
        let settings = Settings::load(&run.join("config.toml"))?;
        let data = workspace.open(&settings.data(Split::Train))?;
        Ok(Self { settings, data, run })
    }

    /// The folder of the training run.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The fixed batch, the first sequences at stratified times, and the same masked.
    fn batch(&self, device: &Device) -> Result<(Batch, MaskedBatch), Error> {
        let count = self.settings.batch_size.min(self.data.len());
        let x: Tokens = self.data.select(&(0..count).collect::<Vec<_>>())?;
        let u = TimeSampling::Stratified.draw(count, &Key::new(0, "case times"));
        let batch = Batch::new(x, u);
        let key = Key::new(0, "case masks");
        let corrupted = mask_under(&MaskedSchedule::Linear, &batch, &batch.u, self.data.values(), &key, device)?;
        Ok((batch, corrupted))
    }

    /// Bits/dim of the fixed batch under the trained weights: each row's cost over its time.
    pub fn check(&self, workspace: &Workspace) -> Result<f64, Error> {
        let shape = self.settings.network(&DataShape::of(self.data.as_ref()))?;
        let model = Model::new(&shape, None, &Key::new(0, "replaced"), &workspace.device)?;
        let model = Checkpoint::of_run(&self.run).load_model(model)?;
        let (batch, corrupted) = self.batch(&workspace.device)?;
        let costs = to_f64_vec(corrupted.cross_entropy(model.tokens()?));
        let total: f64 = costs.iter().zip(weights(&batch)).map(|(cost, weight)| cost * weight).sum();
        Ok(total / batch.x.ids().len() as f64 / std::f64::consts::LN_2)
    }
}

/// The NELBO's weight of each row under the linear schedule: 1/t.
fn weights(batch: &Batch) -> Vec<f64> {
    batch.u.iter().map(|t| 1.0 / t).collect()
}
