//! `elbow fid`: distances between sets of images, one file per task.

mod calc;
mod conventions;
mod export;
pub(super) mod flags;
mod stats;

use std::error::Error as _;

use clap::Subcommand;
use elbow_base::Error;
use elbow_harness::workspace::Workspace;
use elbow_metrics::{Error as MetricsError, ImageError};

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

pub fn run(workspace: &Workspace, task: &Task) -> Result<u8, Error> {
    let done = match task {
        Task::Calc(arguments) => return calc::run(workspace, arguments).map_err(with_flags),
        Task::Conventions(arguments) => conventions::run(workspace, arguments),
        Task::Stats(arguments) => stats::run(workspace, arguments),
        Task::Merge(arguments) => stats::merge(workspace, arguments),
        Task::Export(arguments) => export::run(workspace, arguments),
    };
    done.map_err(with_flags)?;
    Ok(0)
}

/// Names the flags of this command line in the advice of a library error.
pub(super) fn with_flags(mut failure: Error) -> Error {
    let library = failure.source().and_then(|error| error.downcast_ref::<MetricsError>());
    let advice = library.and_then(|error| match error.root() {
        MetricsError::UnreadableImages { .. } => Some("repair or delete them, or leave them out with --on-bad skip"),
        MetricsError::Images(
            ImageError::Undecodable(_)
            | ImageError::Truncated(_)
            | ImageError::OtherKind(_)
            | ImageError::EmptyImage(_),
        ) => Some("repair or delete this file, or leave it out with --on-bad skip"),
        MetricsError::ChannelMismatch(..) => Some("use a network for colour images: --network lite0"),
        MetricsError::FreeInputSize(_) => Some("use --convention unit or signed"),
        MetricsError::UnknownOutput(_) => Some("name the output that holds the features: --features NAME"),
        MetricsError::NotPooled(_) => {
            Some("say how to pool them: --pool mean, or for tokens [N, L, C] --pool cls, the first of them")
        }
        MetricsError::UnknownConvention(_) => {
            Some("say --convention unit, signed, tf, pytorch, clean, lite, dinov2 or clip: the number depends on it")
        }
        MetricsError::NoCudaRuntime(_) => Some("name libonnxruntime.so of onnxruntime-gpu with --ort-lib"),
        MetricsError::CudaDevice(..) => Some("use --device cpu, or name the library of onnxruntime-gpu with --ort-lib"),
        MetricsError::UnloadableRuntime(..) => {
            Some("correct --ort-lib or ORT_DYLIB_PATH, or leave both out to use the embedded tract")
        }
        MetricsError::UnknownCount => Some("compute them with `elbow fid stats`"),
        MetricsError::NonFiniteCache(_) => Some("compute the features again: --no-cache, or delete this file"),
        _ => None,
    });
    if let Some(advice) = advice.map(str::to_owned) {
        failure.advice = advice;
    }
    failure
}
