//! Times of units of work on this machine, in the form in which other programs' times are compared with ours.

mod case;
mod machine;
mod units;

use std::time::Instant;

use elbow_base::Error;
use serde::{Deserialize, Serialize};

pub use case::Case;
pub use machine::{Machine, measure as measure_machine};
pub use units::{time_enumeration, time_frechet_distance, time_sample, time_step};

/// Times of one unit of work as a program measured them; the Python peers print the same JSON.
#[derive(Debug, Deserialize, Serialize)]
pub struct Timing {
    /// Name of the unit of work: a step, a sample.
    pub unit: String,
    /// Seconds per unit, one per repeat.
    pub seconds: Vec<f64>,
    /// A number by which two programs show that they did the same work.
    pub check: f64,
    /// Standard error of the check, where it is random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_error: Option<f64>,
    /// Versions and options.
    #[serde(default)]
    pub note: String,
}

impl Timing {
    /// Repeats `go`, which does `units` units, for `seconds` and at least once, after a warm-up of a quarter of it.
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

    /// The timing with its check and the check's standard error.
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
