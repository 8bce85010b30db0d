//! Check: masked and Gaussian diffusion side by side, one data set, one budget, one protocol.

use std::path::Path;

use impls::data::{Dataset, Split};
use impls::train::{Plan, Settings};
use reports::record::{Figure, Input, Panel, Series, Style};
use serde::Deserialize;

use super::distances::{Ruler, first_images, of_blocks};
use super::independent::Independent;
use super::{Outcome, figure, log_axis, plot, ranking, run_inputs, trained_run, weights_of};
use crate::failure::Failure;
use crate::fid::Images;
use crate::images::of_dataset;
use crate::likelihood::{Bound, Dequantisation, Estimate, Estimator, OdeQuestion};
use crate::networks::digits_classifier;
use crate::runs::Trained;
use crate::sampling::{self, Request};
use crate::claims::context::{Check, Context};

/// Models of several implementations, trained on one data set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Families {
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise for each test image, and the first test images.
    draws: usize,
    sequences: Option<usize>,
    /// Test images whose likelihood under the ODE is computed too, of Gaussian models.
    ode_sequences: usize,
    /// Steps of each implementation's own sampler; the table has the last.
    steps: Vec<usize>,
    /// Disjoint blocks of samples, and images in each.
    blocks: usize,
    block_size: usize,
}

/// Runge-Kutta steps of the ODE.
const ODE_STEPS: usize = 100;

/// One model and what was measured of it.
struct Member {
    name: String,
    model: Trained,
    bound: Bound,
    /// Against the baseline, paired over test images, bits/dim.
    gain: Estimate,
    /// Code length under the probability-flow ODE, bits/dim.
    ode: Option<Estimate>,
    /// Floating-point operations of its training.
    operations: f64,
    points: Vec<Point>,
    shown: Panel,
}

/// Samples at one number of steps.
struct Point {
    nfe: f64,
    distance: Option<Estimate>,
}

impl Families {
    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        let inputs = self.presets.iter().map(|preset| run_inputs(context, preset, &self.set));
        let mut inputs: Vec<Input> = inputs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        if self.presets.iter().any(|preset| preset.ends_with("-digits")) {
            let network = digits_classifier(context)?;
            inputs.push(Input { name: network.metric_name(), sha256: network.hash().to_owned() });
        }
        Ok(inputs)
    }

    /// The first preset: all are of one data set.
    fn first(&self) -> Result<&str, Failure> {
        self.presets.first().map(String::as_str).ok_or_else(|| Failure::internal("the claim names no preset"))
    }

    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        let data = |split| context.open(&Settings::resolve(self.first()?, &self.set)?.data(split));
        let (train, test) = (data(Split::Train)?, data(Split::Test)?);
        let ruler = ruler(context, train.as_ref())?;
        let count = self.sequences.unwrap_or(usize::MAX).min(test.len());
        let to_bits = 1.0 / (test.length() as f64 * std::f64::consts::LN_2);
        let pixels = Independent::fit(train.as_ref())?.nats(&test.select(&(0..count).collect::<Vec<_>>())?);
        let mut members: Vec<Member> = Vec::new();
        for preset in &self.presets {
            let (model, run) = trained_run(context, preset, &self.set)?;
            model.check_fits(test.as_ref())?;
            let bound = model
                .question(test.as_ref(), Estimator::Auto, self.draws, self.sequences, context.seed)
                .answer(&context.device, context.bar.as_ref())?;
            let gain: Vec<f64> = bound.per_sequence.iter().zip(&pixels).map(|(a, b)| (a - b) * to_bits).collect();
            let (points, shown) = self.sample(context, &model, train.as_ref(), ruler.as_ref())?;
            let name = preset.split('-').next().unwrap_or(preset).to_owned();
            let ode = self.ode(context, &model.settings, &run, test.as_ref())?;
            let operations = Plan::new(&model.settings, &model.state.data)?.total_operations;
            members.push(Member { name, model, bound, gain: Estimate::of(&gain), ode, operations, points, shown });
        }
        let gains: Vec<(String, Estimate)> = members.iter().map(|member| (member.name.clone(), member.gain)).collect();
        let quantity = |name: &str| format!("worst ({name}): NELBO − independent pixels' NLL");
        let mut outcome = Outcome::worst_of(&gains, quantity, "test images", "bits/dim")?;
        for member in &members {
            let b = member.bound.bits_per_dim;
            outcome.detail(format!("{}: NELBO", member.name), b.value, Some(b.standard_error), "bits/dim");
            if let Some(ode) = member.ode {
                outcome.detail(format!("{}: ODE", member.name), ode.value, Some(ode.standard_error), "bits/dim");
            }
            for point in &member.points {
                if let Some(d) = point.distance {
                    let name = format!("{}: Frechet distance at NFE {:.1}", member.name, point.nfe);
                    outcome.detail(name, d.value, Some(d.standard_error), "1");
                }
            }
        }
        let baseline = Estimate::of(&pixels).scaled(to_bits);
        outcome.detail("independent pixels", baseline.value, Some(baseline.standard_error), "bits/dim");
        outcome.made.extend(members.iter().map(|member| weights_of(&member.model)));
        outcome.figures = self.draw(members);
        Ok(outcome)
    }

    /// The code length of the first test images under the ODE, where there is one.
    fn ode(
        &self,
        context: &Context,
        settings: &Settings,
        run: &Path,
        test: &dyn Dataset,
    ) -> Result<Option<Estimate>, Failure> {
        let Some(objective) = settings.gaussian()? else { return Ok(None) };
        let device = context.device.clone().autodiff();
        let model = Trained::load(run, &device)?;
        let question = OdeQuestion {
            objective: &objective,
            model: &model.model,
            data: test,
            conditional: model.settings.class_conditioning,
            dequantisation: Dequantisation::Decoder,
            exact_trace: false,
            steps: ODE_STEPS,
            draws: 1,
            sequences: Some(self.ode_sequences),
            seed: context.seed,
        };
        let found = question.answer(&device, context.bar.as_ref())?;
        if !found.is_converged() {
            let change = found.half_steps_difference;
            return Err(Failure::internal(format!("the ODE has not converged: half the steps change it by {change}")));
        }
        Ok(Some(found.bits_per_dim))
    }

    /// The implementation's own sampler at every number of steps.
    fn sample(
        &self,
        context: &Context,
        model: &Trained,
        data: &dyn Dataset,
        ruler: Option<&Ruler>,
    ) -> Result<(Vec<Point>, Panel), Failure> {
        let shape = data.image().ok_or_else(|| Failure::internal("families are compared on images"))?;
        let count = self.blocks * self.block_size;
        let (mut points, mut shown) = (Vec::new(), None);
        for &steps in &self.steps {
            let request =
                Request { steps, ..Request::new(&model.settings, &model.model, count, data.length(), context.seed) };
            let drawn = sampling::draw(context, &model.settings, &model.model, &request, context.bar.as_ref())?;
            let images = Images::from_tokens(&drawn.tokens, data.values(), shape);
            let blocks = [self.blocks, self.block_size];
            let distance = |ruler: &Ruler| -> Result<Estimate, Failure> {
                let features = ruler.network.features(&images, context.bar.as_ref())?;
                Ok(Estimate::of(&of_blocks(&ruler.network, &features, &ruler.reference, blocks)?))
            };
            points.push(Point { nfe: drawn.nfe(), distance: ruler.map(distance).transpose()? });
            let title = format!("{}, {}, NFE {:.0}", model.settings.implementation, request.sampler, drawn.nfe());
            shown = Some(first_images(&title, &images, 32));
        }
        let shown = shown.ok_or_else(|| Failure::internal("the claim names no steps"))?;
        Ok((points, shown))
    }

    fn draw(&self, members: Vec<Member>) -> Vec<Figure> {
        let header = [
            "implementation",
            "trains with",
            "parameters",
            "training, TFLOP",
            "NELBO, bits/dim",
            "ODE, bits/dim",
            "Frechet distance",
            "NFE",
        ];
        let table = Panel::Table {
            title: String::new(),
            header: header.map(str::to_owned).to_vec(),
            rows: members.iter().map(row).collect(),
        };
        let bounds: Vec<(String, Estimate)> = members.iter().map(|m| (m.name.clone(), m.bound.bits_per_dim)).collect();
        let line = |member: &Member| {
            let measured = member.points.iter().filter_map(|point| Some((point.nfe, point.distance?)));
            let (x, distances): (Vec<f64>, Vec<Estimate>) = measured.unzip();
            Series {
                label: member.name.clone(),
                style: Style::LinePoints,
                x,
                y: distances.iter().map(|d| d.value).collect(),
                error: Some(distances.iter().map(|d| d.standard_error).collect()),
            }
        };
        let lines: Vec<Series> = members.iter().map(line).filter(|series| !series.x.is_empty()).collect();
        let mut panels = vec![table, ranking("NELBO of test images", "bits/dim", &bounds)];
        if !lines.is_empty() {
            let (x, y) = (log_axis("network evaluations a sample (NFE)"), log_axis("Frechet distance"));
            panels.push(plot("Distance of samples", x, y, lines));
        }
        panels.extend(members.into_iter().map(|member| member.shown));
        let caption = format!(
            "The same layers and width, optimiser steps, batches and test images for all; means with standard errors over test images ({} draws each) \
             and over {} blocks of {} samples by each implementation's own sampler. Training counts three evaluations a \
             sequence and step. The ODE's code length \
             (decoder's dequantisation, {ODE_STEPS} Runge-Kutta steps, Hutchinson's trace) is of the first {} test images. One \
             training seed each.",
            self.draws, self.blocks, self.block_size, self.ode_sequences
        );
        vec![figure("families", "Masked and Gaussian diffusion side by side", &caption, panels)]
    }
}

/// A line of the table.
fn row(member: &Member) -> Vec<String> {
    let settings = &member.model.settings;
    let b = member.bound.bits_per_dim;
    let last = &member.points[member.points.len() - 1];
    vec![
        settings.implementation.clone(),
        settings.weighting.clone().unwrap_or_default(),
        member.model.model.parameters().to_string(),
        format!("{:.1}", member.operations / 1e12),
        format!("{:.4} ± {:.4}", b.value, b.standard_error),
        member.ode.map_or("none".into(), |ode| format!("{:.4} ± {:.4}", ode.value, ode.standard_error)),
        last.distance.map_or("no network".into(), |d| format!("{:.3} ± {:.3}", d.value, d.standard_error)),
        format!("{:.1}", last.nfe),
    ]
}

/// The bundled classifier, where the images are digits.
fn ruler(context: &Context, train: &dyn Dataset) -> Result<Option<Ruler>, Failure> {
    if !train.name().starts_with("digits") {
        return Ok(None);
    }
    let network = digits_classifier(context)?;
    let reference = network.features(&of_dataset(train)?, context.bar.as_ref())?;
    Ok(Some(Ruler { network, reference }))
}
