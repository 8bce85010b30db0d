//! `elbow sample`: draw samples from a trained model.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::likelihood::generative;
use elbow_harness::models::{AnyModel, Source};
use elbow_harness::provenance;
use elbow_harness::sampling::{self, Request, SampleOption, Saved, in_words, options};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, catalogue};
use elbow_reports::record::Input;
use serde_json::json;

use crate::flags::{InfillFlags, ModelFlags, SamplerFlags, ShardFlags, shard};
use crate::hints::written_by;

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow sample --checkpoint out/runs/md4-digits --count 64 --steps 64 --grid cosine
  elbow sample --checkpoint out/runs/edm-digits --sampler heun --steps 18 --churn 10
  elbow sample --checkpoint out/runs/md4-shakespeare --length 500 --stride 32 --judge out/runs/ar-shakespeare
  elbow sample --checkpoint out/runs/mdlm-shakespeare --temperature 0.8 --top-k 20 --top-p 0.95
  elbow sample --checkpoint out/runs/md4-shakespeare --sampler predictor-corrector --corrector parallel:0.1
  elbow sample --checkpoint out/runs/md4-shakespeare --infill 'to be or not to be ____________ the question'
  elbow sample --checkpoint out/runs/md4-digits --count 50000 --shard 3/8    # then elbow merge
  elbow sample --model denoiser.toml --count 256 --sampler first-hitting

Images become samples.npz (arr_0, uint8, NHWC; their classes arr_1) and samples.png, texts
samples.txt and samples.jsonl (text, ids, class). Where a model file names no data, ids become
samples.npz (arr_0, int64, one row per sample) and samples.jsonl (ids, class). Those of an earlier
call are replaced. NFE is the number of network evaluations per sequence, as made: none where the
answer was known or not needed, two where guidance asks twice.")]
pub struct Arguments {
    #[command(flatten)]
    model: ModelFlags,
    /// Samples to draw, 1 to 1,000,000 [default: 64, or one for each text of --infill-file]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,
    #[command(flatten)]
    sampler: SamplerFlags,
    /// Tokens per sample, 1 to 1,000,000,000; texts longer than the window are drawn window after window [default: the
    /// window; 64 for a model from outside that takes any number: it draws them in one window]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    length: Option<u32>,
    /// New tokens per window of a text longer than the window, 1 or more, at most the window [default: half a window]
    #[arg(long, value_name = "TOKENS", requires = "length")]
    stride: Option<u32>,
    #[command(flatten)]
    infill: InfillFlags,
    /// A run or a model file of the same data: generative perplexity of the samples, with their entropy. That of an autoregressive
    /// run is exact; any other model has a bound alone, and the perplexity under it is at most the number
    #[arg(long, value_name = "DIR|FILE")]
    judge: Option<PathBuf>,
    #[command(flatten)]
    pub shard: ShardFlags,
    /// Folder for the samples [default: RUN/samples; for a model from outside OUT/samples/NAME, by the model file's name]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Arguments {
    /// Whether a network judges the samples, which are drawn before.
    pub fn has_judge(&self) -> bool {
        self.judge.is_some()
    }
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    // Either can be an ONNX network, which the option of the runtime is for.
    let model = match arguments.judge.as_ref().is_some_and(|judge| judge.is_file()) {
        true => arguments.model.open_beside_others(workspace)?,
        false => arguments.model.open(workspace)?,
    };
    let length = arguments.length.map(|length| length as usize);
    let data = model.written_as(workspace, length)?;
    let data = data.as_deref();
    let request = request(arguments, &model, data, workspace.seed)?;
    let judge = match (&arguments.judge, data) {
        (None, _) => None,
        (Some(place), Some(data)) => Some((judge(workspace, arguments, place, data, &request)?, data)),
        (Some(_), None) => {
            let what = "--judge: the model file names no data, whose tokens a judge must share";
            return Err(Error::input(what, "name them under [data] in the file"));
        }
    };
    let inputs = inputs(arguments, &model, data, judge.as_ref().map(|(judge, _)| judge))?;
    workspace.shards.of(&inputs, workspace.bar.as_ref())?;
    let made = model.draw_in(&workspace.shards, &request, &workspace.device, workspace.bar.as_ref())?;
    let Some(made) = made else { return shard::finish(workspace) };
    let own = model.files();
    let inputs: Vec<&Path> = own.iter().map(PathBuf::as_path).chain(arguments.infill.file()).collect();
    let folder = arguments.to.clone().unwrap_or_else(|| folder(workspace, &model));
    let files = sampling::save(workspace, &folder, "samples", &made, data, &inputs).map_err(written_by("--to DIR"))?;
    let judged = judge
        .map(|(judge, data)| {
            let (device, bar) = (&workspace.device, workspace.bar.as_ref());
            judge.calls(|| generative(judge.diffusion()?, data, &made.tokens, device, bar))
        })
        .transpose()?;
    let taken = options(request.sampler, &model);
    let steps = taken.contains(&SampleOption::Steps).then_some(request.steps);
    let remask = taken.contains(&SampleOption::Remask).then(|| request.remask.to_string());
    let has_corrector = taken.contains(&SampleOption::Corrector);
    let corrector = has_corrector.then(|| request.corrector.to_string());
    let corrector_steps = has_corrector.then_some(request.corrector_steps);
    let choice = taken.contains(&SampleOption::LogitTemperature).then_some(request.choice_temperature);
    let mut result = json!({
        "count": made.tokens.len(), "length": made.tokens.length(), "nfe": made.nfe(),
        "network_calls": made.network_calls, "sampler": request.sampler.to_string(), "steps": steps,
        "placement": request.placement(&model), "temperature": request.tempering.temperature,
        "top_k": request.tempering.top_k, "nucleus": request.tempering.nucleus, "greedy_tail": request.greedy_tail,
        "guidance": request.guidance, "seed": workspace.seed, "generative": judged,
        "choice_temperature": choice, "remask": remask, "corrector": corrector, "corrector_steps": corrector_steps,
    });
    match &model.source {
        Source::Run(run) => {
            result["checkpoint_hash"] = json!(run.hash);
            result["origin"] = json!(run.state.origin);
        }
        Source::Outside(outside) => {
            result["network_hash"] = json!(outside.hash());
            result["model"] = json!(outside.file());
            result["runtime"] = json!(outside.runtime());
        }
    }
    for Saved { kind, path, .. } in &files {
        result[*kind] = json!(path);
    }
    let replaced: Vec<&Path> = files.iter().filter(|file| file.replaced).map(|file| file.path.as_path()).collect();
    result["replaced"] = json!(replaced);
    let classes = request.classes(&model);
    if let Some(classes) = &classes {
        result["classes"] = json!(classes);
    }
    let text = data.filter(|data| data.text().is_some());
    let first = text.zip(made.tokens.rows().next()).map(|(data, row)| shortened(&in_words(row, data)));
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
            let at_most = if judged.at_most { " at most" } else { "" };
            lines.push(format!(
                "generative perplexity{at_most} {:.3} +- {:.3} per token, entropy {:.4} +- {:.4} nats",
                p.value, p.standard_error, e.value, e.standard_error
            ));
        }
        lines.extend(files.iter().map(|file| {
            let note = if file.replaced { " (replaced)" } else { "" };
            format!("{}{note}", file.path.display())
        }));
        lines.extend(next(data, &files, judged.is_some()));
        lines.join("\n")
    })?;
    Ok(0)
}

/// What shapes the samples beside the options.
fn inputs(
    arguments: &Arguments,
    model: &AnyModel,
    data: Option<&dyn Dataset>,
    judge: Option<&AnyModel>,
) -> Result<Vec<Input>, Error> {
    let texts = arguments.infill.file().map(provenance::file_input).transpose()?;
    let judge = judge.map(|judge| Input { name: "judge".to_owned(), ..judge.input() });
    Ok([Some(model.input()), data.map(provenance::data_input), texts, judge].into_iter().flatten().collect())
}

/// What to do with samples: a distance to the test images of their data set, or a judge of their text.
fn next(data: Option<&dyn Dataset>, files: &[Saved], judged: bool) -> Option<String> {
    let data = data?;
    let name = data.name();
    let set = name.split(':').next().unwrap_or_default();
    let is_known = catalogue::SETS.iter().any(|known| known.name == set);
    let arrays = files.iter().find(|file| file.kind == "npz" && data.image().is_some() && is_known);
    match arrays {
        Some(images) => Some(format!("next: elbow fid calc {} {set}:test", images.path.display())),
        None if data.text().is_some() && !judged => Some(
            "next: the same with --judge DIR, an autoregressive run of this data: perplexity with its entropy".into(),
        ),
        None => None,
    }
}

/// The place of samples that have none of their own.
fn folder(workspace: &Workspace, model: &AnyModel) -> PathBuf {
    match model.source {
        Source::Run(_) => model.place.join("samples"),
        Source::Outside(_) => workspace.out.join("samples").join(model.place.file_stem().unwrap_or_default()),
    }
}

/// The beginning of a text, for one line of a terminal.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The model that judges the samples; it must fit them, before they are drawn.
fn judge(
    workspace: &Workspace,
    arguments: &Arguments,
    place: &Path,
    data: &dyn Dataset,
    request: &Request,
) -> Result<AnyModel, Error> {
    let judge = AnyModel::open(place, &workspace.device, || arguments.model.runtime(workspace))?;
    judge.check_fits(data)?;
    if request.count < 2 || request.length < data.length() {
        let what = format!("--count {} --length {}", request.count, request.length);
        let fix = format!("a judge needs two samples at least, each of a whole window ({} tokens)", data.length());
        return Err(Error::input(what, fix));
    }
    Ok(judge)
}

fn request(arguments: &Arguments, model: &AnyModel, data: Option<&dyn Dataset>, seed: u64) -> Result<Request, Error> {
    let asked = arguments.length.map(|length| length as usize);
    let window = match (data, model.outside()) {
        (Some(data), _) => data.length(),
        (None, Some(outside)) => outside.length(asked.filter(|_| model.takes_any_length()))?,
        (None, None) => return Err(Error::internal("a run names its data")),
    };
    let given = [
        (SampleOption::Length, asked.is_some() && !model.takes_any_length()),
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
    let request = arguments.sampler.request(model, window, count, seed, &given)?;
    let length = asked.unwrap_or(window);
    if length != window && data.is_some_and(|data| data.text().is_none()) {
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
