//! Check: masked and Gaussian diffusion side by side, one data set, one budget, one protocol.

use std::path::Path;

use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::{Plan, Settings};
use elbow_metrics::Images;

use super::independent_pixels_baseline::IndependentBaseline;
use super::prelude::*;
use super::reference_distance::ReferenceDistance;
use crate::images::of_dataset;
use crate::likelihood::ode::Derivative;
use crate::likelihood::{Bound, Dequantisation, Floor, OdeLikelihood};
use crate::networks::digits_classifier;
use crate::runs::Trained;
use crate::sampling::Request;

/// Models of several implementations, trained on one data set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedVsGaussian {
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise per test image, and the number of test images, from the first.
    draws: usize,
    sequences: Option<usize>,
    /// Number of test images whose likelihood under the ODE is computed too, for Gaussian models.
    ode_sequences: usize,
    /// Numbers of steps of each implementation's own sampler; the table shows the last.
    steps: Vec<usize>,
    /// Number of disjoint blocks of samples, and images per block.
    blocks: usize,
    block_size: usize,
}

/// Runge-Kutta steps of the ODE.
const ODE_STEPS: usize = 100;

/// One model with its measurements.
struct Measured {
    name: String,
    model: Trained,
    bound: Bound,
    /// NELBO minus the code length of the baseline, paired over test images, bits/dim.
    gain: Estimate,
    /// NELBO minus its floor, the entropy of the law of these test images, bits/dim.
    above_floor: Estimate,
    /// Code length under the probability-flow ODE, bits/dim.
    ode: Option<Estimate>,
    /// Floating-point operations of the training.
    operations: f64,
    points: Vec<Point>,
    shown: Panel,
}

/// Samples at one number of steps.
struct Point {
    nfe: f64,
    distance: Option<Estimate>,
}

impl Check for MaskedVsGaussian {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = inputs::presets(context, &self.presets, &self.set)?;
        if self.presets.iter().any(|preset| preset.ends_with("-digits")) {
            inputs.push(inputs::network(&digits_classifier(context)?));
        }
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        // All presets are of one data set.
        let first = self.presets.first().ok_or_else(|| Error::internal("the claim names no preset"))?;
        let data = |split| context.open(&Settings::resolve(first, &self.set)?.data(split));
        let (train, test) = (data(Split::Train)?, data(Split::Test)?);
        let reference = reference(context, train.as_ref())?;
        let count = self.sequences.unwrap_or(usize::MAX).min(test.len());
        let pixels = IndependentBaseline::fit(train.as_ref())?.nats(&test.select(&(0..count).collect::<Vec<_>>())?);
        let mut models: Vec<Measured> = Vec::new();
        for preset in &self.presets {
            let (model, run) = context.trained_run(preset, &self.set)?;
            model.check_fits(test.as_ref())?;
            let bound = context.bound(&model, test.as_ref(), self.draws, self.sequences)?;
            let gain = paired_bits(&bound.per_sequence, &pixels, test.length());
            let above_floor = Floor::of(&bound, test.as_ref())?.excess;
            let (points, shown) = self.sample(context, &model, train.as_ref(), reference.as_ref())?;
            let name = preset.split('-').next().unwrap_or(preset).to_owned();
            let ode = self.ode(context, &model.settings, &run, test.as_ref())?;
            let operations = Plan::new(&model.settings, &model.state.data)?.total_operations;
            models.push(Measured { name, model, bound, gain, above_floor, ode, operations, points, shown });
        }
        let gains: Vec<(String, Estimate)> = models.iter().map(|model| (model.name.clone(), model.gain)).collect();
        let quantity = |name: &str| format!("worst ({name}): NELBO − independent pixels' NLL");
        let mut outcome = Outcome::worst_of(&gains, context.confidence, quantity, "bits/dim", "test images")?;
        for Measured { name, bound, ode, points, .. } in &models {
            outcome.estimate_detail(format!("{name}: NELBO"), &bound.bits_per_dim, "bits/dim");
            if let Some(ode) = ode {
                outcome.estimate_detail(format!("{name}: ODE"), ode, "bits/dim");
            }
            for Point { nfe, distance } in points {
                if let Some(distance) = distance {
                    outcome.estimate_detail(format!("{name}: Frechet distance at NFE {nfe:.1}"), distance, "1");
                }
            }
        }
        let baseline = Estimate::of(&pixels).bits_per(test.length());
        outcome.estimate_detail("independent pixels", &baseline, "bits/dim");
        outcome.made.extend(models.iter().map(|model| inputs::weights(&model.model)));
        outcome.figures = self.draw(models);
        Ok(outcome)
    }
}

impl MaskedVsGaussian {
    /// The code length of the first test images under the ODE, where there is one.
    fn ode(
        &self,
        context: &Context,
        settings: &Settings,
        run: &Path,
        test: &dyn Dataset,
    ) -> Result<Option<Estimate>, Error> {
        let Some(objective) = settings.gaussian() else { return Ok(None) };
        let device = context.device.clone().autodiff();
        let model = Trained::load(run, &device)?;
        let estimation = OdeLikelihood {
            objective,
            denoiser: model.model.gaussian()?,
            derivative: Derivative::Automatic,
            data: test,
            conditional: model.settings.class_conditioning,
            dequantisation: Dequantisation::Decoder,
            exact_trace: false,
            steps: ODE_STEPS,
            draws: 1,
            sequences: Some(self.ode_sequences),
            seed: context.seed,
        };
        let found = estimation.run(&device, context.bar.as_ref())?;
        if !found.is_converged() {
            let change = found.half_steps_difference;
            return Err(Error::internal(format!("the ODE has not converged: half the steps change it by {change}")));
        }
        Ok(Some(found.bits_per_dim))
    }

    /// The implementation's own sampler at every number of steps.
    fn sample(
        &self,
        context: &Context,
        model: &Trained,
        data: &dyn Dataset,
        reference: Option<&ReferenceDistance>,
    ) -> Result<(Vec<Point>, Panel), Error> {
        let shape = data.image().ok_or_else(|| Error::internal("families are compared on images"))?;
        let count = self.blocks * self.block_size;
        let (mut points, mut shown) = (Vec::new(), None);
        for &steps in &self.steps {
            let request = Request { steps, ..context.request(model, count, data.length()) };
            let drawn = context.sample(model, &request)?;
            let images = Images::from_tokens(&drawn.tokens, data.values(), shape);
            let blocks = [self.blocks, self.block_size];
            let distance = |reference: &ReferenceDistance| -> Result<Estimate, Error> {
                let features = reference.network.features(&images, context.bar.as_ref())?;
                Ok(Estimate::of(&reference.of_blocks(&features, blocks)?))
            };
            points.push(Point { nfe: drawn.nfe(), distance: reference.map(distance).transpose()? });
            let title = format!("{}, {}, NFE {:.0}", model.settings.implementation(), request.sampler, drawn.nfe());
            shown = Some(first_images(&title, &images, 32));
        }
        let shown = shown.ok_or_else(|| Error::internal("the claim names no steps"))?;
        Ok((points, shown))
    }

    fn draw(&self, models: Vec<Measured>) -> Vec<Figure> {
        let header = [
            "implementation",
            "trains with",
            "parameters",
            "training steps",
            "training, TFLOP",
            "NELBO, bits/dim",
            "NELBO − floor, bits/dim",
            "ODE, bits/dim",
            "Frechet distance",
            "NFE",
        ];
        let table = table("", &header, models.iter().map(row).collect());
        let bounds: Vec<(String, Estimate)> = models.iter().map(|m| (m.name.clone(), m.bound.bits_per_dim)).collect();
        let line = |model: &Measured| {
            means(&model.name, model.points.iter().filter_map(|point| Some((point.nfe, point.distance?))))
        };
        let lines: Vec<_> = models.iter().map(line).filter(|series| !series.x.is_empty()).collect();
        let mut panels = vec![table, ranking("NELBO of test images", "bits/dim", &bounds)];
        if !lines.is_empty() {
            let (x, y) = (log_axis("network evaluations per sample (NFE)"), log_axis("Frechet distance"));
            panels.push(plot("Distance of samples", x, y, lines));
        }
        panels.extend(models.into_iter().map(|model| model.shown));
        let caption = format!(
            "The same layers and width, optimiser steps, batches and test images for all; means with standard errors over test images ({} draws each) \
             and over {} blocks of {} samples by each implementation's own sampler. Training counts three evaluations a \
             sequence and step. The floor of a bound is the entropy of the law of these very images, which no model can go below. The ODE's code length \
             (decoder's dequantisation, {ODE_STEPS} Runge-Kutta steps, Hutchinson's trace) is of the first {} test images. One \
             training seed each.",
            self.draws, self.blocks, self.block_size, self.ode_sequences
        );
        vec![figure("families", "Masked and Gaussian diffusion side by side", &caption, panels)]
    }
}

/// A row of the table.
fn row(measured: &Measured) -> Vec<String> {
    let settings = &measured.model.settings;
    let b = measured.bound.bits_per_dim;
    let last = &measured.points[measured.points.len() - 1];
    vec![
        settings.implementation().to_owned(),
        settings.objective.weighting().map(ToString::to_string).unwrap_or_default(),
        measured.model.model.parameters().to_string(),
        settings.steps.to_string(),
        format!("{:.1}", measured.operations / 1e12),
        format!("{:.4} ± {:.4}", b.value, b.standard_error),
        format!("{:.4} ± {:.4}", measured.above_floor.value, measured.above_floor.standard_error),
        measured.ode.map_or("none".into(), |ode| format!("{:.4} ± {:.4}", ode.value, ode.standard_error)),
        last.distance.map_or("no network".into(), |d| format!("{:.3} ± {:.3}", d.value, d.standard_error)),
        format!("{:.1}", last.nfe),
    ]
}

/// The features of the training images under the bundled classifier, where the images are digits.
fn reference(context: &Context, train: &dyn Dataset) -> Result<Option<ReferenceDistance>, Error> {
    if !train.name().starts_with("digits") {
        return Ok(None);
    }
    let network = digits_classifier(context)?;
    Ok(Some(ReferenceDistance::new(network, &of_dataset(train)?, context.bar.as_ref())?))
}
