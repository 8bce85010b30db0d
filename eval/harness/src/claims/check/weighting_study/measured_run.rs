//! One training with all its measurements, kept beside its checkpoint.

use elbow_base::{Error, atomic_file};
use elbow_impls::data::Dataset;
use elbow_impls::md4::Grid;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::Settings;
use elbow_metrics::{BadImagePolicy, Balls, ImageScan, Images, entropy, kid, prdc};
use serde::{Deserialize, Serialize};

use super::super::reference_distance::ReferenceDistance;
use super::WeightingStudy;
use super::profile::{Level, profile};
use crate::likelihood::Estimator;
use crate::runs::{Trained, run_training};
use crate::sampling::{self, Request, Sampler};
use crate::workspace::Workspace;

/// The numbers of one training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct MeasuredRun {
    /// SHA-256 of the averaged weights.
    pub weights: String,
    /// The bound on test images, bits/dim.
    pub nelbo: f64,
    /// Frechet distance and KID of the samples to the training images.
    pub distance: f64,
    pub kid: f64,
    pub precision: f64,
    pub recall: f64,
    /// Entropy of the classes that a classifier sees in the samples, bits.
    pub class_entropy: f64,
    /// Entropy of the grey levels of one sample, bits.
    pub image_entropy: f64,
    /// Network evaluations per sample.
    pub nfe: f64,
    /// By noise level, from little noise to much.
    pub levels: Vec<Level>,
    /// The first samples, pixels of each.
    pub shown: Vec<Vec<u8>>,
}

/// Number of samples kept for the figures.
const SHOWN: usize = 16;

impl WeightingStudy {
    /// Trains and measures in OUT/runs/`name`, or reads the measurements kept there.
    pub(super) fn measured_run(
        &self,
        workspace: &Workspace,
        settings: &Settings,
        name: &str,
        [train, test]: [&dyn Dataset; 2],
        reference: &ReferenceDistance,
    ) -> Result<MeasuredRun, Error> {
        let run = workspace.out.join("runs").join(name);
        let numbers = [Some(self.draws), self.sequences, Some(self.samples), Some(self.steps), self.references];
        let protocol = format!("{numbers:?} {} {}", workspace.seed, reference.network.hash());
        let kept = run.join(format!("measured-{}.json", &elbow_impls::hash::sha256(protocol.as_bytes())[..12]));
        if let Ok(text) = std::fs::read(&kept)
            && let Ok(measured) = serde_json::from_slice(&text)
        {
            return Ok(measured);
        }
        run_training(workspace, settings, train, &run)?;
        let model = Trained::load(&run, &workspace.device)?;
        let bound = model
            .bound_estimation(test, Estimator::Auto, self.draws, self.sequences, workspace.seed)?
            .run(&workspace.device, workspace.bar.as_ref())?;
        let levels = profile(&run, [train, test], self.sequences, &workspace.device, workspace.seed)?;
        let measured = self.samples(workspace, &model, train, reference, (bound.bits_per_dim.value, levels))?;
        let text = serde_json::to_vec(&measured).map_err(|e| Error::internal(e.to_string()))?;
        atomic_file::write(&kept, &text)?;
        Ok(measured)
    }

    /// The measurements of samples, with the bound and its levels; every arm is sampled alike.
    fn samples(
        &self,
        workspace: &Workspace,
        model: &Trained,
        train: &dyn Dataset,
        reference: &ReferenceDistance,
        (nelbo, levels): (f64, Vec<Level>),
    ) -> Result<MeasuredRun, Error> {
        let plain = Request::new(&model.settings, &model.model, self.samples, train.length(), model.settings.seed);
        let sampler = if model.settings.is_gaussian() { plain.sampler } else { Sampler::Ancestral };
        let request =
            Request { sampler, steps: self.steps, grid: Grid::Cosine, schedule: MaskedSchedule::Linear, ..plain };
        let bar = workspace.bar.as_ref();
        let drawn = sampling::draw(&workspace.device, &model.settings, &model.model, &request, bar)?;
        let shape = train.image().ok_or_else(|| Error::internal("weightings are compared on images"))?;
        let images = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let found = reference.network.outputs_of(&images, bar)?;
        let survey = ImageScan::take(&images, BadImagePolicy::Error, bar)?;
        let entropies = entropy(&survey, found.logits.as_ref());
        let balls = [Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE];
        let shares = prdc(&found.features, &reference.reference, balls[0], balls[1], bar)?;
        Ok(MeasuredRun {
            weights: model.hash.clone(),
            nelbo,
            distance: reference.to(&found.features)?,
            kid: kid(&found.features, &reference.reference, bar)?.value,
            precision: shares.precision.value,
            recall: shares.recall.value,
            class_entropy: entropies.class_bits.unwrap_or(f64::NAN),
            image_entropy: entropies.image_bits.value,
            nfe: drawn.nfe(),
            levels,
            shown: (0..SHOWN.min(images.len())).map(|i| images.pixels(i).to_vec()).collect(),
        })
    }
}
