//! The best models without dependence between tokens: each position's own marginal, or one law for all positions.

use elbow_base::Error;
use elbow_impls::Key;
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::key::categorical;

/// Independent tokens, with the frequencies of a training split.
pub(super) struct IndependentBaseline {
    values: usize,
    /// Probability of value v at position n, index n * values + v.
    probabilities: Vec<f64>,
}

impl IndependentBaseline {
    /// One law per position, with one pseudo-count per value.
    pub fn fit(data: &dyn Dataset) -> Result<Self, Error> {
        let (values, length) = (data.values(), data.length());
        let mut counts = vec![1.0; values * length];
        for row in data.all()?.rows() {
            for (n, &v) in row.iter().enumerate() {
                counts[n * values + v as usize] += 1.0;
            }
        }
        let total = (data.len() + values) as f64;
        Ok(Self { values, probabilities: counts.into_iter().map(|c| c / total).collect() })
    }

    /// One law for all positions: the mean of the positions' laws.
    pub fn pooled(data: &dyn Dataset) -> Result<Self, Error> {
        let each = Self::fit(data)?;
        let length = each.probabilities.len() / each.values;
        let of = |v: usize| each.probabilities.iter().skip(v).step_by(each.values).sum::<f64>() / length as f64;
        let law: Vec<f64> = (0..each.values).map(of).collect();
        Ok(Self { values: each.values, probabilities: law.repeat(length) })
    }

    /// -log p(x) of each sequence, nats.
    pub fn nats(&self, x: &Tokens) -> Vec<f64> {
        let cost = |(n, &v): (usize, &u32)| -self.probabilities[n * self.values + v as usize].ln();
        x.rows().map(|row| row.iter().enumerate().map(cost).sum()).collect()
    }

    /// Draws `count` sequences.
    pub fn draw(&self, count: usize, key: &Key) -> Tokens {
        let mut rng = key.rng();
        let length = self.probabilities.len() / self.values;
        let ids = (0..count * length)
            .map(|i| {
                let n = i % length;
                categorical(&mut rng, &self.probabilities[n * self.values..(n + 1) * self.values]) as u32
            })
            .collect();
        Tokens::new(ids, length)
    }
}
