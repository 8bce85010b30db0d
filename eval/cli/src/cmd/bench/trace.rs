//! `elbow bench trace`: the Frechet distance of two Gaussians.

use std::path::PathBuf;

use clap::Args;

use super::seconds::Seconds;
use elbow_harness::failure::Failure;
use elbow_harness::fid::{GaussianFit, Statistics};
use elbow_harness::timing::Timing;

#[derive(Args)]
pub struct Arguments {
    /// Two files of statistics (mu, sigma)
    #[arg(num_args = 2, required = true, value_name = "NPZ")]
    statistics: Vec<PathBuf>,
    #[command(flatten)]
    seconds: Seconds,
}

/// A unit is a distance as `elbow fid calc` makes it, by both algorithms, from statistics in memory. The check is the distance.
pub fn run(arguments: &Arguments) -> Result<Timing, Failure> {
    let [a, b] = [0, 1].map(|side| Statistics::load(&arguments.statistics[side]));
    let (a, b, mut value) = (a?, b?, f64::NAN);
    let timing = Timing::of("trace", 1, arguments.seconds.seconds, || {
        value = GaussianFit::of_statistics(a.clone())?.distance(&GaussianFit::of_statistics(b.clone())?)?.value;
        Ok(())
    })?;
    Ok(timing.checked(value, None))
}
