//! Check: what the samplers of one trained model cost, and what they give.

use impls::data::{Dataset, Split};
use reports::record::{Input, Panel, Series, Style};
use serde::Deserialize;

use super::distances::{first_images, of_blocks};
use super::{Outcome, axis, figure, plot, run_inputs, trained_run, weights_of};
use crate::cmd::Trained;
use crate::cmd::fid::digits_classifier;
use crate::failure::Failure;
use crate::fid::{FeatureNetwork, Features, Images};
use crate::likelihood::Estimate;
use crate::sampling::{self, Request, Sampler};
use crate::workspace::Workspace;

/// Samplers of the model trained on the digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samplers {
    measure: Measure,
    preset: String,
    set: Vec<String>,
    /// Names of samplers that have steps.
    samplers: Vec<String>,
    steps: Vec<usize>,
    /// Disjoint blocks of samples, and images in each.
    blocks: usize,
    block_size: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Distance with the most steps minus distance with the fewest, first sampler, over blocks.
    MoreSteps,
    /// Largest number of evaluations of a sample by first hitting, minus the number of tokens.
    FirstHittingCalls,
}

/// One sampler at one number of steps.
struct Point {
    steps: usize,
    nfe: f64,
    distances: Vec<f64>,
    /// The largest number of evaluations of a sample.
    most: u64,
    shown: Panel,
}

impl Samplers {
    pub fn inputs(&self, workspace: &Workspace) -> Result<Vec<Input>, Failure> {
        let mut inputs = run_inputs(workspace, &self.preset, &self.set)?;
        let network = digits_classifier(workspace)?;
        inputs.push(Input { name: network.metric_name(), sha256: network.hash().to_owned() });
        Ok(inputs)
    }

    pub fn is_statistical(&self) -> bool {
        matches!(self.measure, Measure::MoreSteps)
    }

    pub fn run(&self, workspace: &Workspace) -> Result<Outcome, Failure> {
        let (model, _) = trained_run(workspace, &self.preset, &self.set)?;
        let train = workspace.open(&model.settings.data(Split::Train))?;
        let network = digits_classifier(workspace)?;
        let reference = network.features(&Images::from_dataset(train.as_ref())?, &workspace.bar)?;
        let bench = Bench { check: self, workspace, model: &model, data: train.as_ref(), network: &network, reference };
        let mut lines: Vec<(String, Vec<Point>)> = Vec::new();
        for name in &self.samplers {
            let sampler: Sampler = name.parse()?;
            let points = self.steps.iter().map(|&steps| bench.point(sampler, steps)).collect::<Result<_, _>>()?;
            lines.push((name.clone(), points));
        }
        let first_hitting = vec![bench.point(Sampler::FirstHitting, train.length())?];
        let most = first_hitting[0].most;
        lines.push(("first-hitting".to_owned(), first_hitting));
        let metric = network.metric_name();
        let mut outcome = match self.measure {
            Measure::MoreSteps => {
                let points = &lines[0].1;
                let (few, many) = (&points[0].distances, &points[points.len() - 1].distances);
                let found = Estimate::of(&many.iter().zip(few).map(|(a, b)| a - b).collect::<Vec<_>>());
                let last = self.steps.last().copied().unwrap_or(0);
                Outcome::exact(&format!("{metric}: {last} steps − {} steps", self.steps[0]), found.value, "1")
                    .over(self.blocks, &format!("blocks of {} samples", self.block_size))
                    .with_error(found.standard_error)
            }
            Measure::FirstHittingCalls => {
                let value = most as f64 - train.length() as f64;
                Outcome::exact("network evaluations of a sample − tokens", value, "1")
                    .over(self.blocks * self.block_size, "samples")
            }
        };
        for (name, points) in &lines {
            for point in points {
                let distance = Estimate::of(&point.distances);
                let label = format!("{name}, {} steps: {metric}", point.steps);
                outcome.detail(label, distance.value, Some(distance.standard_error), "1");
                outcome.detail(format!("{name}, {} steps: NFE", point.steps), point.nfe, None, "1");
            }
        }
        outcome.made.push(weights_of(&model));
        if let Measure::MoreSteps = self.measure {
            outcome.figures.push(self.draw(&metric, lines));
        }
        Ok(outcome)
    }

    fn draw(&self, metric: &str, lines: Vec<(String, Vec<Point>)>) -> reports::record::Figure {
        let mut panels = Vec::new();
        let series = lines.iter().map(|(name, points)| {
            let distances = points.iter().map(|point| Estimate::of(&point.distances));
            Series {
                label: name.clone(),
                style: Style::LinePoints,
                x: points.iter().map(|point| point.nfe).collect(),
                y: distances.clone().map(|d| d.value).collect(),
                error: Some(distances.map(|d| d.standard_error).collect()),
            }
        });
        panels.push(plot("", axis("network evaluations a sample (NFE)"), axis(metric), series.collect()));
        panels.extend(lines.into_iter().filter_map(|(_, mut points)| Some(points.pop()?.shown)));
        figure(
            "samplers",
            "Samplers of one model: distance against network evaluations",
            &format!(
                "Mean and standard error over {} blocks of {} samples; lower is better. Evaluations are counted as made: a \
                 step that reveals nothing, or whose answer is known, costs none. Below, the first samples of each sampler \
                 at its largest number of steps, not chosen.",
                self.blocks, self.block_size
            ),
            panels,
        )
    }
}

struct Bench<'a> {
    check: &'a Samplers,
    workspace: &'a Workspace,
    model: &'a Trained,
    data: &'a dyn Dataset,
    network: &'a FeatureNetwork,
    reference: Features,
}

impl Bench<'_> {
    fn point(&self, sampler: Sampler, steps: usize) -> Result<Point, Failure> {
        let shape = self.data.image().ok_or_else(|| Failure::internal("the digits are images"))?;
        let count = self.check.blocks * self.check.block_size;
        let request = Request {
            sampler,
            steps,
            ..Request::new(&self.model.settings, &self.model.model, count, self.data.length(), self.workspace.seed)
        };
        let bar = &self.workspace.bar;
        let drawn = sampling::draw(self.workspace, &self.model.settings, &self.model.model, &request, bar)?;
        let images = Images::from_tokens(&drawn.tokens, self.data.values(), shape);
        let blocks = [self.check.blocks, self.check.block_size];
        Ok(Point {
            steps,
            nfe: drawn.nfe(),
            distances: of_blocks(self.network, &images, &self.reference, blocks, bar)?,
            most: drawn.evaluations.iter().copied().max().unwrap_or(0),
            shown: first_images(&format!("{sampler}, {steps} steps"), &images, 32),
        })
    }
}
