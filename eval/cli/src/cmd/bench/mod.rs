//! `elbow bench`: how long this machine takes, in the form in which other programs' times are compared with ours.

mod case;
mod enumeration;
mod machine;
mod sample;
mod seconds;
mod step;
mod trace;

use clap::Subcommand;

use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

#[derive(Subcommand)]
#[command(after_long_help = "Examples:
  elbow bench machine
  elbow bench case md4-digits case/
  elbow bench step case/ --seconds 5 --json
  elbow bench sample case/ --steps 64 --count 64

All but case and machine print the seconds of every unit that was measured after a warm-up, and a check: the number by which two programs show
that they did the same work. `just bench compare` runs these beside their Python peers.")]
pub enum Task {
    /// Writes a problem: a short training run, a fixed batch and the training data
    Case(case::Arguments),
    /// One optimiser step of a case
    Step(step::Arguments),
    /// Samples of a case by ancestral steps on a uniform grid
    Sample(sample::Arguments),
    /// The Frechet distance between two files of statistics, once they are read
    Trace(trace::Arguments),
    /// The exact bounds of a toy
    Enumeration(enumeration::Arguments),
    /// The best matrix product and the best streaming of the machine
    Machine,
}

/// Runs one task and prints what it found.
pub fn run(workspace: &Workspace, task: &Task) -> Result<(), Failure> {
    match task {
        Task::Case(arguments) => case::run(workspace, arguments),
        Task::Step(arguments) => seconds::print(&step::run(workspace, arguments)?, workspace),
        Task::Sample(arguments) => seconds::print(&sample::run(workspace, arguments)?, workspace),
        Task::Trace(arguments) => seconds::print(&trace::run(arguments)?, workspace),
        Task::Enumeration(arguments) => seconds::print(&enumeration::run(arguments)?, workspace),
        Task::Machine => machine::run(workspace),
    }
}
