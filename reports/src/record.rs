//! The result row: what one finished claim leaves behind, and all that a report may know.
//!
//! Rows are stored one JSON document a line (`results.jsonl`), append-only. A later row of the same
//! claim supersedes an earlier one. Numbers that do not exist are absent, never NaN: JSON has none.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Version of the row's layout. It grows when a field is added, renamed or changes its meaning.
pub const SCHEMA: u32 = 1;

/// One finished claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// The claim as it stood when it was judged.
    pub claim: Claim,
    /// The outcome.
    pub verdict: Verdict,
    /// Why the claim was not run, is blocked, or failed with an error; one line.
    pub reason: Option<String>,
    /// What was measured; absent where nothing could be.
    pub measured: Option<Measured>,
    /// Further numbers worth showing beside the deciding one.
    pub details: Vec<Detail>,
    /// Data of the figures that belong to this claim.
    pub figures: Vec<Figure>,
    /// Wall-clock seconds that the check took.
    pub seconds: f64,
    /// Content key: hash of everything that shapes the result. Equal keys mean an equal result.
    pub key: String,
    /// Where the number comes from.
    pub provenance: Provenance,
}

/// The recorded part of a claim file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    pub id: String,
    pub title: String,
    /// `theory`, `likelihood`, `weighting`, `sampling`, `fid`, `text` or `speed`.
    pub suite: String,
    /// `exact`, `fast`, `slow`, `gpu` or `peers`.
    pub tier: String,
    /// Document, section or slide.
    pub source: String,
    /// The claim in words.
    pub statement: String,
    /// The expectation in words, with its tolerance: "= 0 within 1e-12".
    pub expected: String,
    /// Why this tolerance.
    pub why: String,
    /// Prose for the reader of the report.
    pub analysis: String,
    /// The command that reproduces the row.
    pub command: String,
}

/// The number that decides a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What the number is: "largest |E L^(i+1) - E L^(i) - g_i|".
    pub quantity: String,
    pub value: f64,
    /// Standard error of `value`; absent for exact values.
    pub standard_error: Option<f64>,
    /// Independent units behind the number (examples, seeds, cases).
    pub n: u64,
    /// What one unit is: "test images", "seeds", "cases".
    pub n_unit: String,
    /// `nats`, `bits/dim`, `1` for a ratio or a difference of probabilities, ...
    pub unit: String,
    /// The interval that decided, for statistical claims.
    pub interval: Option<Interval>,
}

/// A two-sided confidence interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
    /// Coverage after the correction for multiplicity, for example 0.9917.
    pub confidence: f64,
}

/// A named number that is shown and recorded, but does not decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    pub name: String,
    pub value: f64,
    pub standard_error: Option<f64>,
    pub unit: String,
}

/// The outcome of a claim. Never green by absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An identity within tolerance, or an interval wholly inside the claim.
    Verified,
    /// The interval contains the claim but is too wide to decide.
    Consistent,
    /// Outside the tolerance, or an interval wholly outside the claim.
    Refuted,
    /// The tier or the device was not asked for or is absent.
    NotRun,
    /// An input is missing; `reason` says which.
    Blocked,
    /// The check broke; `reason` says how.
    Error,
}

impl Verdict {
    /// Every verdict, best first.
    pub const ALL: [Self; 6] =
        [Self::Verified, Self::Consistent, Self::Refuted, Self::NotRun, Self::Blocked, Self::Error];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Verified => "verified",
            Verdict::Consistent => "consistent",
            Verdict::Refuted => "refuted",
            Verdict::NotRun => "not run",
            Verdict::Blocked => "blocked",
            Verdict::Error => "error",
        })
    }
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    pub version: String,
    pub git_revision: String,
    /// True where the working tree differed from the revision when the program was built.
    pub git_dirty: bool,
    /// SHA-256 of the program that made the row.
    pub program_hash: String,
    pub seed: u64,
    pub device: String,
    pub threads: u64,
    /// SHA-256 of the claim file.
    pub claim_hash: String,
    /// Hashes of what else went in: data set, toy, preset, checkpoint, feature network ("name", "sha256").
    pub inputs: Vec<Input>,
    /// UTC, RFC 3339, second resolution.
    pub finished: String,
}

/// A named input of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    pub sha256: String,
}

/// Data of one figure: one or more panels side by side under one title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// File-name safe and unique within a report, for example `cascade`.
    pub id: String,
    pub title: String,
    pub caption: String,
    pub panels: Vec<Panel>,
}

/// One panel of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Panel {
    /// Curves, points, steps or bars over a numeric axis.
    Plot { title: String, x: Axis, y: Axis, series: Vec<Series> },
    /// A grid of equally sized 8-bit images, row-major, `channels` interleaved (1 grey, 3 RGB).
    Images {
        title: String,
        width: usize,
        height: usize,
        channels: usize,
        columns: usize,
        /// One entry an image, `width * height * channels` bytes each.
        images: Vec<Vec<u8>>,
    },
    /// A table of ready-formatted cells.
    Table { title: String, header: Vec<String>, rows: Vec<Vec<String>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    pub label: String,
    pub log: bool,
    /// Fixed range; the data's own where absent.
    pub range: Option<(f64, f64)>,
    /// On the y axis: names of the rows 1, 2, 3, ... from the top, in place of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    pub label: String,
    pub style: Style,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    /// Standard errors of `y` (of `x` where the rows of the y axis have names), drawn as bars of one standard error
    /// either way.
    pub error: Option<Vec<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    Line,
    Dashed,
    Points,
    LinePoints,
    Bars,
}

/// Reads `results.jsonl`, oldest first.
///
/// A torn last line (the program was killed while it wrote) is dropped; any other bad line, and any row
/// without a version, is an error that names the line.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let reading = || format!("cannot read {}", path.display());
    let bytes = fs::read(path).with_context(reading)?;
    // The tear may go through a character.
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    let text = std::str::from_utf8(&bytes[..whole]).with_context(reading)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut rows = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let torn = index + 1 == lines.len() && !text.ends_with('\n');
        match serde_json::from_str::<Row>(line) {
            Ok(row) if row.schema != SCHEMA => bail!(
                "{}, line {}: row schema {} where this program reads {SCHEMA}",
                path.display(),
                index + 1,
                row.schema
            ),
            Ok(row) if row.provenance.version.is_empty() => {
                bail!("{}, line {}: a row without a version", path.display(), index + 1)
            }
            Ok(row) => rows.push(row),
            Err(_) if torn => break,
            Err(error) => bail!("{}, line {}: {error}", path.display(), index + 1),
        }
    }
    Ok(rows)
}

/// The newest row of each claim, sorted by suite and id: what a report shows.
pub fn latest(rows: &[Row]) -> Vec<&Row> {
    let mut newest = std::collections::BTreeMap::new();
    for row in rows {
        newest.insert((row.claim.suite.as_str(), row.claim.id.as_str()), row);
    }
    newest.into_values().collect()
}
