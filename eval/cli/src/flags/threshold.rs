//! Limits on a result, for continuous integration.

use clap::Args;
use elbow_harness::claims::Outcome;
use elbow_harness::threshold::{Ruling, Threshold, is_refuted};

use super::parse::{finite, non_negative};

/// Limits on the first number of a result, in its unit.
#[derive(Args)]
pub struct ThresholdFlags {
    /// Limit of the first number of the result, in its unit (bits/dim, bits/token, or that of a metric): it is to be at most this, any
    /// finite number. Exit code 1 where its 95 % interval lies wholly beyond; "undecided" where it lies on both sides
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = finite)]
    at_most: Option<f64>,
    /// It is to be at least this, any finite number
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = finite)]
    at_least: Option<f64>,
    /// It is to be this up to --within, any finite number
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = finite, requires = "within")]
    equals: Option<f64>,
    /// Distance from --equals that does not matter, 0 or more
    #[arg(long, value_name = "Y", value_parser = non_negative, requires = "equals")]
    within: Option<f64>,
}

impl ThresholdFlags {
    /// The first option that was given.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [("--at-most", self.at_most), ("--at-least", self.at_least), ("--equals", self.equals)];
        flags.into_iter().find(|(_, value)| value.is_some()).map(|(flag, _)| flag)
    }

    /// The limits, judged.
    pub fn judge(&self, outcome: &Outcome) -> Rulings {
        let equals = self.equals.zip(self.within).map(|(value, within)| Threshold::Equals { value, within });
        let at_most = self.at_most.map(Threshold::AtMost);
        let limits = [at_most, self.at_least.map(Threshold::AtLeast), equals];
        Rulings(limits.into_iter().flatten().map(|limit| limit.judge(outcome)).collect())
    }
}

/// Limits, judged.
pub struct Rulings(Vec<Ruling>);

impl Rulings {
    /// Adds them to a JSON document; nothing where there are none.
    pub fn add_to(&self, result: &mut serde_json::Value) {
        if !self.0.is_empty() {
            result["thresholds"] = serde_json::json!(self.0);
        }
    }

    /// A text with a line for each; `units` are what there would have to be more of.
    pub fn below(&self, text: String, units: &str) -> String {
        self.0.iter().fold(text, |text, ruling| format!("{text}\n{}", ruling.in_words(units)))
    }

    /// 1 where a limit does not hold.
    pub fn exit_code(&self) -> u8 {
        u8::from(is_refuted(&self.0))
    }
}
