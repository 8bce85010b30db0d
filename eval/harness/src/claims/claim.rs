//! The claim file.

use std::path::PathBuf;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::check::Protocol;
use crate::failure::Failure;

/// The suites, in the order of the report.
pub const SUITES: [&str; 7] = ["theory", "weighting", "likelihood", "sampling", "fid", "text", "speed"];

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../claims");

/// One claim, as its file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The file's name without `.toml`.
    pub id: String,
    pub title: String,
    /// Document, section or slide.
    pub source: String,
    pub statement: String,
    pub suite: String,
    pub tier: Tier,
    /// Prose for the report.
    pub analysis: String,
    /// Which check, with which parameters.
    pub protocol: Protocol,
    pub expect: Expect,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub hash: String,
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
    pub relation: Relation,
    pub value: f64,
    /// How far from `value` still counts: for an exact check rounding, for a statistical one the largest difference
    /// that does not matter.
    pub tolerance: f64,
    /// Why this tolerance.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    Equals,
    AtLeast,
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

/// How many statistical claims there are: the family that shares one error probability, whatever part of it is run.
pub fn family() -> Result<usize, Failure> {
    Ok(all()?.iter().filter(|claim| claim.protocol.is_statistical()).count())
}

/// Every claim, by suite and then by id.
pub fn all() -> Result<Vec<Claim>, Failure> {
    let mut claims = Vec::new();
    for folder in FILES.dirs() {
        for file in folder.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml")) {
            claims.push(parse(file.path().to_owned(), file.contents())?);
        }
    }
    let place = |claim: &Claim| SUITES.iter().position(|suite| *suite == claim.suite);
    claims.sort_by(|a: &Claim, b: &Claim| (place(a), &a.id).cmp(&(place(b), &b.id)));
    Ok(claims)
}

fn parse(path: PathBuf, contents: &[u8]) -> Result<Claim, Failure> {
    let bad = |what: String| Failure::input(format!("claim {}: {what}", path.display()), "correct the claim file");
    let text = std::str::from_utf8(contents).map_err(|e| bad(e.to_string()))?;
    let mut claim: Claim = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    claim.hash = impls::hash::sha256(contents);
    let (suite, name) = (path.parent().and_then(|p| p.to_str()), path.file_stem().and_then(|s| s.to_str()));
    if suite != Some(claim.suite.as_str()) || name != Some(claim.id.as_str()) {
        return Err(bad(format!("its place says otherwise than suite {:?}, id {:?}", claim.suite, claim.id)));
    }
    if !SUITES.contains(&claim.suite.as_str()) {
        return Err(bad(format!("unknown suite {:?}", claim.suite)));
    }
    Ok(claim)
}
