//! `elbow fid`: distances between sets of images, one file per task.

mod calc;
mod conventions;
mod export;
mod flags;
mod stats;

use clap::Subcommand;

use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

#[derive(Subcommand)]
pub enum Task {
    /// Distances between two sets: FD (FID), KID, Inception Score, precision, recall, density, coverage, entropy
    Calc(Box<calc::Arguments>),
    /// The Frechet distance of one pair of sets under every input convention that resizes
    Conventions(conventions::Arguments),
    /// Mean and covariance of a set's features, as an npz file that other tools read
    Stats(stats::StatsArguments),
    /// The statistics of several disjoint sets together
    Merge(stats::MergeArguments),
    /// The canonical Inception as an ONNX network, from its PyTorch weights and without Python
    Export(export::Arguments),
}

pub fn run(workspace: &Workspace, task: &Task) -> Result<(), Failure> {
    match task {
        Task::Calc(arguments) => calc::run(workspace, arguments),
        Task::Conventions(arguments) => conventions::run(workspace, arguments),
        Task::Stats(arguments) => stats::run(workspace, arguments),
        Task::Merge(arguments) => stats::merge(workspace, arguments),
        Task::Export(arguments) => export::run(workspace, arguments),
    }
}
