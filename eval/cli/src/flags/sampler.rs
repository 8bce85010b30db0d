//! How samples are drawn.

use clap::Args;
use elbow_base::Error;
use elbow_harness::models::AnyModel;
use elbow_harness::sampling::{Request, SampleOption, Sampler, StepGrid, StepSchedule, check_options};
use elbow_impls::gaussian::Churn;
use elbow_impls::md4::Corrector;
use elbow_impls::mdlm::Remask;
use elbow_impls::tempering::Tempering;

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
    /// How likely the remasking sampler masks a token again in each step: cap:PROBABILITY, at most this, or rescale:SHARE of the
    /// largest that keeps the share of masks, both 0 to 1 [default: cap:0.02]
    #[arg(long, value_name = "FORM", value_parser = form::<Remask>)]
    remask: Option<Remask>,
    /// The predictor-corrector sampler's corrector: a step masks each visible token again with probability SHARE, 0 to 1, and
    /// reveals as many: parallel:SHARE in one call of the network, one-by-one:SHARE in a call per token, which is exact for an
    /// exact denoiser [default: parallel:0.05]
    #[arg(long, value_name = "FORM", value_parser = form::<Corrector>)]
    corrector: Option<Corrector>,
    /// Corrector steps after each step of the predictor-corrector sampler, 1 to 1000 [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    corrector_steps: Option<u32>,
    /// Temperature of every draw of a token, 0 to 1000: logits are divided by it; 0 takes the most probable value [default: 1].
    /// The confidence sampler chooses by it which values to keep (Gumbel noise) [default: 4.5]
    #[arg(long, value_parser = temperature)]
    temperature: Option<f64>,
    /// Temperature of every draw of the confidence sampler, 0 to 1000 [default: 1]
    #[arg(long, value_name = "TEMPERATURE", value_parser = temperature)]
    logit_temperature: Option<f64>,
    /// Number of values kept at each draw, the most probable after the temperature, 1 or more [default: all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Probability mass of the values kept at each draw, after --top-k, in (0, 1]; also --top-p [default: 1]
    #[arg(long, alias = "top-p", value_name = "MASS", value_parser = probability)]
    nucleus: Option<f64>,
    /// The last step takes the most probable values in place of draws
    #[arg(long)]
    greedy_tail: bool,
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
        let sampler = self.sampler.unwrap_or(own.sampler);
        let [logit_temperature, choice_temperature] = match sampler {
            Sampler::Confidence => [self.logit_temperature, self.temperature],
            _ => [self.temperature, None],
        };
        let tempering = Tempering {
            temperature: logit_temperature.unwrap_or(own.tempering.temperature),
            top_k: self.top_k.map(|count| count as usize),
            nucleus: self.nucleus.unwrap_or(own.tempering.nucleus),
        };
        let request = Request {
            sampler,
            steps: self.steps.map_or(own.steps, |steps| steps as usize),
            churn: self.churn.map_or(own.churn, |amount| Churn { amount, ..own.churn }),
            remask: self.remask.unwrap_or(own.remask),
            corrector: self.corrector.unwrap_or(own.corrector),
            corrector_steps: self.corrector_steps.map_or(own.corrector_steps, |steps| steps as usize),
            tempering,
            greedy_tail: self.greedy_tail,
            choice_temperature: choice_temperature.unwrap_or(own.choice_temperature),
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
            (SampleOption::Remask, self.remask.is_some()),
            (SampleOption::Corrector, self.corrector.is_some()),
            (SampleOption::CorrectorSteps, self.corrector_steps.is_some()),
            (SampleOption::Temperature, self.temperature.is_some()),
            (SampleOption::LogitTemperature, self.logit_temperature.is_some()),
            (SampleOption::TopK, self.top_k.is_some()),
            (SampleOption::Nucleus, self.nucleus.is_some()),
            (SampleOption::GreedyTail, self.greedy_tail),
            (SampleOption::Class, self.class.is_some()),
            (SampleOption::Guidance, self.guidance.is_some()),
        ];
        all.into_iter().filter_map(|(option, given)| given.then_some(option)).collect()
    }
}
