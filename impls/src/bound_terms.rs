//! The terms of a likelihood bound.

use serde::{Deserialize, Serialize};

/// The terms of one draw of a bound on -log p(x), nats per sequence. Their sum bounds it from above in expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundTerms {
    /// E -log p(x | z_0).
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)).
    pub prior: f64,
    /// The sum or the integral over the steps between.
    pub diffusion: f64,
}

impl BoundTerms {
    /// The bound, nats.
    pub fn sum(&self) -> f64 {
        self.reconstruction + self.prior + self.diffusion
    }

    /// The terms by name; those of an exact likelihood are one.
    pub fn by_name(&self, is_exact: bool) -> Vec<(&'static str, f64)> {
        match is_exact {
            true => vec![("code length", self.sum())],
            false => vec![
                ("reconstruction term", self.reconstruction),
                ("prior term", self.prior),
                ("diffusion term", self.diffusion),
            ],
        }
    }
}
