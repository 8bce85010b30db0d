//! `elbow sample`: draw samples from a trained model.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::likelihood::generative;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{self, Request, infilling};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::ObjectiveConfig;
use serde_json::json;

use crate::flags::{CheckpointFlag, SamplerFlags};
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow sample --checkpoint out/runs/md4-digits --count 64 --steps 64 --grid cosine
  elbow sample --checkpoint out/runs/edm-digits --sampler heun --steps 18 --churn 10
  elbow sample --checkpoint out/runs/md4-shakespeare --length 500 --stride 32 --judge out/runs/ar-shakespeare
  elbow sample --checkpoint out/runs/md4-shakespeare --infill 'to be or not to be ____________ the question'

Images become samples.npz (arr_0, uint8, NHWC) and samples.png, texts samples.txt. NFE is the
number of network evaluations per sequence, as made: none where the answer was known or not
needed, two where guidance asks twice.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// Samples to draw, 1 to 1,000,000
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    #[command(flatten)]
    sampler: SamplerFlags,
    /// Tokens per sample, 1 or more; texts longer than the window are drawn window after window [default: the window]
    #[arg(long)]
    length: Option<usize>,
    /// New tokens per window of a long text, 1 or more [default: half a window]
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

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let model = Trained::load(&arguments.run.checkpoint, &workspace.device)?;
    // How tokens are written is the data's to say.
    let data = workspace.open(&model.settings.data(Split::Train))?;
    model.check_fits(data.as_ref())?;
    let request = request(arguments, &model, data.as_ref(), workspace.seed)?;
    let judge = arguments.judge.as_ref().map(|run| judge(run, data.as_ref(), &request, workspace)).transpose()?;
    let made = sampling::draw(&workspace.device, &model.settings, &model.model, &request, workspace.bar.as_ref())?;
    let folder = arguments.to.clone().unwrap_or_else(|| arguments.run.checkpoint.join("samples"));
    let files =
        sampling::save(workspace, &folder, "samples", &made.tokens, data.as_ref()).map_err(written_by("--to DIR"))?;
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
        let (count, evaluations) = (made.tokens.len(), made.nfe());
        let mut lines = vec![format!(
            "{count} samples, {} sampler, {evaluations:.2} network evaluations per sample",
            request.sampler
        )];
        if let Some(judged) = &judged {
            let (p, e) = (&judged.perplexity, &judged.entropy);
            lines.push(format!(
                "generative perplexity {:.3} +- {:.3} per token, entropy {:.4} +- {:.4} nats",
                p.value, p.standard_error, e.value, e.standard_error
            ));
        }
        lines.extend(files.iter().map(|(_, path)| path.display().to_string()));
        lines.join("\n")
    })
}

/// The autoregressive run that judges the samples; it must fit them, before they are drawn.
fn judge(run: &Path, data: &dyn Dataset, request: &Request, workspace: &Workspace) -> Result<Trained, Error> {
    let judge = Trained::load(run, &workspace.device)?;
    if !matches!(judge.settings.objective, ObjectiveConfig::Ar(_)) {
        let what = format!("{}: its implementation is {}", run.display(), judge.settings.implementation());
        return Err(Error::input(what, "judge with an autoregressive run (ar)"));
    }
    judge.check_fits(data)?;
    if request.count < 2 || request.length < data.length() {
        let what = format!("--count {} --length {}", request.count, request.length);
        let fix = format!("a judge needs two samples at least, each of a whole window ({} tokens)", data.length());
        return Err(Error::input(what, fix));
    }
    Ok(judge)
}

fn request(arguments: &Arguments, model: &Trained, data: &dyn Dataset, seed: u64) -> Result<Request, Error> {
    let window = data.length();
    let mut request = arguments.sampler.request(model, data, arguments.count as usize, seed)?;
    request.length = arguments.length.unwrap_or(window);
    request.stride = arguments.stride.unwrap_or(window.div_ceil(2));
    let lengths = request.length == 0 || (request.length != window && data.text().is_none());
    if lengths || !(1..=window).contains(&request.stride) {
        let what = format!("--length {} --stride {}", request.length, request.stride);
        let fix = format!("a stride of 1 to {window} tokens; only texts can be longer or shorter than the window");
        return Err(Error::input(what, fix));
    }
    if arguments.infill.is_some() && request.length != window {
        return Err(Error::input("--infill fills one window", "leave --length out"));
    }
    if let Some(text) = &arguments.infill {
        request.known = Some(infilling(text, data)?);
    }
    Ok(request)
}
