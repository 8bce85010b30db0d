//! Check: the model trained on the digits.

use elbow_base::bits_per_dim;
use elbow_impls::Key;
use elbow_impls::data::Dataset;
use elbow_impls::train::Settings;
use elbow_impls::train::log::read_progress;
use elbow_metrics::Images;

use super::independent_pixels_baseline::IndependentBaseline;
use super::prelude::*;
use super::reference_distance::ReferenceDistance;
use crate::images::of_dataset;
use crate::networks::digits_classifier;
use crate::runs::Trained;
use crate::sampling::Request;

/// The trained model against a baseline of independent pixels (each pixel's marginal in the training split).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedDigits {
    measure: Measure,
    preset: String,
    /// Changes to the preset.
    set: Vec<String>,
    /// Time draws per sequence (likelihood).
    #[serde(default)]
    draws: usize,
    /// Steps of the sampler (samples).
    #[serde(default)]
    steps: usize,
    /// Number of disjoint blocks of samples, and images per block (samples).
    #[serde(default)]
    blocks: usize,
    #[serde(default)]
    block_size: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// NELBO minus the baseline's negative log-likelihood, paired over test images.
    NelboMinusBaseline,
    /// Frechet distance of samples minus that of the baseline's samples, over blocks.
    DistanceMinusBaseline,
}

impl Check for TrainedDigits {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = inputs::presets(context, [&self.preset], &self.set)?;
        if let Measure::DistanceMinusBaseline = self.measure {
            inputs.push(inputs::network(&digits_classifier(context)?));
        }
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let train = context.dataset("digits:train")?;
        let (model, run) = context.trained_run(&self.preset, &self.set)?;
        let mut outcome = match self.measure {
            Measure::NelboMinusBaseline => self.likelihood(context, &model, train.as_ref())?,
            Measure::DistanceMinusBaseline => self.samples(context, &model, train.as_ref())?,
        };
        if let Measure::NelboMinusBaseline = self.measure {
            outcome.figures.push(training_curve(&read_progress(&run)?, &model.settings));
        }
        outcome.made.push(inputs::weights(&model));
        Ok(outcome)
    }
}

impl TrainedDigits {
    fn likelihood(&self, context: &Context, model: &Trained, train: &dyn Dataset) -> Result<Outcome, Error> {
        let test = context.dataset("digits:test")?;
        let bound = context.bound(model, test.as_ref(), self.draws, None)?;
        let bits = |nats: &[f64]| nats.iter().map(|n| bits_per_dim(*n, bound.dims)).collect::<Vec<_>>();
        let baseline = bits(&IndependentBaseline::fit(train)?.nats(&test.all()?));
        let difference = Estimate::of_pairs(&bits(&bound.per_sequence), &baseline);
        let quantity = "NELBO − independent pixels' NLL";
        let mut outcome = Outcome::estimated(quantity, difference, "bits/dim", "test images");
        let baseline = Estimate::of(&baseline);
        outcome.estimate_detail("NELBO of the test split", &bound.bits_per_dim, "bits/dim");
        outcome.detail("its reconstruction term", bound.reconstruction, None, "bits/dim");
        outcome.detail("its prior term", bound.prior, None, "bits/dim");
        outcome.estimate_detail("its diffusion term", &bound.diffusion, "bits/dim");
        outcome.estimate_detail("independent pixels", &baseline, "bits/dim");
        outcome.detail("uniform (untrained network)", 17f64.log2(), None, "bits/dim");
        outcome.detail("time draws per test image", self.draws as f64, None, "1");
        Ok(outcome)
    }

    fn samples(&self, context: &Context, model: &Trained, train: &dyn Dataset) -> Result<Outcome, Error> {
        let shape = train.image().ok_or_else(|| Error::internal("the digits are images"))?;
        let network = digits_classifier(context)?;
        let metric = network.metric_name();
        let count = self.blocks * self.block_size;
        let request = Request { steps: self.steps, ..context.request(model, count, train.length()) };
        let drawn = context.sample(model, &request)?;
        let ours = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let pixels = IndependentBaseline::fit(train)?;
        let tokens = pixels.draw(count, &Key::new(context.seed, "independent pixels"));
        let theirs = Images::from_tokens(&tokens, train.values(), shape);
        let bar = context.bar.as_ref();
        let reference = ReferenceDistance::new(network, &of_dataset(train)?, bar)?;
        let distances = |images| {
            let features = reference.network.features(images, bar)?;
            reference.of_blocks(&features, [self.blocks, self.block_size])
        };
        let (a, b) = (distances(&ours)?, distances(&theirs)?);
        let quantity = format!("{metric}: samples − independent pixels");
        let blocks = format!("blocks of {} samples", self.block_size);
        let mut outcome = Outcome::estimated(&quantity, Estimate::of_pairs(&a, &b), "1", &blocks);
        let real = of_dataset(context.dataset("digits:test")?.as_ref())?;
        let test = reference.network.features(&real, bar)?;
        let floor = reference.to(&test)?;
        let (a, b) = (Estimate::of(&a), Estimate::of(&b));
        outcome.estimate_detail(format!("{metric} of the model's samples"), &a, "1");
        outcome.estimate_detail(format!("{metric} of independent pixels"), &b, "1");
        outcome.detail(format!("{metric} of the test split (n = {})", test.len()), floor, None, "1");
        outcome.detail("network evaluations per sample (NFE)", drawn.nfe(), None, "1");
        let shown = 64.min(count);
        let panel = |title: &str, images: &Images| first_images(title, images, shown);
        outcome.figures.push(figure(
            "samples",
            "Samples",
            &format!(
                "The first {} samples of the seed, not chosen; {} ancestral steps on the cosine grid.",
                shown, self.steps
            ),
            vec![panel("Model", &ours), panel("Independent pixels", &theirs), panel("Test images", &real)],
        ));
        Ok(outcome)
    }
}

/// Weighted loss against step.
fn training_curve(metrics: &[elbow_impls::train::Progress], settings: &Settings) -> Figure {
    let steps: Vec<f64> = metrics.iter().map(|p| p.step as f64).collect();
    let loss: Vec<f64> = metrics.iter().map(|p| p.weighted_loss).collect();
    let series = vec![curve("training loss of one batch", Style::Line, steps, loss)];
    figure(
        "training",
        "Training on the digits",
        &format!(
            "The training loss ({}, no likelihood bound) of every {}th batch of {}: noisy, because each image is \
             masked at one random time. The bound on held-out images is the NELBO in the table.",
            settings.objective.weighting().map_or(settings.implementation().into(), |name| format!("{name} weighting")),
            settings.log_every,
            settings.batch_size
        ),
        vec![plot("", axis("step"), axis("weighted loss, nats / (D ln 2)"), series)],
    )
}
