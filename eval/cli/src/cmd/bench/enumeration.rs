//! `elbow bench enumeration`: the exact bounds of a toy.

use std::path::PathBuf;

use clap::Args;
use impls::Weighting;
use impls::schedule::MaskedSchedule;

use super::seconds::Seconds;
use elbow_harness::failure::Failure;
use elbow_harness::theory::masked::{Enumeration, cascade};
use elbow_harness::theory::{Alphabet, Toy};
use elbow_harness::timing::Timing;

#[derive(Args)]
pub struct Arguments {
    /// The toy file (JSON)
    toy: PathBuf,
    /// Steps T of the time grid
    #[arg(long, default_value_t = 8)]
    steps: usize,
    #[command(flatten)]
    seconds: Seconds,
}

/// A unit is what `elbow theory masked` computes under the linear schedule. The check is the sum of all
/// that it gives: bounds, gaps, factorisation errors, KL(q || p^(i)) and the negative ELBO in continuous time.
pub fn run(arguments: &Arguments) -> Result<Timing, Failure> {
    let toy = Toy::load(&arguments.toy, Alphabet::Masked)?;
    let mut value = f64::NAN;
    let timing = Timing::of("computation", 1, arguments.seconds.seconds, || {
        let all = Enumeration::new(&toy)?;
        let found = cascade(&all, &MaskedSchedule::Linear, arguments.steps, &Weighting::Elbo)?;
        let arrays = [&found.elbo, &found.gap, &found.factorization, &found.data_model_kl];
        value = found.neg_elbo_continuous + arrays.iter().flat_map(|array| array.iter()).sum::<f64>();
        Ok(())
    })?;
    Ok(timing.checked(value, None))
}
