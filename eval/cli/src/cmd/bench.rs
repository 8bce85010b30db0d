//! `elbow bench`: how long this machine takes, in the form in which other programs' times are compared with ours.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use elbow_base::Error;
use elbow_harness::timing::{
    Case, Machine, Timing, measure_machine, time_enumeration, time_frechet_distance, time_sample, time_step,
};
use elbow_harness::workspace::Workspace;
use serde_json::json;

use crate::flags::positive;
use crate::hints::written_by;

#[derive(Subcommand)]
#[command(after_long_help = "Examples:
  elbow bench machine
  elbow bench case md4-digits case/
  elbow bench step case/ --seconds 5 --json
  elbow bench sample case/ --steps 64 --count 64

All but case and machine print the seconds of every unit that was measured after a warm-up, and a
check: the number by which two programs show that they did the same work. `just bench compare`
runs these beside their Python peers.")]
pub enum Task {
    /// Writes a problem: a short training run, a fixed batch and the training data
    Case {
        /// A preset of masked diffusion in continuous time under the linear schedule, such as md4-digits
        preset: String,
        /// Folder to write: run/, batch.npz, data.npz
        to: PathBuf,
        /// Changes to the preset; the case's weights are those after `steps`, 20 unless it is said
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// One optimiser step of a case
    Step {
        /// A folder that `elbow bench case` wrote
        case: PathBuf,
        #[command(flatten)]
        time: Time,
    },
    /// Samples of a case by ancestral steps on a uniform grid
    Sample {
        /// A folder that `elbow bench case` wrote
        case: PathBuf,
        /// Ancestral steps, 1 to 1,000,000
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        steps: u32,
        /// Samples drawn together, 2 to 1,000,000
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
        count: u32,
        #[command(flatten)]
        time: Time,
    },
    /// The Frechet distance between two files of statistics, once they are read
    Trace {
        /// Two files of statistics (mu, sigma)
        #[arg(num_args = 2, required = true, value_name = "NPZ")]
        statistics: Vec<PathBuf>,
        #[command(flatten)]
        time: Time,
    },
    /// The exact bounds of a toy
    Enumeration {
        /// The toy file (JSON)
        toy: PathBuf,
        /// Steps T of the time grid, 1 or more, up to a limit that depends on the toy
        #[arg(long, default_value_t = 8)]
        steps: usize,
        #[command(flatten)]
        time: Time,
    },
    /// The best matrix product and the best streaming of the machine
    Machine,
}

/// How long to measure.
#[derive(Args)]
pub struct Time {
    /// How long to measure, in seconds above 0, after a warm-up of a quarter of it
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    seconds: f64,
}

/// Runs one task and prints its result.
pub fn run(workspace: &Workspace, task: &Task) -> Result<(), Error> {
    let timing = match task {
        Task::Case { preset, to, set } => {
            let sequences = Case::write(workspace, preset, set, to).map_err(written_by("TO"))?.data.len();
            let text = || format!("{} with {sequences} sequences", to.display());
            return workspace.print(&json!({ "case": to, "sequences": sequences }), text);
        }
        Task::Machine => {
            let machine = measure_machine();
            let Machine { threads, gflops, gigabytes } = machine;
            return workspace.print(&machine, || {
                format!("{threads} threads: {gflops:.0} GFLOP/s (f32 matrix products), {gigabytes:.1} GB/s (streaming)")
            });
        }
        Task::Step { case, time } => time_step(workspace, case, time.seconds)?,
        Task::Sample { case, steps, count, time } => {
            time_sample(workspace, case, *steps as usize, *count as usize, time.seconds)?
        }
        Task::Trace { statistics, time } => time_frechet_distance([&statistics[0], &statistics[1]], time.seconds)?,
        Task::Enumeration { toy, steps, time } => time_enumeration(toy, *steps, time.seconds)?,
    };
    workspace.print(&timing, || line(&timing))
}

/// A timing as one line.
fn line(timing: &Timing) -> String {
    let [low, high] =
        [f64::min, f64::max].map(|pick| timing.seconds.iter().copied().reduce(pick).unwrap_or(f64::NAN) * 1e3);
    let (median, count) = (timing.median() * 1e3, timing.seconds.len());
    let Timing { unit, check, .. } = timing;
    format!("{median:.3} ms per {unit} (median of {count}, {low:.3} to {high:.3}); check {check:.7}")
}
