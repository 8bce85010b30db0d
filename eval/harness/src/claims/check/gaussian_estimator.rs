//! Check: the loss code that trains Gaussian diffusion, run with a posterior-mean denoiser, against quadrature.

use elbow_impls::data::Tokens;
use elbow_impls::gaussian::{Decoder, Gaussian, Prediction};
use elbow_impls::network::to_f64_vec;
use elbow_impls::objective::Batch;
use elbow_impls::schedule::GaussianSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{Key, Weighting};
use elbow_theory::gaussian::{GaussianToy, weighted_loss};

use super::prelude::*;
use crate::denoisers::MixtureDenoiser;

/// Batches of the training loss on atoms that lie at the places of tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianEstimator {
    measure: Measure,
    toy: String,
    /// Number of values V.
    values: usize,
    schedule: String,
    /// The schedule under which noise levels are drawn, where it is not `schedule`.
    noise_levels: Option<String>,
    weightings: Vec<String>,
    predictions: Vec<String>,
    batches: usize,
    batch_size: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The largest |Monte-Carlo mean / exact value − 1|, plus four standard errors, over weightings and predictions.
    LargestBias,
    /// ln of the variance of the batch mean under `noise_levels` over that under the schedule's own law.
    LogVarianceRatio,
}

impl Check for GaussianEstimator {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, [&self.toy])
    }

    /// The ratio of variances has an interval; the bias includes its standard errors.
    fn is_statistical(&self) -> bool {
        matches!(self.measure, Measure::LogVarianceRatio)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let toy = context.gaussian_toy(&self.toy)?;
        let schedule: GaussianSchedule = self.schedule.parse()?;
        let levels: Option<GaussianSchedule> = self.noise_levels.as_ref().map(|name| name.parse()).transpose()?;
        let mut cases = Vec::new();
        for weighting in &self.weightings {
            for prediction in &self.predictions {
                let (weighting, prediction) = (weighting.parse::<Weighting>()?, prediction.parse::<Prediction>()?);
                cases.push(Gaussian {
                    levels: levels.clone(),
                    ..Gaussian::new(schedule.clone(), weighting, prediction)
                });
            }
        }
        let quantity = match self.measure {
            Measure::LargestBias => "largest |Monte-Carlo loss / exact loss − 1| + 4 standard errors",
            Measure::LogVarianceRatio => {
                "ln (variance under the other law / under the schedule's own), mean over the cases"
            }
        };
        let runs = if self.is_statistical() { 2 * cases.len() } else { cases.len() };
        context.bar.start((runs * self.batches) as u64, "loss of Gaussian diffusion");
        let (mut value, mut error) = (0f64, 0f64);
        let mut details = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let exact = weighted_loss(&toy, &schedule, &case.weighting).value;
            let means = self.means(context, &toy, case, number)?;
            let found = Estimate::of(&means);
            let name = format!("{}, {}", case.weighting, case.prediction);
            match self.measure {
                Measure::LargestBias => {
                    let (bias, error) = (found.value / exact - 1.0, found.standard_error / exact);
                    value = value.max(bias.abs() + 4.0 * error);
                    details.push((name, bias, Some(error)));
                }
                Measure::LogVarianceRatio => {
                    let own = Estimate::of(&self.means(
                        context,
                        &toy,
                        &Gaussian { levels: None, ..case.clone() },
                        cases.len() + number,
                    )?);
                    let ratio = log_variance_ratio(&found, &own);
                    value += ratio.value / cases.len() as f64;
                    error = ratio.standard_error;
                    details.push((format!("{name}: ln of the ratio"), ratio.value, Some(ratio.standard_error)));
                    details.push((
                        format!("{name}: own law − exact loss"),
                        own.value - exact,
                        Some(own.standard_error),
                    ));
                    let bias = found.value - exact;
                    details.push((format!("{name}: other law − exact loss"), bias, Some(found.standard_error)));
                }
            }
        }
        context.bar.finish();
        let outcome = Outcome::exact(quantity, value, "1").over(self.batches, "batches");
        let mut outcome = match self.measure {
            Measure::LargestBias => outcome,
            // That of one case: the cases' draws are independent, so that the mean's is smaller.
            Measure::LogVarianceRatio => outcome.with_error(error),
        };
        for (name, value, error) in details {
            outcome.detail(name, value, error, "1");
        }
        Ok(outcome)
    }
}

impl GaussianEstimator {
    /// The mean loss of each batch; every case has its own draws, so that the mean over cases averages their noise.
    fn means(
        &self,
        context: &Context,
        toy: &GaussianToy,
        objective: &Gaussian,
        case: usize,
    ) -> Result<Vec<f64>, Error> {
        let (values, size) = (self.values, self.batch_size);
        let denoiser = MixtureDenoiser { law: toy.denoiser.clone(), prediction: objective.prediction, values };
        let decoder = Decoder { values };
        let one = |b: usize| -> Result<f64, Error> {
            let key = |purpose| Key::new(context.seed, purpose).fold(case as u64).fold(b as u64);
            let ids = toy.data.draw(size, &key("gaussian data")).into_iter().map(|x| decoder.nearest(x)).collect();
            let u = TimeSampling::Stratified.draw(size, &key("gaussian times"));
            let batch = Batch::new(Tokens::new(ids, 1), u);
            let losses = to_f64_vec(objective.loss(&denoiser, &batch, &key("gaussian noise"), &context.device)?);
            context.bar.advance(1);
            Ok(losses.iter().sum::<f64>() / size as f64)
        };
        (0..self.batches).map(one).collect()
    }
}
