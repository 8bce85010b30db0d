//! How long to measure, and how a timing is printed.

use clap::Args;
use elbow_harness::timing::Timing;

use crate::cmd::positive;
use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

/// How long to measure.
#[derive(Args)]
pub struct Seconds {
    /// How long to measure, after a warm-up of a quarter of it
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub seconds: f64,
}

/// Prints a timing: as the peers do, or as one line.
pub fn print(timing: &Timing, workspace: &Workspace) -> Result<(), Failure> {
    workspace.print(timing, || {
        let [low, high] =
            [f64::min, f64::max].map(|pick| timing.seconds.iter().copied().reduce(pick).unwrap_or(f64::NAN) * 1e3);
        let (median, count) = (timing.median() * 1e3, timing.seconds.len());
        format!(
            "{median:.3} ms a {} (median of {count}, {low:.3} to {high:.3}); check {:.7}",
            timing.unit, timing.check
        )
    })
}
