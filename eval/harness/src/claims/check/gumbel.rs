//! Check: the bias of a sampler in single precision, and the absence of it in elbow's two-stage draw.

use elbow_impls::Key;
use elbow_impls::key::{categorical, open_uniform};
use elbow_theory::gumbel_precision::{revealed_by_race, zipf};

use super::prelude::*;

/// A vocabulary with Zipf's law, one token of T steps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gumbel {
    measure: Measure,
    values: usize,
    /// Number of steps T; a step reveals the token with probability 1 / T.
    steps: usize,
    /// Numbers of steps of the figure.
    #[serde(default)]
    drawn_steps: Vec<usize>,
    /// Draws of our sampler.
    #[serde(default)]
    draws: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Entropy of the revealed token where the Gumbel noise has 24 bits.
    SinglePrecision,
    /// Mean of -log mu of tokens that our two-stage draw reveals, minus the entropy.
    TwoStage,
}

impl Check for Gumbel {
    fn is_statistical(&self) -> bool {
        self.measure == Measure::TwoStage
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let mu = zipf(self.values);
        let entropy: f64 = mu.iter().map(|p| -p * p.ln()).sum();
        let reveal = 1.0 / self.steps as f64;
        let mut outcome = match self.measure {
            Measure::SinglePrecision => {
                let (found, left) = revealed_by_race(&mu, reveal, 24);
                let mut outcome =
                    Outcome::exact(&format!("entropy of the revealed token, T = {}", self.steps), found, "nats");
                outcome.detail("share of the reveals that are left", left, None, "1");
                outcome.figures.push(self.draw(&mu, entropy));
                outcome
            }
            Measure::TwoStage => {
                let mut rng = Key::new(context.seed, "two-stage draw").rng();
                let mut surprise = Vec::with_capacity(self.draws);
                let mut trials = 0u64;
                while surprise.len() < self.draws {
                    trials += 1;
                    if open_uniform(&mut rng) < reveal {
                        surprise.push(-mu[categorical(&mut rng, &mu)].ln());
                    }
                }
                let mean = Estimate::of(&surprise);
                let excess = Estimate { value: mean.value - entropy, ..mean };
                let mut outcome = Outcome::estimated("mean of −log μ − entropy", excess, "nats", "revealed tokens");
                outcome.detail("reveals per trial · T", self.draws as f64 / trials as f64 / reveal, None, "1");
                outcome
            }
        };
        outcome.detail("entropy of the vocabulary", entropy, None, "nats");
        Ok(outcome)
    }
}

impl Gumbel {
    fn draw(&self, mu: &[f64], entropy: f64) -> Figure {
        let x: Vec<f64> = self.drawn_steps.iter().map(|&t| t as f64).collect();
        let revealed =
            |bits: u32| self.drawn_steps.iter().map(|&t| revealed_by_race(mu, 1.0 / t as f64, bits).0).collect();
        let series = vec![
            curve("double precision", Style::Line, x.clone(), vec![entropy; x.len()]),
            curve("24 bits (PyTorch, single precision)", Style::LinePoints, x.clone(), revealed(24)),
            curve("23 bits (JAX, single precision)", Style::LinePoints, x.clone(), revealed(23)),
        ];
        figure(
            "gumbel",
            "Single precision lowers the entropy of samples",
            &format!(
                "Entropy of the token that a step reveals, vocabulary of {} values under Zipf's law, one exponential race \
                 over \"stays masked\" and all values, T steps. Exact, by summing over the grid of uniform numbers. More \
                 steps make each outcome rarer and cut more of the tail: generative perplexity improves for no good reason.",
                self.values
            ),
            vec![plot("", log_axis("steps T"), axis("entropy, nats"), series)],
        )
    }
}
