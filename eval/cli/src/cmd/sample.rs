//! `elbow sample`: draw samples from a trained model.

use std::path::{Path, PathBuf};

use clap::Args;
use impls::UnknownName;
use impls::data::{Dataset, Split};
use impls::gaussian::{Churn, LevelGrid};
use impls::schedule::GaussianSchedule;
use impls::train::ObjectiveConfig;
use serde_json::json;

use super::CheckpointFlag;
use elbow_harness::failure::Failure;
use elbow_harness::likelihood::generative;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{self, Request, Sampler, infilling};
use elbow_harness::workspace::Workspace;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow sample --checkpoint out/runs/md4-digits --count 64 --steps 64 --grid cosine
  elbow sample --checkpoint out/runs/edm-digits --sampler heun --steps 18 --churn 10
  elbow sample --checkpoint out/runs/md4-shakespeare --length 500 --stride 32 --judge out/runs/ar-shakespeare
  elbow sample --checkpoint out/runs/md4-shakespeare --infill 'to be or not to be ____________ the question'

Images become samples.npz (arr_0, uint8, NHWC) and samples.png, texts samples.txt. NFE is the number of network evaluations a
sequence, as made: none where the answer was known or not needed, two where guidance asks twice.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// Samples to draw
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    #[command(flatten)]
    sampler: SamplerFlags,
    /// Tokens a sample; texts longer than the window are drawn window after window [default: the window]
    #[arg(long)]
    length: Option<usize>,
    /// New tokens a window of a long text [default: half a window]
    #[arg(long)]
    stride: Option<usize>,
    /// Known text, with '_' for each token that is to be drawn; what is left of the window is drawn too
    #[arg(long, value_name = "TEXT")]
    infill: Option<String>,
    /// An autoregressive run of the same data: generative perplexity of the samples, with their entropy
    #[arg(long, value_name = "DIR")]
    judge: Option<PathBuf>,
    /// Folder for the samples [default: RUN/samples]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// How samples are drawn.
#[derive(Args)]
pub struct SamplerFlags {
    /// ancestral, cached, first-hitting, one-by-one, confidence, vector, d3pm, left-to-right, ddim, heun [default: the
    /// implementation's]
    #[arg(long)]
    sampler: Option<String>,
    /// Steps, of samplers that have steps
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: u32,
    /// Placement of steps: uniform or cosine in time [default: cosine under the linear schedule, else uniform]; of Gaussian
    /// diffusion uniform in time or edm [default: the implementation's]
    #[arg(long)]
    grid: Option<String>,
    /// Schedule of the steps [default: that of training, or linear]; of Gaussian diffusion a curve, between the model's ends
    #[arg(long)]
    schedule: Option<String>,
    /// Noise that the heun sampler adds (S_churn of EDM); 0 follows the probability-flow ODE
    #[arg(long, default_value_t = 0.0)]
    churn: f64,
    /// Probability mass of the values kept at each draw
    #[arg(long, default_value_t = 1.0)]
    nucleus: f64,
    /// Gumbel temperature of the confidence sampler
    #[arg(long, default_value_t = 4.5)]
    temperature: f64,
    /// Class of every sample [default: all classes in turn]
    #[arg(long)]
    class: Option<u32>,
    /// Guidance w: p_cond^w p_uncond^(1-w); 1 is the conditional model
    #[arg(long, default_value_t = 1.0)]
    guidance: f64,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let model = Trained::load(&arguments.run.checkpoint, &workspace.device)?;
    // How tokens are written is the data's to say.
    let data = workspace.open(&model.settings.data(Split::Train))?;
    model.check_fits(data.as_ref())?;
    let request = request(arguments, &model, data.as_ref(), workspace.seed)?;
    let judge = arguments.judge.as_ref().map(|run| judge(run, data.as_ref(), &request, workspace)).transpose()?;
    let made = sampling::draw(&workspace.device, &model.settings, &model.model, &request, workspace.bar.as_ref())?;
    let folder = arguments.to.clone().unwrap_or_else(|| arguments.run.checkpoint.join("samples"));
    let files = sampling::save(workspace, &folder, "samples", &made.tokens, data.as_ref())?;
    let judged = judge
        .map(|judge| {
            generative(judge.model.tokens()?, data.as_ref(), &made.tokens, &workspace.device, workspace.bar.as_ref())
        })
        .transpose()?;
    let mut result = json!({
        "count": made.tokens.len(), "length": made.tokens.length(), "nfe": made.nfe(),
        "network_calls": made.network_calls, "sampler": request.sampler.to_string(), "steps": request.steps,
        "placement": request.placement(&model.settings), "nucleus": request.nucleus,
        "guidance": request.guidance, "seed": workspace.seed, "checkpoint_hash": model.hash, "generative": judged,
    });
    for (kind, path) in &files {
        result[*kind] = json!(path);
    }
    workspace.print(&result, || {
        let mut lines = vec![format!("{} samples by {}, NFE {:.2}", made.tokens.len(), request.sampler, made.nfe())];
        if let Some(judged) = &judged {
            let (p, e) = (&judged.perplexity, &judged.entropy);
            lines.push(format!(
                "generative perplexity {:.3} +- {:.3} a token, entropy {:.4} +- {:.4} nats",
                p.value, p.standard_error, e.value, e.standard_error
            ));
        }
        lines.extend(files.iter().map(|(_, path)| path.display().to_string()));
        lines.join("\n")
    })
}

/// The autoregressive run that judges the samples; it must fit them, before they are drawn.
fn judge(run: &Path, data: &dyn Dataset, request: &Request, workspace: &Workspace) -> Result<Trained, Failure> {
    let judge = Trained::load(run, &workspace.device)?;
    if !matches!(judge.settings.objective, ObjectiveConfig::Ar(_)) {
        let what = format!("{}: its implementation is {}", run.display(), judge.settings.implementation());
        return Err(Failure::input(what, "judge with an autoregressive run (ar)"));
    }
    judge.check_fits(data)?;
    if request.count < 2 || request.length < data.length() {
        let what = format!("--count {} --length {}", request.count, request.length);
        let fix = format!("a judge needs two samples at least, each of a whole window ({} tokens)", data.length());
        return Err(Failure::input(what, fix));
    }
    Ok(judge)
}

fn request(arguments: &Arguments, model: &Trained, data: &dyn Dataset, seed: u64) -> Result<Request, Failure> {
    let window = data.length();
    let mut request = arguments.sampler.request(model, data, arguments.count as usize, seed)?;
    request.length = arguments.length.unwrap_or(window);
    request.stride = arguments.stride.unwrap_or(window.div_ceil(2));
    let lengths = request.length == 0 || (request.length != window && data.text().is_none());
    if lengths || !(1..=window).contains(&request.stride) {
        let what = format!("--length {} --stride {}", request.length, request.stride);
        let fix = format!("a stride of 1 to {window} tokens; only texts can be longer or shorter than the window");
        return Err(Failure::input(what, fix));
    }
    if arguments.infill.is_some() && request.length != window {
        return Err(Failure::input("--infill fills one window", "leave --length out"));
    }
    if let Some(text) = &arguments.infill {
        request.known = Some(infilling(text, data)?);
    }
    Ok(request)
}

impl SamplerFlags {
    /// What these flags ask of a model: `count` whole windows.
    pub fn request(&self, model: &Trained, data: &dyn Dataset, count: usize, seed: u64) -> Result<Request, Failure> {
        let mut request = Request::new(&model.settings, &model.model, count, data.length(), seed);
        request.steps = self.steps as usize;
        if let Some(name) = &self.sampler {
            request.sampler = name.parse::<Sampler>()?;
        }
        self.place_steps(model, &mut request)?;
        if !(self.nucleus > 0.0 && self.nucleus <= 1.0) {
            return Err(Failure::input(format!("--nucleus {}", self.nucleus), "a probability mass in (0, 1]"));
        }
        request.nucleus = self.nucleus;
        request.temperature = self.temperature;
        let classes = if model.settings.class_conditioning { data.classes() } else { 0 };
        if self.class.is_some_and(|class| class as usize >= classes) || (self.guidance != 1.0 && classes == 0) {
            let what = format!("--class and --guidance: this model has {classes} classes");
            return Err(Failure::input(what, "train with class_conditioning = true, and count classes from 0"));
        }
        let numbers = [("guidance", self.guidance), ("temperature", self.temperature)];
        if let Some((name, number)) = numbers.iter().find(|(_, number)| !number.is_finite()) {
            return Err(Failure::input(format!("--{name} {number}"), "give a finite number"));
        }
        if self.guidance != 1.0 && model.settings.label_dropout == Some(0.0) {
            let what = "--guidance: this model was trained with label_dropout = 0, it knows no \"no class\"";
            return Err(Failure::input(what, "train with label_dropout = 0.1"));
        }
        (request.class, request.guidance) = (self.class, self.guidance);
        Ok(request)
    }

    /// Where the steps lie: times of a schedule, or noise levels.
    fn place_steps(&self, model: &Trained, request: &mut Request) -> Result<(), Failure> {
        if !(self.churn >= 0.0 && self.churn.is_finite()) {
            return Err(Failure::input(format!("--churn {}", self.churn), "0 or more"));
        }
        if self.churn > 0.0 && request.sampler != Sampler::Heun {
            let what = format!("--churn {}: the {} sampler adds no such noise", self.churn, request.sampler);
            return Err(Failure::input(what, "use --sampler heun, of vdm, flow or edm"));
        }
        request.churn = Churn { amount: self.churn, ..Churn::NONE };
        let Some(gaussian) = model.settings.gaussian() else {
            if let Some(name) = &self.schedule {
                request.schedule = name.parse()?;
            }
            request.grid = match &self.grid {
                Some(name) => name.parse()?,
                None => sampling::grid_under(&request.schedule),
            };
            return Ok(());
        };
        let own = gaussian.schedule_of(model.model.gaussian()?)?;
        let ends = own.ends().ok_or_else(|| Failure::internal("a trained schedule has ends"))?;
        let schedule = match self.schedule.as_deref().map(str::parse).transpose()? {
            None => own,
            Some(GaussianSchedule::Whole(curve)) => format!("{curve}:{}:{}", ends[0], ends[1]).parse()?,
            Some(named) if named.ends() == Some(ends) => named,
            Some(named) => {
                let what = format!("--schedule {named}: the model knows gamma from {} to {}", ends[0], ends[1]);
                return Err(Failure::input(what, "name a curve without ends: cosine, ot or normal:MEAN:STD"));
            }
        };
        match self.grid.as_deref() {
            Some("edm") => request.levels = LevelGrid::edm(ends),
            Some("uniform") => request.levels = LevelGrid::Times(schedule),
            None if self.schedule.is_some() => request.levels = LevelGrid::Times(schedule),
            None => {}
            Some(other) => return Err(UnknownName::new("grid", other, &["uniform", "edm"]).into()),
        }
        Ok(())
    }
}
