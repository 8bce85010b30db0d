//! Units of work and how long they took.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use elbow_base::Error;

/// What a program says of its own speed; the Python peers print the same.
#[derive(Debug, Deserialize, Serialize)]
pub struct Timing {
    /// What was timed: a step, a sample.
    pub unit: String,
    /// Seconds of each unit.
    pub seconds: Vec<f64>,
    /// By this number two programs show that they did the same work.
    pub check: f64,
    /// Standard error of the check, where it is random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_error: Option<f64>,
    /// Versions and options.
    #[serde(default)]
    pub note: String,
}

impl Timing {
    /// Does `unit` again and again for so many seconds, at least once, after a warm-up; `units` is how many units one go is.
    pub fn of(
        unit: &str,
        units: usize,
        seconds: f64,
        mut go: impl FnMut() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut repeat = |seconds: f64| -> Result<Vec<f64>, Error> {
            let (clock, mut times) = (Instant::now(), Vec::new());
            while times.is_empty() || clock.elapsed().as_secs_f64() < seconds {
                let start = Instant::now();
                go()?;
                times.push(start.elapsed().as_secs_f64() / units as f64);
            }
            Ok(times)
        };
        repeat(seconds / 4.0)?;
        let seconds = repeat(seconds)?;
        let note = format!("elbow {}", env!("CARGO_PKG_VERSION"));
        Ok(Self { unit: unit.to_owned(), seconds, check: f64::NAN, check_error: None, note })
    }

    /// With the number that shows what was done.
    pub fn checked(self, check: f64, check_error: Option<f64>) -> Self {
        Self { check, check_error, ..self }
    }

    /// The median, seconds.
    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
