//! A claim: statement, check and expectation.

use elbow_reports::record::About;
use schemars::JsonSchema;
use serde::Deserialize;

use super::context::{Check, Context};
use super::place::Place;
use crate::workspace::Workspace;

/// A statement with a check and an expectation: one TOML file.
#[derive(Debug)]
pub struct Claim {
    /// The file's name without `.toml`.
    pub id: String,
    /// One line for tables.
    pub title: String,
    /// Document, section or slide.
    pub source: String,
    /// The claim in words.
    pub statement: String,
    /// The folder's name.
    pub suite: String,
    /// Cost of the check.
    pub tier: Tier,
    /// Prose for the report.
    pub analysis: String,
    /// The check with its parameters: the table `[protocol]`, whose `check` names the kind.
    pub check: Box<dyn Check>,
    /// The expected outcome.
    pub expect: Expect,
    /// SHA-256 of the file.
    pub hash: String,
    /// What the claim is about.
    pub about: About,
    /// Where the file of a user's claim lies.
    pub place: Option<Place>,
}

impl Claim {
    /// The context in which the claim is checked.
    pub fn context<'a>(&'a self, workspace: &'a Workspace, confidence: f64) -> Context<'a> {
        Context { workspace, confidence, id: &self.id, place: self.place.as_ref() }
    }
}

/// Cost of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// An identity, without randomness.
    Exact,
    /// Seconds on two cores: what is run on every push. All claims of this tier and of the one before take less than five
    /// minutes together.
    Quick,
    /// Up to a few minutes on two cores.
    #[default]
    Fast,
    /// Longer.
    Slow,
    /// Needs a GPU.
    Gpu,
    /// Needs the programs to be compared with, and a machine that does nothing else.
    Peers,
}

elbow_base::names!(Tier, "tier": Exact = "exact", Quick = "quick", Fast = "fast", Slow = "slow", Gpu = "gpu", Peers = "peers");

impl Tier {
    /// The tiers that differ in time alone, the cheapest first.
    pub const BY_TIME: [Self; 4] = [Self::Exact, Self::Quick, Self::Fast, Self::Slow];

    /// Those that take no longer than this one.
    pub fn and_cheaper(self) -> Vec<Self> {
        Self::BY_TIME.into_iter().filter(|&tier| tier as usize <= self as usize).collect()
    }
}

/// The expected outcome.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Required relation of the number found to `value`.
    pub relation: Relation,
    /// The claimed number.
    pub value: f64,
    /// Accepted distance from `value`: for an exact check the rounding, for a statistical one the largest difference
    /// that does not matter.
    pub tolerance: f64,
    /// Reason for this tolerance.
    pub why: String,
}

/// Relation of the number found to the claimed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// |found - value| <= tolerance.
    Equals,
    /// found >= value - tolerance.
    AtLeast,
    /// found <= value + tolerance.
    AtMost,
}

impl Expect {
    /// The expectation in words.
    pub fn in_words(&self) -> String {
        let relation = match self.relation {
            Relation::Equals => "=",
            Relation::AtLeast => "≥",
            Relation::AtMost => "≤",
        };
        let value = logarithm(self.value).unwrap_or_else(|| self.value.to_string());
        match self.tolerance {
            0.0 => format!("{relation} {value}"),
            // Hundredths as people write them, rounding errors by their exponent.
            tolerance @ 1e-3.. => format!("{relation} {value} within {tolerance}"),
            tolerance => format!("{relation} {value} within {tolerance:e}"),
        }
    }
}

/// The largest number in a fraction that is recognised by its logarithm.
const LARGEST: u32 = 16;

/// `ln(1/4)` for the logarithm of a fraction of small numbers, to its last bit.
fn logarithm(value: f64) -> Option<String> {
    let fractions = (1..=LARGEST).flat_map(|below| (1..=LARGEST).map(move |above| (above, below)));
    let mut found = fractions.filter(|&(above, below)| above != below);
    let (above, below) = found.find(|&(above, below)| (f64::from(above) / f64::from(below)).ln() == value)?;
    Some(if below == 1 { format!("ln({above})") } else { format!("ln({above}/{below})") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_has_those_that_take_no_longer() {
        assert_eq!(Tier::Exact.and_cheaper(), [Tier::Exact]);
        assert_eq!(Tier::Quick.and_cheaper(), [Tier::Exact, Tier::Quick]);
        assert_eq!(Tier::Slow.and_cheaper(), Tier::BY_TIME, "witness: neither gpu nor peers");
    }

    #[test]
    fn expectations_are_written_as_formulas_where_they_are_logarithms() {
        let words = |relation, value, tolerance| Expect { relation, value, tolerance, why: String::new() }.in_words();
        assert_eq!(words(Relation::AtMost, -1.386_294_361_119_890_6, 0.0), "≤ ln(1/4)");
        assert_eq!(words(Relation::AtLeast, std::f64::consts::LN_2, 0.1), "≥ ln(2) within 0.1");
        assert_eq!(
            words(Relation::Equals, -1.386_294_361_119_9, 1e-9),
            "= -1.3862943611199 within 1e-9",
            "witness: nearly"
        );
        assert_eq!(words(Relation::Equals, 0.0, 5e-14), "= 0 within 5e-14");
    }
}
