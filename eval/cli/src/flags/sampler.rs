//! How samples are drawn.

use clap::Args;
use elbow_base::Error;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{Request, Sampler, StepGrid, StepSchedule};
use elbow_impls::data::Dataset;
use elbow_impls::gaussian::Churn;

use super::parse::{finite, form, non_negative, one_of, probability};

/// How samples are drawn.
#[derive(Args)]
pub struct SamplerFlags {
    /// Sampler [default: the implementation's]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Sampler>())]
    sampler: Option<Sampler>,
    /// Steps, of samplers that have steps, 1 to 1,000,000
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Placement of steps: uniform or cosine in time [default: cosine under the linear schedule, else uniform]; of Gaussian
    /// diffusion uniform in time or edm [default: the implementation's]
    #[arg(long, value_name = "NAME", value_parser = one_of::<StepGrid>())]
    grid: Option<StepGrid>,
    /// Schedule of the steps [default: that of training, or linear]: linear, cosine, poly:W, geometric or loglinear; of Gaussian
    /// diffusion cosine, ot or normal:MEAN:STD between the model's ends
    #[arg(long, value_name = "NAME", value_parser = form::<StepSchedule>)]
    schedule: Option<StepSchedule>,
    /// Noise that the heun sampler adds (S_churn of EDM), 0 or more; 0 follows the probability-flow ODE
    #[arg(long, default_value_t = 0.0, value_parser = non_negative)]
    churn: f64,
    /// Probability mass of the values kept at each draw, in (0, 1]
    #[arg(long, value_name = "MASS", default_value_t = 1.0, value_parser = probability)]
    nucleus: f64,
    /// Gumbel temperature of the confidence sampler, any finite number
    #[arg(long, default_value_t = 4.5, value_parser = finite)]
    temperature: f64,
    /// Class of every sample, 0 or more: classes are counted from 0 [default: all classes in turn]
    #[arg(long)]
    class: Option<u32>,
    /// Guidance w, any finite number: p_cond^w p_uncond^(1-w); 1 is the conditional model
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = finite)]
    guidance: f64,
}

impl SamplerFlags {
    /// A request for `count` whole windows of a model.
    pub fn request(&self, model: &Trained, data: &dyn Dataset, count: usize, seed: u64) -> Result<Request, Error> {
        let own = Request::new(&model.settings, &model.model, count, data.length(), seed);
        let request = Request {
            sampler: self.sampler.unwrap_or(own.sampler),
            steps: self.steps as usize,
            churn: Churn { amount: self.churn, ..Churn::NONE },
            nucleus: self.nucleus,
            temperature: self.temperature,
            class: self.class,
            guidance: self.guidance,
            ..own
        };
        let request = request.place(&model.settings, &model.model, self.grid, self.schedule.as_ref())?;
        request.check(&model.settings, data.classes())?;
        Ok(request)
    }
}
