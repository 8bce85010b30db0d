//! A claim, as its file states it.

use serde::Deserialize;

use super::check;
use super::context::Check;

/// A statement with a check and an expectation: one TOML file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The file's name without `.toml`.
    pub id: String,
    /// One line for tables.
    pub title: String,
    /// Document, section or slide.
    pub source: String,
    /// What is claimed.
    pub statement: String,
    /// The folder's name.
    pub suite: String,
    /// What the claim costs to check.
    pub tier: Tier,
    /// Prose for the report.
    pub analysis: String,
    /// The check with its parameters: the table `[protocol]`, whose `check` names the kind.
    #[serde(rename = "protocol", deserialize_with = "check::deserialize")]
    pub check: Box<dyn Check>,
    /// What the check must find.
    pub expect: Expect,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub hash: String,
}

impl Claim {
    /// Whether elbow is compared with other tools or golden values, rather than a paper's statement tested.
    pub fn is_self_test(&self) -> bool {
        self.id.starts_with("golden") || self.id.starts_with("tools-")
    }
}

/// What a claim costs to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// An identity, without randomness.
    Exact,
    /// Seconds to a few minutes on two cores.
    Fast,
    /// Longer.
    Slow,
    /// Needs a GPU.
    Gpu,
    /// Needs the programs to be compared with, and a machine that does nothing else.
    Peers,
}

impl Tier {
    /// The name in claim files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Gpu => "gpu",
            Self::Peers => "peers",
        }
    }
}

/// What the check must find.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How the number found must relate to `value`.
    pub relation: Relation,
    /// The claimed number.
    pub value: f64,
    /// How far from `value` still counts: for an exact check the rounding, for a statistical one the largest difference
    /// that does not matter.
    pub tolerance: f64,
    /// Why this tolerance.
    pub why: String,
}

/// How the number found must relate to the claimed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
        match self.tolerance {
            0.0 => format!("{relation} {}", self.value),
            tolerance => format!("{relation} {} within {tolerance:e}", self.value),
        }
    }
}
