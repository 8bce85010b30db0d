//! The result row: what a finished claim leaves behind, and all that a report is rendered from.
//!
//! Numbers that do not exist are absent, never NaN: JSON has none.

use std::fmt;

use elbow_base::hash::sha256;
use serde::{Deserialize, Serialize};

pub use crate::row_file::{latest, read_rows};

/// Version of the row's layout. It grows when a field is renamed or changes its meaning, or when one is added that
/// older rows must have.
pub const SCHEMA: u32 = 1;

/// The suites of claims, in the order of a report.
pub const SUITES: [&str; 7] = ["theory", "weighting", "likelihood", "sampling", "fid", "text", "speed"];

/// One finished claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The [`SCHEMA`] that the row was written in.
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
    /// Content key: the hash of everything that shapes the result. Equal keys mean an equal result.
    pub key: String,
    /// Where the number comes from.
    pub provenance: Provenance,
    /// SHA-256 of the row without this field, by which an edited row is recognised; older rows have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl Row {
    /// The row with its checksum.
    pub fn sealed(self) -> Self {
        Self { checksum: Some(self.digest()), ..self }
    }

    /// Whether the row is as it was written; unknown without a checksum.
    pub fn is_intact(&self) -> Option<bool> {
        self.checksum.as_ref().map(|checksum| *checksum == self.digest())
    }

    /// SHA-256 of the row without its checksum: of its numbers and texts, not of how they are spaced in the file.
    fn digest(&self) -> String {
        let bare = Self { checksum: None, ..self.clone() };
        // A number that is not finite becomes null, and null is not read again as a number.
        sha256(&serde_json::to_vec(&bare).expect("a row has texts as keys"))
    }
}

/// The recorded part of a claim file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The name of the claim file without `.toml`.
    pub id: String,
    /// A short heading.
    pub title: String,
    /// One of [`SUITES`].
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
    /// What the claim is about; older rows do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

/// What a claim is about. Claims of different kinds are counted apart: that elbow's numbers are right is no evidence for a
/// paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A statement of a paper or a talk, or what follows from one.
    Paper,
    /// elbow itself: its numbers beside those of other tools, its speed, what its own models and experiments show.
    Elbow,
    /// A claim of the user's own.
    Own,
}

impl About {
    /// Every kind, in the order of a summary.
    pub const ALL: [Self; 3] = [Self::Paper, Self::Elbow, Self::Own];
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Paper => "of papers",
            Self::Elbow => "of elbow itself",
            Self::Own => "of your own",
        })
    }
}

/// The number that decides a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What the number is: "largest |E L^(i+1) - E L^(i) - g_i|".
    pub quantity: String,
    /// The number, in `unit`.
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
    /// Number of numbers of which this one is the worst, which the verdict depends on; older rows do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rivals: Option<u64>,
}

/// A two-sided confidence interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage after the correction for multiplicity, for example 0.9917.
    pub confidence: f64,
}

/// A named number that is shown and recorded, but does not decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// What the number is.
    pub name: String,
    /// The number, in `unit`.
    pub value: f64,
    /// Standard error of `value`; absent for exact values.
    pub standard_error: Option<f64>,
    /// As in [`Measured::unit`].
    pub unit: String,
}

/// The outcome of a claim. What was not checked is never verified.
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
    /// Every verdict, in the order of a summary.
    pub const ALL: [Self; 6] =
        [Self::Verified, Self::Consistent, Self::Refuted, Self::Error, Self::Blocked, Self::NotRun];
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
    /// Version of the program; never empty.
    pub version: String,
    /// The commit that the program was built from, in hexadecimal.
    pub git_revision: String,
    /// True where the working tree differed from the revision when the program was built.
    pub git_dirty: bool,
    /// SHA-256 of the program that made the row.
    pub program_hash: String,
    /// Root of the keyed randomness.
    pub seed: u64,
    /// Where the check ran: `cpu`, `cuda:0`, ...
    pub device: String,
    /// Worker threads.
    pub threads: u64,
    /// The processor, and the GPU of a check that ran on one; older rows do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// SHA-256 of the claim file.
    pub claim_hash: String,
    /// What else went in: data set, toy, preset, checkpoint, feature network.
    pub inputs: Vec<Input>,
    /// UTC, RFC 3339, second resolution.
    pub finished: String,
}

/// A named input of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// File name or title.
    pub name: String,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

/// Data of one figure: one or more panels side by side under one title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// File-name safe and unique within a report, for example `cascade`.
    pub id: String,
    /// A short heading.
    pub title: String,
    /// What the figure shows and how to read it.
    pub caption: String,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// One panel of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Panel {
    /// Curves, points or bars over a numeric axis.
    Plot {
        /// Heading; may be empty.
        title: String,
        /// Horizontal axis.
        x: Axis,
        /// Vertical axis.
        y: Axis,
        /// In the order of the legend.
        series: Vec<Series>,
    },
    /// A grid of equally sized 8-bit images.
    Images {
        /// Heading; may be empty.
        title: String,
        /// Pixels per row of an image.
        width: usize,
        /// Pixels per column of an image.
        height: usize,
        /// 1 for grey, 3 for RGB.
        channels: usize,
        /// Images per row of the grid.
        columns: usize,
        /// One entry per image: \[height, width, channels\] bytes, row-major.
        images: Vec<Vec<u8>>,
        /// What each row of the grid shows, from the top; nothing where the rows have no names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        row_labels: Vec<String>,
    },
    /// A table of ready-formatted cells.
    Table {
        /// Heading; may be empty.
        title: String,
        /// Column headings.
        header: Vec<String>,
        /// One entry per row, with one cell per column.
        rows: Vec<Vec<String>>,
    },
}

/// An axis of a plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What the axis shows, with its unit.
    pub label: String,
    /// Whether the scale is logarithmic.
    pub log: bool,
    /// Fixed range; the data's own where absent.
    pub range: Option<(f64, f64)>,
    /// On the y axis: names of the rows 1, 2, 3, ... from the top, in place of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Points of a plot that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Entry of the legend; none where empty.
    pub label: String,
    /// How the points are drawn.
    pub style: Style,
    /// Horizontal coordinates, one per point.
    pub x: Vec<f64>,
    /// Vertical coordinates, one per point.
    pub y: Vec<f64>,
    /// Standard errors of `y` (of `x` where the rows of the y axis have names), drawn as bars of one standard error
    /// either way.
    pub error: Option<Vec<f64>>,
    /// Standard errors of `x` where the rows of the y axis have no names; absent where `x` is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_error: Option<Vec<f64>>,
}

/// How the points of a series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// A solid line.
    Line,
    /// A dashed line.
    Dashed,
    /// A marker per point.
    Points,
    /// A solid line with a marker per point.
    LinePoints,
    /// A bar per point, from zero.
    Bars,
}
