//! Check: generative frontiers of samplers on toys, where both halves of the KL divergence are exact.

use elbow_theory::masked::Enumeration;
use elbow_theory::masked::kl_halves::{KlHalves, kl_halves, unigram_entropy};
use elbow_theory::masked::sampler_law::law_of_steps;
use elbow_theory::{Alphabet, DenoiserKind, Toy};

use super::prelude::*;

/// Samplers of masked diffusion at several temperatures on toys with full support.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToyFrontier {
    measure: Measure,
    toys: Vec<String>,
    /// Rising, with 1 among them.
    temperatures: Vec<f64>,
    /// Steps of ancestral sampling; 0 draws one token per step in a random order.
    steps: Vec<usize>,
    /// Denoisers: the exact posteriors with this added to every probability.
    floors: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Largest |CE - H - KL|.
    Halves,
    /// By how much the lowest temperature makes the cross-entropy smaller than the entropy of the data, and the KL larger than
    /// at temperature 1: the smaller of both, the smallest of all cases.
    SinglePoint,
    /// By how much the second denoiser at some temperature beats the first at temperature 1 by cross-entropy, although its KL at
    /// temperature 1 is larger: the smaller of both.
    OrderFlips,
    /// By how much some temperature below 1 makes the KL smaller than at 1, the smallest of all cases.
    CoolerIsCloser,
}

/// A sampler of a denoiser on a toy, over the temperatures.
struct Case {
    name: String,
    toy: String,
    steps: usize,
    data_entropy: f64,
    points: Vec<Point>,
}

struct Point {
    temperature: f64,
    halves: KlHalves,
    /// L times the expected unigram entropy of a sample.
    unigram: f64,
}

impl Case {
    /// The point at temperature 1.
    fn plain(&self) -> Result<&Point, Error> {
        let plain = self.points.iter().find(|point| point.temperature == 1.0);
        plain.ok_or_else(|| Error::internal("the claim's temperatures leave out 1"))
    }

    /// The smallest of a number over the temperatures.
    fn lowest(&self, number: impl Fn(&KlHalves) -> f64) -> f64 {
        smallest(self.points.iter().map(|point| number(&point.halves)))
    }
}

impl Check for ToyFrontier {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let mut cases = Vec::new();
        for name in &self.toys {
            let toy = context.toy(name, Alphabet::Masked)?;
            for &floor in &self.floors {
                for &steps in &self.steps {
                    cases.push(self.case(name, &toy, floor, steps)?);
                }
            }
        }
        let points: Vec<&Point> = cases.iter().flat_map(|case| &case.points).collect();
        let mut outcome = match self.measure {
            Measure::Halves => {
                let residual = |KlHalves { cross_entropy, entropy, kl }: KlHalves| (cross_entropy - entropy - kl).abs();
                let worst = largest(points.iter().map(|point| residual(point.halves)));
                let mut outcome =
                    Outcome::exact("largest |CE − H − KL|", worst, "nats").over(points.len(), "laws of samples");
                let unigram = points.iter().map(|p| (p.halves.cross_entropy - p.unigram - p.halves.kl).abs());
                let name = "witness: the same with the unigram entropy of a sample, per token, for the joint";
                outcome.detail(name, largest(unigram), None, "nats");
                outcome
            }
            Measure::SinglePoint => {
                let margins = cases.iter().map(|case| {
                    let (cold, plain) = (&case.points[0].halves, &case.plain()?.halves);
                    Ok([case.data_entropy - cold.cross_entropy, cold.kl - plain.kl])
                });
                let margins = margins.collect::<Result<Vec<_>, Error>>()?;
                let worst = smallest(margins.iter().flatten().copied());
                let name = "smallest of H(data) − CE at the lowest temperature, and what it adds to KL";
                Outcome::exact(name, worst, "nats").over(cases.len(), "samplers on toys")
            }
            Measure::OrderFlips => {
                let pairs = self.pairs(&cases)?;
                let margins = pairs.iter().map(|(a, b)| {
                    let (of_a, of_b) = (&a.plain()?.halves, &b.plain()?.halves);
                    Ok([of_a.cross_entropy - b.lowest(|halves| halves.cross_entropy), of_b.kl - of_a.kl])
                });
                let margins = margins.collect::<Result<Vec<_>, Error>>()?;
                let worst = smallest(margins.iter().flatten().copied());
                let name = "smallest of CE(A at 1) − lowest CE(B), and KL(B at 1) − KL(A at 1)";
                Outcome::exact(name, worst, "nats").over(pairs.len(), "pairs of denoisers")
            }
            Measure::CoolerIsCloser => {
                let gain = |case: &Case| Ok(case.plain()?.halves.kl - case.lowest(|halves| halves.kl));
                let gains = cases.iter().map(gain).collect::<Result<Vec<_>, Error>>()?;
                let name = "smallest KL at 1 − smallest KL over temperatures";
                Outcome::exact(name, smallest(gains), "nats").over(cases.len(), "samplers on toys")
            }
        };
        for case in &cases {
            let (cold, plain) = (&case.points[0], case.plain()?);
            for (at, halves) in [(cold.temperature, cold.halves), (1.0, plain.halves)] {
                let name = |half: &str| format!("{}, temperature {at}: {half}", case.name);
                outcome.detail(name("CE"), halves.cross_entropy, None, "nats");
                outcome.detail(name("KL"), halves.kl, None, "nats");
            }
            outcome.detail(format!("{}: H(data)", case.name), case.data_entropy, None, "nats");
        }
        if self.measure != Measure::Halves {
            outcome.figures.push(draw(context.id, &cases));
        }
        Ok(outcome)
    }
}

impl ToyFrontier {
    fn case(&self, name: &str, toy: &Toy, floor: f64, steps: usize) -> Result<Case, Error> {
        let point = |&temperature: &f64| {
            let denoiser = DenoiserKind::Tempered { temperature, floor };
            let all = Enumeration::new(&Toy { denoiser, ..toy.clone() })?;
            let law = law_of_steps(&all, steps);
            let unigram = toy.length as f64 * unigram_entropy(all.index(), &law);
            Ok(Point { temperature, halves: kl_halves(&law, &all.data_law()), unigram })
        };
        let points = self.temperatures.iter().map(point).collect::<Result<Vec<_>, Error>>()?;
        let toy_name = name.rsplit('/').next().unwrap_or(name).to_owned();
        let way = if steps == 0 { "one by one".to_owned() } else { format!("{steps} steps") };
        let worse = if floor > 0.0 { format!(", floor {floor}") } else { String::new() };
        let data_entropy = -toy.outcomes.iter().map(|(_, q)| q * q.ln()).sum::<f64>();
        Ok(Case { name: format!("{toy_name}, {way}{worse}"), toy: toy_name, steps, data_entropy, points })
    }

    /// The first two denoisers of each sampler on each toy.
    fn pairs<'a>(&self, cases: &'a [Case]) -> Result<Vec<(&'a Case, &'a Case)>, Error> {
        if self.floors.len() != 2 {
            return Err(Error::internal("the claim must name two denoisers"));
        }
        let of_toy = |chunk: &'a [Case]| {
            let (a, b) = chunk.split_at(self.steps.len());
            a.iter().zip(b).collect::<Vec<_>>()
        };
        Ok(cases.chunks(2 * self.steps.len()).flat_map(of_toy).collect())
    }
}

/// The frontiers of the last toy, and its KL against the temperature.
fn draw(id: &str, cases: &[Case]) -> Figure {
    let toy = cases.last().map_or("", |case| case.toy.as_str());
    let of_toy: Vec<&Case> = cases.iter().filter(|case| case.toy == toy).collect();
    let series = |x: &dyn Fn(&Point) -> f64, y: &dyn Fn(&Point) -> f64| -> Vec<Series> {
        let one = |case: &&Case| {
            let (x, y) = case.points.iter().map(|point| (x(point), y(point))).unzip();
            let label = case.name.split_once(", ").map_or(case.name.as_str(), |(_, rest)| rest);
            curve(label, if case.steps == 0 { Style::Dashed } else { Style::LinePoints }, x, y)
        };
        of_toy.iter().map(one).collect()
    };
    let mut frontiers = series(&|p| p.halves.entropy, &|p| p.halves.cross_entropy);
    let entropy = of_toy.first().map_or(0.0, |case| case.data_entropy);
    frontiers.push(curve("data", Style::Points, vec![entropy], vec![entropy]));
    let divergences = series(&|p| p.temperature, &|p| p.halves.kl);
    figure(
        id,
        "A temperature moves a point along its frontier",
        &format!(
            "Exact on the toy {toy}: cross-entropy of the samples' law under the data against its joint entropy, over the \
             temperatures, for several numbers of steps; their difference, in a plot of its own, is KL(samples || data). A low temperature \
             has a lower generative perplexity than the data themselves, and a larger divergence.",
        ),
        vec![
            plot("Frontiers", axis("joint entropy, nats"), axis("cross-entropy, nats"), frontiers),
            plot("Their difference", log_axis("temperature"), axis("KL, nats"), divergences),
        ],
    )
}
