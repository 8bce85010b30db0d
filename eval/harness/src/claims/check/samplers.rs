//! Check: the samplers of one trained model, in network evaluations and in distance of the samples.

use elbow_impls::Key;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::schedule::MaskedSchedule;
use elbow_metrics::{Features, Images, kid};

use super::prelude::*;
use super::reference_distance::ReferenceDistance;
use crate::images::of_dataset;
use crate::networks::digits_classifier;
use crate::runs::Trained;
use crate::sampling::Request;

/// Samplers of one trained model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samplers {
    measure: Measure,
    preset: String,
    set: Vec<String>,
    lines: Vec<Line>,
    /// Number of disjoint blocks of samples, and images per block.
    blocks: usize,
    block_size: usize,
    /// The figure that this claim carries, by its title.
    figure: Option<String>,
}

/// One sampler with its numbers of steps. A sampler without steps has one, which it ignores.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    sampler: String,
    /// Placement of the steps of masked diffusion, on the linear schedule.
    grid: Option<String>,
    steps: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Distance with the most steps minus distance with the fewest, first line, over blocks.
    MoreSteps,
    /// Distance of the first line minus that of the second, by number of steps, the worst pair, over blocks.
    FirstMinusSecond,
    /// KID between the last samples of the first line and those of the second: 0 where the laws are the same.
    SameLaw,
    /// The largest number of network evaluations per sample of the first line, minus the number of tokens.
    Calls,
}

/// One sampler at one number of steps.
struct Point {
    steps: usize,
    nfe: f64,
    distances: Vec<f64>,
    features: Features,
    /// The largest number of evaluations per sample.
    most: u64,
    shown: Panel,
}

/// A line with its samples.
struct Drawn<'a> {
    line: &'a Line,
    points: Vec<Point>,
}

impl Drawn<'_> {
    fn last(&self) -> Result<&Point, Error> {
        self.points.last().ok_or_else(|| Error::internal(format!("line {} names no steps", self.line.name)))
    }
}

impl Check for Samplers {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = inputs::presets(context, [&self.preset], &self.set)?;
        inputs.push(inputs::network(&digits_classifier(context)?));
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        !matches!(self.measure, Measure::Calls)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let model = context.trained(&self.preset, &self.set)?;
        let train = context.open(&model.settings.data(Split::Train))?;
        let (network, images) = (digits_classifier(context)?, of_dataset(train.as_ref())?);
        let metric = network.metric_name();
        let reference = ReferenceDistance::new(network, &images, context.bar.as_ref())?;
        let bench = Bench { check: self, context, model: &model, data: train.as_ref(), reference };
        let mut lines = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let points = line.steps.iter().map(|&steps| bench.point(number, line, steps)).collect::<Result<_, _>>()?;
            lines.push(Drawn { line, points });
        }
        let mut outcome = self.decide(context, &lines, &metric, train.length())?;
        for Drawn { line, points } in &lines {
            for point in points {
                let distance = Estimate::of(&point.distances);
                let label = format!("{}, {} steps, NFE {:.1}: {metric}", line.name, point.steps, point.nfe);
                outcome.estimate_detail(label, &distance, "1");
            }
        }
        outcome.made.push(inputs::weights(&model));
        if let Some(title) = &self.figure {
            outcome.figures.push(self.draw(title, &metric, lines));
        }
        Ok(outcome)
    }
}

impl Samplers {
    fn decide(&self, context: &Context, lines: &[Drawn], metric: &str, tokens: usize) -> Result<Outcome, Error> {
        let line = |index: usize| lines.get(index).ok_or_else(|| Error::internal("the claim names too few lines"));
        let difference = |a: &Point, b: &Point| Estimate::of_pairs(&a.distances, &b.distances);
        let blocks = format!("blocks of {} samples", self.block_size);
        let quantity = |name: &str| format!("{metric}: {name}");
        let samples = self.blocks * self.block_size;
        Ok(match self.measure {
            Measure::MoreSteps => {
                let (few, many) = (&line(0)?.points[0], line(0)?.last()?);
                let name = format!("{} steps − {} steps", many.steps, few.steps);
                Outcome::worst_of(&[(name, difference(many, few))], context.confidence, quantity, "1", &blocks)?
            }
            Measure::FirstMinusSecond => {
                let [first, second] = [line(0)?, line(1)?];
                if first.points.len() != second.points.len() {
                    return Err(Error::internal("the claim compares lines of different lengths"));
                }
                let named = first.points.iter().zip(&second.points).map(|(a, b)| {
                    let names =
                        format!("{} at NFE {:.1} − {} at {:.1}", first.line.name, a.nfe, second.line.name, b.nfe);
                    (names, difference(a, b))
                });
                Outcome::worst_of(&named.collect::<Vec<_>>(), context.confidence, quantity, "1", &blocks)?
            }
            Measure::SameLaw => {
                let between = |a: usize, b: usize| {
                    kid(&line(a)?.last()?.features, &line(b)?.last()?.features, context.bar.as_ref())
                };
                let found = between(0, 1)?;
                let name = |index: usize| -> Result<String, Error> {
                    Ok(format!("{} in {} steps", line(index)?.line.name, line(index)?.last()?.steps))
                };
                let mut outcome =
                    Outcome::exact(&format!("KID between {} and {}", name(0)?, name(1)?), found.value, "1")
                        .over(2 * samples, "samples")
                        .with_error(found.standard_error);
                for other in 2..lines.len() {
                    let witness = between(0, other)?;
                    let label = format!("KID between {} and {}", name(0)?, name(other)?);
                    outcome.estimate_detail(label, &witness, "1");
                }
                outcome
            }
            Measure::Calls => {
                let value = line(0)?.last()?.most as f64 - tokens as f64;
                Outcome::exact("network evaluations of a sample − tokens", value, "1").over(samples, "samples")
            }
        })
    }

    fn draw(&self, title: &str, metric: &str, lines: Vec<Drawn>) -> Figure {
        let series = lines.iter().map(|Drawn { line, points }| {
            means(&line.name, points.iter().map(|point| (point.nfe, Estimate::of(&point.distances))))
        });
        let (x, y) = (log_axis("network evaluations per sample (NFE)"), log_axis(metric));
        let mut panels = vec![plot("", x, y, series.collect())];
        let id = format!("samplers-{}", self.preset);
        panels.extend(lines.into_iter().filter_map(|mut drawn| Some(drawn.points.pop()?.shown)));
        figure(
            &id,
            title,
            &format!(
                "Mean and standard error over {} blocks of {} samples; lower and further left is better. Evaluations are counted as \
                 made: a step that reveals nothing, or whose answer is known, costs none. Below, the first samples of each sampler \
                 at its largest number of steps, not chosen.",
                self.blocks, self.block_size
            ),
            panels,
        )
    }
}

/// The model, data and reference with which every point is drawn and measured.
struct Bench<'a> {
    check: &'a Samplers,
    context: &'a Context<'a>,
    model: &'a Trained,
    data: &'a dyn Dataset,
    reference: ReferenceDistance,
}

impl Bench<'_> {
    fn point(&self, number: usize, line: &Line, steps: usize) -> Result<Point, Error> {
        let shape = self.data.image().ok_or_else(|| Error::internal("the digits are images"))?;
        let count = self.check.blocks * self.check.block_size;
        // Each line has its own noise: KID compares independent sets.
        let seed = Key::new(self.context.seed, "samplers").fold(number as u64).number();
        let plain = Request::new(&self.model.settings, &self.model.model, count, self.data.length(), seed);
        let (schedule, grid) = match &line.grid {
            Some(name) => (MaskedSchedule::Linear, name.parse()?),
            None => (plain.schedule, plain.grid),
        };
        let request = Request { sampler: line.sampler.parse()?, schedule, grid, steps, ..plain };
        let drawn = self.context.sample(self.model, &request)?;
        let images = Images::from_tokens(&drawn.tokens, self.data.values(), shape);
        let features = self.reference.network.features(&images, self.context.bar.as_ref())?;
        let blocks = [self.check.blocks, self.check.block_size];
        Ok(Point {
            steps,
            nfe: drawn.nfe(),
            distances: self.reference.of_blocks(&features, blocks)?,
            features,
            most: drawn.evaluations.iter().copied().max().unwrap_or(0),
            shown: first_images(&format!("{}, {steps} steps", line.name), &images, 32),
        })
    }
}
