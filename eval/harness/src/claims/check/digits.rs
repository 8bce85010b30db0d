//! Check: the model trained on the digits.

use impls::Key;
use impls::data::Dataset;
use impls::train::Settings;
use impls::train::log::read_progress;
use reports::record::{Figure, Input, Style};
use serde::Deserialize;

use super::distances::{first_images, of_blocks};
use super::independent::Independent;
use super::{Outcome, axis, curve, figure, plot, run_inputs, trained_run, weights_of};
use crate::failure::Failure;
use crate::fid::{Images, between_features};
use crate::images::of_dataset;
use crate::likelihood::{Estimate, Estimator};
use crate::networks::digits_classifier;
use crate::runs::Trained;
use crate::sampling::{self, Request};
use crate::claims::context::{Check, Context};

/// The trained model against a baseline of independent pixels (each pixel's marginal in the training split).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedDigits {
    measure: Measure,
    preset: String,
    /// Changes to the preset.
    set: Vec<String>,
    /// Time draws a sequence (likelihood).
    #[serde(default)]
    draws: usize,
    /// Steps of the sampler (samples).
    #[serde(default)]
    steps: usize,
    /// Disjoint blocks of samples, and images in each (samples).
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

impl TrainedDigits {
    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        let mut inputs = run_inputs(context, &self.preset, &self.set)?;
        if let Measure::DistanceMinusBaseline = self.measure {
            let network = digits_classifier(context)?;
            inputs.push(Input { name: network.metric_name(), sha256: network.hash().to_owned() });
        }
        Ok(inputs)
    }

    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let train = context.dataset("digits:train")?;
        let (model, run) = trained_run(context, &self.preset, &self.set)?;
        let mut outcome = match self.measure {
            Measure::NelboMinusBaseline => self.likelihood(context, &model, train.as_ref())?,
            Measure::DistanceMinusBaseline => self.samples(context, &model, train.as_ref())?,
        };
        if let Measure::NelboMinusBaseline = self.measure {
            outcome.figures.push(training_curve(&read_progress(&run)?, &model.settings));
        }
        outcome.made.push(weights_of(&model));
        Ok(outcome)
    }

    fn likelihood(&self, context: &Context, model: &Trained, train: &dyn Dataset) -> Result<Outcome, Failure> {
        let test = context.dataset("digits:test")?;
        let bound = model
            .question(test.as_ref(), Estimator::Auto, self.draws, None, context.seed)
            .answer(&context.device, context.bar.as_ref())?;
        let to_bits = 1.0 / (bound.dims as f64 * std::f64::consts::LN_2);
        let baseline: Vec<f64> = Independent::fit(train)?.nats(&test.all()?).iter().map(|n| n * to_bits).collect();
        let ours: Vec<f64> = bound.per_sequence.iter().map(|n| n * to_bits).collect();
        let paired: Vec<f64> = ours.iter().zip(&baseline).map(|(a, b)| a - b).collect();
        let difference = Estimate::of(&paired);
        let mut outcome = Outcome::exact("NELBO − independent pixels' NLL", difference.value, "bits/dim")
            .over(paired.len(), "test images")
            .with_error(difference.standard_error);
        let baseline = Estimate::of(&baseline);
        let b = &bound.bits_per_dim;
        outcome.detail("NELBO of the test split", b.value, Some(b.standard_error), "bits/dim");
        outcome.detail("its reconstruction term", bound.reconstruction, None, "bits/dim");
        outcome.detail("its prior term", bound.prior, None, "bits/dim");
        outcome.detail("its diffusion term", bound.diffusion.value, Some(bound.diffusion.standard_error), "bits/dim");
        outcome.detail("independent pixels", baseline.value, Some(baseline.standard_error), "bits/dim");
        outcome.detail("uniform (untrained network)", 17f64.log2(), None, "bits/dim");
        outcome.detail("time draws a test image", self.draws as f64, None, "1");
        Ok(outcome)
    }

    fn samples(&self, context: &Context, model: &Trained, train: &dyn Dataset) -> Result<Outcome, Failure> {
        let shape = train.image().ok_or_else(|| Failure::internal("the digits are images"))?;
        let network = digits_classifier(context)?;
        let metric = network.metric_name();
        let count = self.blocks * self.block_size;
        let request = Request {
            steps: self.steps,
            ..Request::new(&model.settings, &model.model, count, train.length(), context.seed)
        };
        let drawn = sampling::draw(context, &model.settings, &model.model, &request, context.bar.as_ref())?;
        let ours = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let pixels = Independent::fit(train)?;
        let tokens = pixels.draw(count, &Key::new(context.seed, "independent pixels"));
        let theirs = Images::from_tokens(&tokens, train.values(), shape);
        let reference = network.features(&of_dataset(train)?, context.bar.as_ref())?;
        let distances = |images| {
            let features = network.features(images, context.bar.as_ref())?;
            of_blocks(&network, &features, &reference, [self.blocks, self.block_size])
        };
        let (a, b) = (distances(&ours)?, distances(&theirs)?);
        let difference = Estimate::of(&a.iter().zip(&b).map(|(a, b)| a - b).collect::<Vec<_>>());
        let mut outcome = Outcome::exact(&format!("{metric}: samples − independent pixels"), difference.value, "1")
            .over(self.blocks, &format!("blocks of {} samples", self.block_size))
            .with_error(difference.standard_error);
        let real = of_dataset(context.dataset("digits:test")?.as_ref())?;
        let test = network.features(&real, context.bar.as_ref())?;
        let floor = between_features(&test, &reference, &network.origin())?.value;
        let (a, b) = (Estimate::of(&a), Estimate::of(&b));
        outcome.detail(format!("{metric} of the model's samples"), a.value, Some(a.standard_error), "1");
        outcome.detail(format!("{metric} of independent pixels"), b.value, Some(b.standard_error), "1");
        outcome.detail(format!("{metric} of the test split (n = {})", test.len()), floor, None, "1");
        outcome.detail("network evaluations a sample (NFE)", drawn.nfe(), None, "1");
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
fn training_curve(metrics: &[impls::train::Progress], settings: &Settings) -> Figure {
    let steps: Vec<f64> = metrics.iter().map(|p| p.step as f64).collect();
    let loss: Vec<f64> = metrics.iter().map(|p| p.weighted_loss).collect();
    let series = vec![curve("training loss of one batch", Style::Line, steps, loss)];
    figure(
        "training",
        "Training on the digits",
        &format!(
            "The training loss ({}, no likelihood bound) of every {}th batch of {}: noisy, because each image is \
             masked at one random time. The bound on held-out images is the NELBO in the table.",
            settings.weighting.as_ref().map_or(settings.implementation.clone(), |name| format!("{name} weighting")),
            settings.log_every,
            settings.batch_size
        ),
        vec![plot("", axis("step"), axis("weighted loss, nats / (D ln 2)"), series)],
    )
}
