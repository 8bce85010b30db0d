//! Check: the order in which masked diffusion reveals tokens.

use elbow_impls::Key;
use elbow_impls::schedule::VectorSchedule;
use elbow_theory::Alphabet;
use elbow_theory::masked::reveal_order::{order_law, simulate};

use super::prelude::*;

/// The law of the order on one toy, exact or simulated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    measure: Measure,
    toy: String,
    /// `poly:W,W,...`, one power per value.
    schedule: String,
    /// Simulations, and runs in each.
    #[serde(default)]
    simulations: usize,
    #[serde(default)]
    draws: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Largest difference of an order's probability from 1 / N!.
    FromUniform,
    /// Mean of chi-square per degree of freedom of simulations against the exact law.
    ChiSquare,
    /// The same against the uniform law.
    ChiSquareUniform,
}

impl Check for Order {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, [&self.toy])
    }

    fn is_statistical(&self) -> bool {
        self.measure != Measure::FromUniform
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = context.toy(&self.toy, Alphabet::Masked)?;
        let schedule: VectorSchedule = self.schedule.parse()?;
        if schedule.powers().len() != toy.states {
            let what = format!("{} powers for {} values", schedule.powers().len(), toy.states);
            return Err(Error::input(what, "give one power for each value"));
        }
        let law = order_law(&toy, &schedule);
        let uniform = 1.0 / law.len() as f64;
        let from_uniform = largest(law.iter().map(|(_, p)| (p - uniform).abs()));
        let expected: Vec<f64> = match self.measure {
            Measure::ChiSquareUniform => vec![uniform; law.len()],
            _ => law.iter().map(|(_, p)| *p).collect(),
        };
        let mut counts = vec![0usize; law.len()];
        let mut outcome = if self.is_statistical() {
            let mut scores = Vec::new();
            for simulation in 0..self.simulations {
                let key = Key::new(context.seed, "reveal order").fold(simulation as u64);
                let found = simulate(&toy, &schedule, self.draws, &key);
                scores.push(chi_square(&found, &expected));
                counts.iter_mut().zip(&found).for_each(|(total, count)| *total += count);
            }
            Outcome::estimated("mean χ² per degree of freedom", Estimate::of(&scores), "1", "simulations")
        } else {
            Outcome::exact("largest |P(order) − 1 / N!|", from_uniform, "1").over(law.len(), "orders")
        };
        for (order, p) in &law {
            let name: Vec<String> = order.iter().map(|n| (n + 1).to_string()).collect();
            outcome.detail(format!("P(order {})", name.join(" ")), *p, None, "1");
        }
        if self.measure == Measure::ChiSquare {
            let x: Vec<f64> = (1..=law.len()).map(|i| i as f64).collect();
            let total = (self.simulations * self.draws) as f64;
            let series = vec![
                curve("exact", Style::Bars, x.clone(), law.iter().map(|(_, p)| *p).collect()),
                curve("simulated", Style::Points, x.clone(), counts.iter().map(|&c| c as f64 / total).collect()),
                curve("1 / N!", Style::Dashed, x.clone(), vec![uniform; law.len()]),
            ];
            outcome.figures.push(figure(
                "reveal-order",
                "A schedule for each value decides the order",
                &format!(
                    "Probability that the reverse process of {} reveals the {} tokens in each of the {} orders \
                     (lexicographic), schedule {}, data averaged out: Plackett and Luce's law with the powers of the values \
                     as rates. With one schedule for all values every order has probability 1 / N!.",
                    self.toy,
                    toy.length,
                    law.len(),
                    self.schedule
                ),
                vec![plot("", axis("order"), axis("probability"), series)],
            ));
        }
        Ok(outcome)
    }
}
