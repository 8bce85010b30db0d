//! How samples are drawn.

use clap::Args;
use elbow_base::Error;
use elbow_harness::models::AnyModel;
use elbow_harness::sampling::{Request, SampleOption, Sampler, StepGrid, StepSchedule, check_options};
use elbow_impls::gaussian::Churn;

use super::parse::{form, non_negative, one_of, probability, temperature, weight};

/// How samples are drawn. Options without a default of their own: one that is given and has no effect is an error.
#[derive(Args)]
pub struct SamplerFlags {
    /// Sampler [default: the implementation's]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Sampler>())]
    sampler: Option<Sampler>,
    /// Steps, of samplers that have steps, 1 to 1,000,000 [default: 64]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: Option<u32>,
    /// Placement of steps: uniform or cosine in time [default: cosine under the linear schedule, else uniform]; of Gaussian
    /// diffusion uniform in time or edm [default: the implementation's]
    #[arg(long, value_name = "NAME", value_parser = one_of::<StepGrid>())]
    grid: Option<StepGrid>,
    /// Schedule of the steps [default: that of training, or linear]: linear, cosine, poly:W, geometric or loglinear; of Gaussian
    /// diffusion cosine, ot or normal:MEAN:STD between the model's ends
    #[arg(long, value_name = "NAME", value_parser = form::<StepSchedule>)]
    schedule: Option<StepSchedule>,
    /// Noise that the heun sampler adds (S_churn of EDM), 0 or more; 0 follows the probability-flow ODE [default: 0]
    #[arg(long, value_parser = non_negative)]
    churn: Option<f64>,
    /// Probability mass of the values kept at each draw, in (0, 1] [default: 1]
    #[arg(long, value_name = "MASS", value_parser = probability)]
    nucleus: Option<f64>,
    /// Gumbel temperature of the confidence sampler, 0 to 1000 [default: 4.5]
    #[arg(long, value_parser = temperature)]
    temperature: Option<f64>,
    /// Class of every sample, 0 or more: classes are counted from 0 [default: all classes in turn, equally often]
    #[arg(long)]
    class: Option<u32>,
    /// Guidance w, -1000 to 1000: p_cond^w p_uncond^(1-w); 1 is the conditional model [default: 1]
    #[arg(long, value_name = "W", allow_negative_numbers = true, value_parser = weight)]
    guidance: Option<f64>,
}

impl SamplerFlags {
    /// A request for `count` windows of so many tokens of a model; `more` are options that were given beside these. Refuses
    /// those that have no effect.
    pub fn request(
        &self,
        model: &AnyModel,
        window: usize,
        count: usize,
        seed: u64,
        more: &[SampleOption],
    ) -> Result<Request, Error> {
        let own = Request::new(model, model.denoiser(), count, window, seed);
        let request = Request {
            sampler: self.sampler.unwrap_or(own.sampler),
            steps: self.steps.map_or(own.steps, |steps| steps as usize),
            churn: self.churn.map_or(own.churn, |amount| Churn { amount, ..own.churn }),
            nucleus: self.nucleus.unwrap_or(own.nucleus),
            temperature: self.temperature.unwrap_or(own.temperature),
            class: self.class,
            guidance: self.guidance.unwrap_or(own.guidance),
            ..own
        };
        request.check_sampler(model)?;
        check_options(request.sampler, model, &[&self.given()[..], more].concat())?;
        request.check(model, model.denoiser().classes().unwrap_or(0))?;
        request.place(model, model.denoiser(), self.grid, self.schedule.as_ref())
    }

    /// The name of an option that was given, if any was.
    pub fn any(&self) -> Option<String> {
        let sampler = self.sampler.map(|_| "--sampler".to_owned());
        sampler.or_else(|| self.given().first().map(|option| format!("--{option}")))
    }

    /// The options that were given, beside the sampler.
    fn given(&self) -> Vec<SampleOption> {
        let all = [
            (SampleOption::Steps, self.steps.is_some()),
            (SampleOption::Grid, self.grid.is_some()),
            (SampleOption::Schedule, self.schedule.is_some()),
            (SampleOption::Churn, self.churn.is_some()),
            (SampleOption::Nucleus, self.nucleus.is_some()),
            (SampleOption::Temperature, self.temperature.is_some()),
            (SampleOption::Class, self.class.is_some()),
            (SampleOption::Guidance, self.guidance.is_some()),
        ];
        all.into_iter().filter_map(|(option, given)| given.then_some(option)).collect()
    }
}
