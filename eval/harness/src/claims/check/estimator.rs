//! Check: the loss code that trains the networks, run with a table denoiser, against the exact loss.

use elbow_impls::Key;
use elbow_impls::md4::Md4;
use elbow_impls::objective::{Batch, TokenObjective};
use elbow_impls::time_sampling::TimeSampling;
use elbow_theory::Alphabet;
use elbow_theory::masked::{Enumeration, weighted_loss};

use super::prelude::*;
use crate::denoisers::table_denoiser;

/// Batches of the training loss on a toy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimator {
    measure: Measure,
    toy: String,
    schedule: String,
    weighting: String,
    batches: usize,
    batch_size: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Monte-Carlo mean minus exact value, stratified times.
    Bias,
    /// log of the ratio of the variances of the batch mean: stratified over independent times.
    LogVarianceRatio,
}

impl Check for Estimator {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, [&self.toy])
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = context.toy(&self.toy, Alphabet::Masked)?;
        let all = Enumeration::new(&toy)?;
        let objective = Md4::new(self.schedule.parse()?, self.weighting.parse()?);
        let table = table_denoiser(&all, &context.device);
        let exact = weighted_loss(&all, &objective.schedule, &objective.weighting);
        let means = |sampling: TimeSampling| -> Result<Vec<f64>, Error> {
            context.bar.start(self.batches as u64, &format!("loss, {sampling} times"));
            let batch = |b: usize| -> Result<f64, Error> {
                let key = |purpose| Key::new(context.seed, purpose).fold(b as u64);
                let x = toy.draw(self.batch_size, &key("toy data"));
                let batch = Batch::new(x, sampling.draw(self.batch_size, &key("toy times")));
                let loss = objective.loss(&table, &batch, &key("toy masks"), &context.device)?.into_data();
                context.bar.advance(1);
                Ok(loss.iter::<f64>().sum::<f64>() / self.batch_size as f64)
            };
            let means = (0..self.batches).map(batch).collect();
            context.bar.finish();
            means
        };
        let (stratified, independent) = (means(TimeSampling::Stratified)?, means(TimeSampling::Independent)?);
        let (a, b) = (Estimate::of(&stratified), Estimate::of(&independent));
        let ratio = log_variance_ratio(&a, &b);
        let (quantity, found, unit) = match self.measure {
            Measure::Bias => ("Monte-Carlo loss − exact loss", Estimate { value: a.value - exact, ..a }, "nats"),
            Measure::LogVarianceRatio => ("ln (variance with stratified times / with independent times)", ratio, "1"),
        };
        let mut outcome = Outcome::estimated(quantity, found, unit, "batches");
        outcome.detail("exact loss", exact, None, "nats");
        outcome.estimate_detail("stratified times", &a, "nats");
        outcome.estimate_detail("independent times", &b, "nats");
        outcome.detail("variance ratio, stratified over independent", ratio.value.exp(), None, "1");
        Ok(outcome)
    }
}
