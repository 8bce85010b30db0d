//! The floor of a bound: the least that any model can need for the very sequences that it is judged on.

use elbow_base::{Error, Estimate, bits_per_dim};
use elbow_impls::data::{Dataset, Tokens};
use elbow_theory::optimal_loss::TokenFloor;
use serde::Serialize;

use super::result::Bound;

/// Standard errors below the floor from which a bound is refused.
const CLEARLY: f64 = 3.0;

/// A bound beside the entropy of the empirical law of its sequences. The mean of -log p over sequences is at least that
/// entropy for every distribution p (Gibbs), so the bound is too: one below it has seen what it predicts.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    /// Number of different sequences among those that are scored.
    pub distinct: usize,
    /// The entropy, bits per token.
    pub bits_per_dim: f64,
    /// The bound minus the floor, bits per token: what the model has not learned of these very sequences.
    pub excess: Estimate,
    /// Whether the bound lies clearly below the floor, which no bound can.
    pub is_broken: bool,
}

impl Floor {
    /// The floor of a bound of the first sequences of `data`.
    pub fn of(bound: &Bound, data: &dyn Dataset) -> Result<Self, Error> {
        let tokens = data.select(&(0..bound.per_sequence.len()).collect::<Vec<_>>())?;
        Ok(Self::of_sequences(tokens, &bound.per_sequence))
    }

    /// The floor in words.
    pub fn describe(&self, is_text: bool) -> String {
        let unit = if is_text { "bits/token" } else { "bits/dim" };
        let verdict = match self.is_broken {
            true => {
                ": BELOW THE FLOOR, which no bound can be; the model sees what it predicts, or its weights are wrong"
            }
            false => "",
        };
        format!(
            "floor {:.4} {unit}, the entropy of {} different sequences; the bound exceeds it by {:.4} +- {:.4}{verdict}",
            self.bits_per_dim, self.distinct, self.excess.value, self.excess.standard_error
        )
    }

    /// The floor of some sequences, and the excess of the nats that a model needs for each.
    fn of_sequences(tokens: Tokens, nats: &[f64]) -> Self {
        let (dims, distinct) = (tokens.length(), tokens.rows().collect::<std::collections::HashSet<_>>().len());
        let floor = TokenFloor::new(tokens).entropy();
        let excess = Estimate::of(&nats.iter().map(|nats| nats - floor).collect::<Vec<_>>()).bits_per(dims);
        let is_broken = excess.value < -CLEARLY * excess.standard_error;
        Self { distinct, bits_per_dim: bits_per_dim(floor, dims), excess, is_broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_below_the_entropy_of_its_sequences_is_broken() {
        // Four sequences, two of them alike: 1.5 bits for two tokens.
        let tokens = || Tokens::new(vec![0, 1, 0, 1, 1, 1, 2, 0], 2);
        let nats = |bits: [f64; 4]| bits.map(|bits| bits * std::f64::consts::LN_2);
        let best = Floor::of_sequences(tokens(), &nats([1.0, 1.0, 2.0, 2.0]));
        assert_eq!((best.distinct, best.bits_per_dim), (3, 0.75));
        assert!(best.excess.value.abs() < 1e-15 && !best.is_broken);
        let worse = Floor::of_sequences(tokens(), &nats([2.0, 2.1, 1.9, 2.0]));
        assert!((worse.excess.value - 0.25).abs() < 1e-15 && !worse.is_broken);
        // Witness: a model that sees the tokens it predicts needs next to nothing.
        let leaking = Floor::of_sequences(tokens(), &nats([0.1, 0.11, 0.1, 0.12]));
        assert!(leaking.is_broken, "{leaking:?}");
    }
}
