//! Check: the law of the samples when several tokens are revealed per step.

use elbow_impls::Key;
use elbow_impls::md4::{Grid, ancestral};
use elbow_impls::sampler_state::{Predictor, TokenState};
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::gap::kl_divergence;
use elbow_theory::masked::sampler_law::{any_order_law, expected_masks, learned_step, prior, sampler_law};
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Alphabet, DenoiserKind, Toy};

use super::prelude::*;
use crate::denoisers::table_denoiser;

/// The exact law of the sampler on toys, with the toys' exact denoiser.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelSampling {
    measure: Measure,
    toys: Vec<String>,
    /// Pairs of schedule and grid.
    samplers: Vec<[String; 2]>,
    steps: Vec<usize>,
    /// Number of simulations of the sampler, and sequences per simulation.
    #[serde(default)]
    simulations: usize,
    #[serde(default)]
    draws: usize,
    #[serde(default)]
    figure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Tokens revealed by each step against length (alpha_s - alpha_t).
    ExpectedReveals,
    /// KL of one step against the total correlation of the data.
    OneStep,
    /// Sum of the steps' total correlations minus the KL of the samples.
    PathSlack,
    /// log2 of KL(T) / KL(2T) at the largest number of steps: the order in 1 / T.
    Order,
    /// The law of the implemented sampler: mean chi-square per degree of freedom.
    Simulation,
}

/// A pair of schedule and grid.
struct Sampler {
    name: String,
    schedule: MaskedSchedule,
    grid: Grid,
}

impl Sampler {
    fn times(&self, steps: usize) -> Vec<f64> {
        (0..=steps).map(|i| self.grid.time(i, steps)).collect()
    }

    /// KL from the any-order law to that of the samples.
    fn divergence(&self, all: &Enumeration, steps: usize) -> f64 {
        kl_divergence(&any_order_law(all), &sampler_law(all, &self.schedule, &self.times(steps)))
    }
}

impl Check for ParallelSampling {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn is_statistical(&self) -> bool {
        self.measure == Measure::Simulation
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let samplers = self.samplers.iter().map(|[schedule, grid]| {
            let name = format!("{schedule} schedule, {grid} grid");
            Ok(Sampler { name, schedule: schedule.parse()?, grid: grid.parse()? })
        });
        let samplers = samplers.collect::<Result<Vec<_>, Error>>()?;
        let (mut values, mut details) = (Vec::new(), Vec::new());
        let mut toys = Vec::new();
        for name in &self.toys {
            let mut toy = context.toy(name, Alphabet::Masked)?;
            toy.denoiser = DenoiserKind::Exact;
            let all = Enumeration::new(&toy)?;
            for sampler in &samplers {
                let found = self.values(context, &toy, &all, sampler)?;
                let mean = found.iter().sum::<f64>() / found.len() as f64;
                details.push((format!("mean over {name}, {}", sampler.name), mean));
                values.extend(found);
            }
            toys.push((name.as_str(), all));
        }
        let mut outcome = self.decide(&values);
        outcome.exact_details(details, "1");
        if self.figure {
            outcome.figures.push(self.draw(&samplers, &toys));
        }
        Ok(outcome)
    }
}

impl ParallelSampling {
    /// The worst of the values, or the mean of simulations.
    fn decide(&self, values: &[f64]) -> Outcome {
        let (quantity, worst) = match self.measure {
            Measure::Simulation => {
                let score = Estimate::of(values);
                return Outcome::estimated("mean χ² per degree of freedom", score, "1", "simulations");
            }
            Measure::ExpectedReveals => {
                ("largest |E revealed − length (α_s − α_t)|, tokens", largest(values.iter().copied()))
            }
            Measure::OneStep => ("largest |KL of one step − total correlation|, nats", largest(values.iter().copied())),
            Measure::PathSlack => ("smallest Σ TC_i − KL(any-order ‖ sampled), nats", smallest(values.iter().copied())),
            Measure::Order => ("largest |log2 (KL(T) / KL(2T)) − 2|", largest(values.iter().map(|v| (v - 2.0).abs()))),
        };
        Outcome::exact(quantity, worst, "1").over(values.len(), "cases")
    }

    /// KL of each sampler against its number of steps, one panel per toy.
    fn draw(&self, samplers: &[Sampler], toys: &[(&str, Enumeration)]) -> Figure {
        let x: Vec<f64> = self.steps.iter().map(|&t| t as f64).collect();
        let panel = |(name, all): &(&str, Enumeration)| {
            let series = samplers.iter().map(|sampler| {
                let y = self.steps.iter().map(|&steps| sampler.divergence(all, steps)).collect();
                curve(sampler.name.clone(), Style::LinePoints, x.clone(), y)
            });
            plot(name, log_axis("steps T"), log_axis("KL(any-order ‖ sampled), nats"), series.collect())
        };
        figure(
            "parallel-sampling",
            "The price of revealing tokens in parallel",
            "KL from the law of one-by-one sampling in random order, here the data, to that of T-step sampling with the \
             exact denoiser. One step costs the total correlation of all tokens; from there it falls as 1/T². Schedule \
             and grid decide how many tokens a step reveals together: on toys this small those that spread the tokens \
             evenly over the steps do best.",
            toys.iter().map(panel).collect(),
        )
    }

    /// The measure on one toy with one sampler, per number of steps (or per simulation).
    fn values(&self, context: &Context, toy: &Toy, all: &Enumeration, sampler: &Sampler) -> Result<Vec<f64>, Error> {
        let schedule = &sampler.schedule;
        let mut values = Vec::new();
        match self.measure {
            Measure::ExpectedReveals => {
                for &steps in &self.steps {
                    let times = sampler.times(steps);
                    let mut law = prior(all, schedule.alpha(1.0));
                    for pair in times.windows(2).rev() {
                        let next = learned_step(all, &law, schedule.reveal_probability(pair[0], pair[1]));
                        let revealed = expected_masks(all, &law) - expected_masks(all, &next);
                        let expected = toy.length as f64 * (schedule.alpha(pair[0]) - schedule.alpha(pair[1]));
                        values.push((revealed - expected).abs());
                        law = next;
                    }
                }
            }
            Measure::OneStep => values.push((sampler.divergence(all, 1) - total_correlation(toy)).abs()),
            Measure::PathSlack => {
                for &steps in &self.steps {
                    let one = cascade(all, schedule, steps, &elbow_impls::Weighting::Elbo)?;
                    values.push(one.factorization.iter().sum::<f64>() - sampler.divergence(all, steps));
                }
            }
            Measure::Order => {
                let steps = self.steps.iter().copied().max().unwrap_or(1);
                values.push((sampler.divergence(all, steps) / sampler.divergence(all, 2 * steps)).log2());
            }
            Measure::Simulation => {
                let table = table_denoiser(all, &context.device);
                for &steps in &self.steps {
                    let law = sampler_law(all, schedule, &sampler.times(steps));
                    for simulation in 0..self.simulations {
                        let key =
                            Key::new(context.seed, "parallel sampling").fold(steps as u64).fold(simulation as u64);
                        let state = TokenState::all_masks(self.draws, toy.length, toy.states, &key);
                        let predictor = Predictor::new(&table, &context.device);
                        let found = ancestral(predictor, schedule, sampler.grid, steps, state)?;
                        let mut counts = vec![0; law.len()];
                        found.tokens.rows().for_each(|row| counts[all.number(row)] += 1);
                        values.push(chi_square(&counts, &law));
                    }
                }
            }
        }
        Ok(values)
    }
}

/// The sum of the tokens' entropies minus the joint entropy, nats.
fn total_correlation(toy: &Toy) -> f64 {
    let entropy = |p: &f64| if *p > 0.0 { -p * p.ln() } else { 0.0 };
    let joint: f64 = toy.outcomes.iter().map(|(_, p)| entropy(p)).sum();
    let mut tokens = 0.0;
    for n in 0..toy.length {
        let mut law = vec![0.0; toy.states];
        toy.outcomes.iter().for_each(|(word, p)| law[usize::from(word[n])] += p);
        tokens += law.iter().map(entropy).sum::<f64>();
    }
    tokens - joint
}
