//! `elbow bench step`: an optimiser step.

use std::path::PathBuf;

use clap::Args;
use impls::train::Trainer;

use super::seconds::Seconds;
use elbow_harness::failure::Failure;
use elbow_harness::timing::Case;
use elbow_harness::timing::Timing;
use elbow_harness::workspace::Workspace;

#[derive(Args)]
pub struct Arguments {
    /// A folder that `elbow bench case` wrote
    case: PathBuf,
    #[command(flatten)]
    seconds: Seconds,
}

/// A unit is a step as training makes it: batch, times, masks, gradients, clipping, AdamW, moving average. The check is
/// bits/dim of the case's batch under its weights.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<Timing, Failure> {
    let case = Case::open(workspace, &arguments.case)?;
    let check = case.check(workspace)?;
    let trainer = Trainer::new(&case.settings, case.data.as_ref(), &workspace.devices)?;
    let mut trainer = trainer.resume(case.run())?;
    let timing = Timing::of("step", 1, arguments.seconds.seconds, || Ok(trainer.advance().map(|_| ())?))?;
    Ok(timing.checked(check, None))
}
