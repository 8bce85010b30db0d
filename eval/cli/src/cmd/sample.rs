//! `elbow sample`: draw samples from a trained model.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::likelihood::generative;
use elbow_harness::runs::Trained;
use elbow_harness::sampling::{self, Request, SampleOption, Saved, in_words, options};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::ObjectiveConfig;
use serde_json::json;

use crate::flags::{CheckpointFlag, InfillFlags, SamplerFlags};
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow sample --checkpoint out/runs/md4-digits --count 64 --steps 64 --grid cosine
  elbow sample --checkpoint out/runs/edm-digits --sampler heun --steps 18 --churn 10
  elbow sample --checkpoint out/runs/md4-shakespeare --length 500 --stride 32 --judge out/runs/ar-shakespeare
  elbow sample --checkpoint out/runs/md4-shakespeare --infill 'to be or not to be ____________ the question'

Images become samples.npz (arr_0, uint8, NHWC; their classes arr_1) and samples.png, texts
samples.txt and samples.jsonl (text, ids, class). Those of an earlier call are replaced. NFE is the
number of network evaluations per sequence, as made: none where the answer was known or not
needed, two where guidance asks twice.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// Samples to draw, 1 to a million [default: 64, or one for each text of --infill-file]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,
    #[command(flatten)]
    sampler: SamplerFlags,
    /// Tokens per sample, 1 to a thousand million; texts longer than the window are drawn window after window [default: the
    /// window]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    length: Option<u32>,
    /// New tokens per window of a text longer than the window, 1 to the window [default: half a window]
    #[arg(long, value_name = "TOKENS", requires = "length")]
    stride: Option<u32>,
    #[command(flatten)]
    infill: InfillFlags,
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
    let spec = model.settings.data(Split::Train);
    let data = workspace.open(&spec)?;
    model.check_fits(data.as_ref())?;
    let request = request(arguments, &model, data.as_ref(), workspace.seed)?;
    let judge = arguments.judge.as_ref().map(|run| judge(run, data.as_ref(), &request, workspace)).transpose()?;
    let made = sampling::draw(&workspace.device, &model.settings, &model.model, &request, workspace.bar.as_ref())?;
    let folder = arguments.to.clone().unwrap_or_else(|| arguments.run.checkpoint.join("samples"));
    // A data set without a folder in front is a name of the catalogue.
    let text = Some(Path::new(&spec.set)).filter(|path| path.components().count() > 1);
    let inputs: Vec<&Path> = text.into_iter().chain(arguments.infill.file()).collect();
    let files =
        sampling::save(workspace, &folder, "samples", &made, data.as_ref(), &inputs).map_err(written_by("--to DIR"))?;
    let judged = judge
        .map(|judge| {
            generative(judge.model.tokens()?, data.as_ref(), &made.tokens, &workspace.device, workspace.bar.as_ref())
        })
        .transpose()?;
    let taken = options(request.sampler, &model.settings);
    let steps = taken.contains(&SampleOption::Steps).then_some(request.steps);
    let mut result = json!({
        "count": made.tokens.len(), "length": made.tokens.length(), "nfe": made.nfe(),
        "network_calls": made.network_calls, "sampler": request.sampler.to_string(), "steps": steps,
        "placement": request.placement(&model.settings), "nucleus": request.nucleus,
        "guidance": request.guidance, "seed": workspace.seed, "checkpoint_hash": model.hash, "generative": judged,
        "origin": model.state.origin,
    });
    for Saved { kind, path, .. } in &files {
        result[*kind] = json!(path);
    }
    let replaced: Vec<&Path> = files.iter().filter(|file| file.replaced).map(|file| file.path.as_path()).collect();
    result["replaced"] = json!(replaced);
    let classes = request.classes(&model.settings);
    if let Some(classes) = &classes {
        result["classes"] = json!(classes);
    }
    let first = data.text().and(made.tokens.rows().next()).map(|row| shortened(&in_words(row, data.as_ref())));
    if let Some(first) = &first {
        result["first"] = json!(first);
    }
    workspace.print(&result, || {
        let (count, evaluations) = (made.tokens.len(), made.nfe());
        let steps = steps.map_or(String::new(), |steps| format!(", {steps} steps"));
        let mut lines = vec![format!(
            "{count} samples, {} sampler{steps}, {evaluations:.2} network evaluations per sample",
            request.sampler
        )];
        lines.extend(classes);
        lines.extend(first.map(|first| format!("the first: {first:?}")));
        if let Some(judged) = &judged {
            let (p, e) = (&judged.perplexity, &judged.entropy);
            lines.push(format!(
                "generative perplexity {:.3} +- {:.3} per token, entropy {:.4} +- {:.4} nats",
                p.value, p.standard_error, e.value, e.standard_error
            ));
        }
        lines.extend(files.iter().map(|file| {
            let note = if file.replaced { " (replaced)" } else { "" };
            format!("{}{note}", file.path.display())
        }));
        lines.join("\n")
    })
}

/// The beginning of a text, for one line of a terminal.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
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
    let given = [
        (SampleOption::Length, arguments.length.is_some()),
        (SampleOption::Stride, arguments.stride.is_some()),
        (SampleOption::Infill, arguments.infill.is_given()),
    ];
    let given: Vec<SampleOption> = given.into_iter().filter_map(|(option, given)| given.then_some(option)).collect();
    let known = arguments.infill.known(data)?;
    let count = arguments.count.map_or(arguments.infill.file().map_or(64, |_| known.len()), |count| count as usize);
    if count < known.len() {
        let what = format!("--count {count} for the {} texts of --infill-file", known.len());
        return Err(Error::input(what, "draw one for each at least, or leave --count out"));
    }
    let request = arguments.sampler.request(model, data, count, seed, &given)?;
    let length = arguments.length.map_or(window, |length| length as usize);
    if length != window && data.text().is_none() {
        let fix = format!("only texts can be longer or shorter than the window of {window} tokens: leave it out");
        return Err(Error::input(format!("--length {length}: this model draws no texts"), fix));
    }
    if let Some(stride) = arguments.stride {
        if length <= window {
            let what = format!("--stride has no effect: --length {length} is one window");
            return Err(Error::input(what, format!("leave it out, or draw more than {window} tokens")));
        }
        if !(1..=window).contains(&(stride as usize)) {
            return Err(Error::input(format!("--stride {stride}: 1 to {window}"), "the window has as many tokens"));
        }
    }
    if !known.is_empty() && length != window {
        return Err(Error::input("--infill fills one window", "leave --length out"));
    }
    let stride = arguments.stride.map_or(window.div_ceil(2), |stride| stride as usize);
    Ok(Request { length, stride, known, ..request })
}
