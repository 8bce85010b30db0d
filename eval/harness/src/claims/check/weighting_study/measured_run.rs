//! One training and everything that is measured of it, kept beside its checkpoint.

use impls::data::Dataset;
use impls::md4::Grid;
use impls::schedule::MaskedSchedule;
use impls::train::Settings;
use serde::{Deserialize, Serialize};

use super::super::distances::Ruler;
use super::Weightings;
use super::profile::{Level, profile};
use crate::failure::Failure;
use crate::fid::{Balls, Images, OnBad, Survey, between_features, entropy, kid, prdc};
use crate::likelihood::Estimator;
use crate::runs::Trained;
use crate::runs::run_training;
use crate::sampling::{self, Request, Sampler};
use crate::claims::context::{Check, Context};
use elbow_base::atomic_file;

/// The numbers of one training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Measured {
    /// SHA-256 of the averaged weights.
    pub weights: String,
    /// The bound on test images, bits/dim.
    pub nelbo: f64,
    /// Frechet distance and KID of the samples to the training images.
    pub distance: f64,
    pub kid: f64,
    pub precision: f64,
    pub recall: f64,
    /// Of the classes that a classifier sees in the samples, bits.
    pub class_entropy: f64,
    /// Of the grey levels of one sample, bits.
    pub image_entropy: f64,
    /// Network evaluations a sample.
    pub nfe: f64,
    /// By noise level, from little noise to much.
    pub levels: Vec<Level>,
    /// The first samples, pixels of each.
    pub shown: Vec<Vec<u8>>,
}

/// Samples that are kept to be looked at.
const SHOWN: usize = 16;

impl Weightings {
    /// Trains in OUT/runs/`name`, or finds what was trained and measured there.
    pub(super) fn member(
        &self,
        context: &Context,
        settings: &Settings,
        name: &str,
        [train, test]: [&dyn Dataset; 2],
        ruler: &Ruler,
    ) -> Result<Measured, Failure> {
        let run = context.out.join("runs").join(name);
        let numbers = [Some(self.draws), self.sequences, Some(self.samples), Some(self.steps), self.references];
        let protocol = format!("{numbers:?} {} {}", context.seed, ruler.network.hash());
        let kept = run.join(format!("measured-{}.json", &impls::hash::sha256(protocol.as_bytes())[..12]));
        if let Ok(text) = std::fs::read(&kept)
            && let Ok(measured) = serde_json::from_slice(&text)
        {
            return Ok(measured);
        }
        run_training(context, settings, train, &run)?;
        let model = Trained::load(&run, &context.device)?;
        let bound = model
            .question(test, Estimator::Auto, self.draws, self.sequences, context.seed)
            .answer(&context.device, context.bar.as_ref())?;
        let levels = profile(&run, [train, test], self.sequences, &context.device, context.seed)?;
        let measured = self.samples(context, &model, train, ruler, (bound.bits_per_dim.value, levels))?;
        let text = serde_json::to_vec(&measured).map_err(|e| Failure::internal(e.to_string()))?;
        atomic_file::write(&kept, &text)?;
        Ok(measured)
    }

    /// What is measured of samples, beside the bound and its levels; every arm is sampled alike.
    fn samples(
        &self,
        context: &Context,
        model: &Trained,
        train: &dyn Dataset,
        ruler: &Ruler,
        (nelbo, levels): (f64, Vec<Level>),
    ) -> Result<Measured, Failure> {
        let plain = Request::new(&model.settings, &model.model, self.samples, train.length(), model.settings.seed);
        let sampler = if model.settings.is_gaussian() { plain.sampler } else { Sampler::Ancestral };
        let request =
            Request { sampler, steps: self.steps, grid: Grid::Cosine, schedule: MaskedSchedule::Linear, ..plain };
        let bar = context.bar.as_ref();
        let drawn = sampling::draw(context, &model.settings, &model.model, &request, bar)?;
        let shape = train.image().ok_or_else(|| Failure::internal("weightings are compared on images"))?;
        let images = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let found = ruler.network.outputs_of(&images, bar)?;
        let survey = Survey::take(&images, [1, 1], OnBad::Error, bar)?;
        let entropies = entropy(&survey, found.logits.as_ref());
        let balls = [Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE];
        let shares = prdc(&found.features, &ruler.reference, balls[0], balls[1], bar)?;
        Ok(Measured {
            weights: model.hash.clone(),
            nelbo,
            distance: between_features(&found.features, &ruler.reference, &ruler.network.origin())?.value,
            kid: kid(&found.features, &ruler.reference, bar)?.value,
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
