//! `elbow frontier`: generative perplexity against entropy over a sweep of the temperature.

mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::{Error, Key, atomic_file};
use elbow_harness::frontier::{Curve, Judge, Numbers, compare, figure, reference, sweep};
use elbow_harness::models::{AnyModel, DataChoice};
use elbow_harness::provenance;
use elbow_harness::sampling::{Request, SampleOption, Sampler, options};
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, InMemory, Split, Tokens};
use elbow_impls::tempering::Tempering;
use elbow_reports::record::Input;
use serde_json::{Value, json};

use crate::flags::{RuntimeFlag, one_of, probability, temperature};
use crate::hints::written_by;
use words::{row, table, verdict};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow frontier out/runs/md4-shakespeare --judge out/runs/ar-shakespeare
  elbow frontier out/runs/md4-shakespeare out/runs/mdlm-shakespeare denoiser.toml --judge out/runs/ar-shakespeare \\
    --temperatures 0.6,0.7,0.8,0.9,1,1.1 --samples 512 --steps 64
  elbow frontier out/runs/md4-shakespeare --judge out/runs/ar-shakespeare --top-p 0.9,1

KL(model || judge) = cross-entropy - entropy, and generative perplexity is exp of the first half alone: a
low temperature lowers it by lowering the entropy. So each model is drawn at every temperature, and models
are compared at equal entropy. The entropy is the unigram entropy of a sample: that of the distribution of
tokens within it.

Errors are standard errors over samples, which are independent; intervals are of 95 %, by the bootstrap
over samples.")]
pub struct Arguments {
    /// Models of one data set: folders of training runs, or model files
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// The model that judges the samples: a run or a model file of the same data. The likelihood of an autoregressive run is exact;
    /// any other model has a bound alone, and the perplexity under it is at most the number. With the elbow of the wheel also
    /// module:function, a function of tokens [rows, length] that returns log p of each row, in nats
    #[arg(long, value_name = "DIR|FILE")]
    judge: PathBuf,
    /// Held-out data, by name or file [default: those of the judge; of the first model where the judge is a function]
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Tokens per sample, of models from outside that take any number, 1 to 1,000,000 [default: 64]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    length: Option<u32>,
    /// Temperatures separated by commas, 0 to 1000: logits are divided by them before each draw
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NUMBERS",
        default_value = "0.6,0.7,0.8,0.9,1,1.1",
        value_parser = temperature
    )]
    temperatures: Vec<f64>,
    /// Probability masses of the values kept at each draw, separated by commas, in (0, 1]: each makes a curve [default: 1]
    #[arg(long, alias = "nucleus", value_delimiter = ',', value_name = "MASSES", value_parser = probability)]
    top_p: Vec<f64>,
    /// Number of values kept at each draw, the most probable after the temperature, 1 or more [default: all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Samples per temperature, 2 to 1,000,000
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    samples: u32,
    /// Steps, of samplers that have steps, 1 to 1,000,000 [default: 64]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: Option<u32>,
    /// Sampler of all models [default: each implementation's own]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Sampler>())]
    sampler: Option<Sampler>,
    /// Folder for frontier.png [default: OUT/frontier]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    runtime: RuntimeFlag,
}

/// Sets of samples that the bootstrap draws.
const REPLICATES: usize = 1000;

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let (device, bar) = (&workspace.device, workspace.bar.as_ref());
    check_used(arguments)?;
    let open = |place: &PathBuf| AnyModel::open(place, device, || arguments.runtime.find(workspace));
    let models = arguments.models.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let judge = Judge::open(&arguments.judge, device, || arguments.runtime.find(workspace));
    let judge = judge.map_err(|error| error.of("--judge"))?;
    let (data, is_known) = held_out(workspace, arguments, judge.model().unwrap_or(&models[0]))?;
    let data = data.as_ref();
    let requests = requests(workspace, arguments, &models, data)?;
    let to = arguments.to.clone().unwrap_or_else(|| workspace.out.join("frontier"));
    let png = to.join("frontier.png");
    atomic_file::check_ordinary(&png).map_err(written_by("--to DIR"))?;

    let numbers = |tokens: &Tokens| judge.judge(data, tokens, device, bar);
    let names = names(&arguments.models);
    let masses: &[f64] = if arguments.top_p.is_empty() { &[1.0] } else { &arguments.top_p };
    let key = Key::new(workspace.seed, "frontier");
    let (mut curves, mut described) = (Vec::new(), Vec::new());
    for (number, (model, request)) in models.iter().zip(&requests).enumerate() {
        for &nucleus in masses {
            let name =
                if masses.len() > 1 { format!("{}, top-p {nucleus}", names[number]) } else { names[number].clone() };
            let draw = |temperature, seed| {
                let tempering = Tempering { temperature, nucleus, ..request.tempering };
                model.draw(&Request { tempering, seed, ..request.clone() }, device, bar)
            };
            let key = key.fold(number as u64).fold(nucleus.to_bits());
            let curve = sweep(&name, &arguments.temperatures, &key, draw, numbers)?;
            described.push(describe(model, request, nucleus, &curve));
            curves.push(curve);
        }
    }
    let held_out = match is_known {
        true => Some(Numbers::of(&numbers(&reference(data, arguments.samples as usize)?)?)),
        false => None,
    };
    let comparisons = match arguments.temperatures.len() {
        1 => Vec::new(),
        _ => compare(&curves, REPLICATES, &key),
    };
    let caption = "Standard errors over samples.";
    let known = held_out.as_ref().map(|numbers| ("held-out data", numbers));
    let drawn = figure("frontier", caption, &curves, known, &comparisons);
    let picture = elbow_reports::png(&drawn).map_err(|error| Error::internal(error.to_string()))?;
    atomic_file::write(&png, &picture).map_err(written_by("--to DIR"))?;

    let hashes = models.iter().zip(&names);
    let hashes = hashes.map(|(model, name)| Input { name: name.clone(), sha256: model.hash().to_owned() });
    let inputs = judge.inputs(held_out.is_some().then_some(data)).into_iter().chain(hashes).collect();
    let exact = judge.is_exact()?;
    let of_data = held_out.as_ref().map(|numbers| json!({ "data": data.name(), "numbers": numbers }));
    keep_samples(workspace, &curves);
    let result = json!({
        "samples": arguments.samples, "length": data.length(), "entropy": "unigram entropy of a sample, nats",
        "judge": judge.facts(), "at_most": !exact, "seed": workspace.seed, "curves": described,
        "reference": of_data, "comparisons": comparisons,
        "replicates": REPLICATES, "png": png,
        "provenance": provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs),
    });
    workspace.print(&result, || {
        let mut lines = vec![format!(
            "{} samples of {} tokens per point; {} under {}",
            arguments.samples,
            data.length(),
            if exact { "perplexity per token" } else { "perplexity per token, at most," },
            arguments.judge.display()
        )];
        lines.extend(curves.iter().flat_map(table));
        lines.extend(held_out.iter().map(|numbers| format!("held-out data\n  {:>11}  {}", "", row(numbers))));
        lines.extend(comparisons.iter().map(verdict));
        lines.push(png.display().to_string());
        let next = match curves.len() {
            1 => "next: the same with another model beside it: they are compared at equal entropy",
            _ => "next: the same with more --samples narrows the intervals; more --temperatures make the lines finer",
        };
        lines.push(next.to_owned());
        lines.join("\n")
    })
}

/// The data whose numbers stand beside those of the samples, and true; where neither `model` nor the options name any, an empty
/// set of the samples' shape, and false.
fn held_out(workspace: &Workspace, arguments: &Arguments, model: &AnyModel) -> Result<(Box<dyn Dataset>, bool), Error> {
    let length = arguments.length.map(|length| length as usize);
    let choice = DataChoice { dataset: arguments.dataset.clone(), length, ..DataChoice::new(Split::Test) };
    let Some(outside) = model.outside() else {
        if let Some(length) = length {
            let what = format!("--length {length}: {} has sequences of its own length", model.place.display());
            return Err(Error::input(what, "leave it out"));
        }
        return Ok((model.data(workspace, &choice).map_err(|error| error.of("--judge"))?.set, true));
    };
    if let Some(data) = outside.data(workspace, &choice).map_err(|error| error.of("--judge"))? {
        return Ok((data, true));
    }
    let none = Tokens::new(Vec::new(), outside.length(length)?);
    Ok((Box::new(InMemory::new("samples", outside.file().model.values, none)), false))
}

/// Gives entropy and cross-entropy of each sample to the program that called the command: \[curves, points, samples\], row-major.
fn keep_samples(workspace: &Workspace, curves: &[Curve]) {
    let samples = || curves.iter().flat_map(|curve| &curve.points).flat_map(|point| &point.numbers.samples);
    for (at, name) in ["entropy", "cross_entropy"].into_iter().enumerate() {
        workspace.keep_array(name, &samples().map(|pair| pair[at]).collect::<Vec<_>>());
    }
}

/// Refuses options without effect, and points that would be drawn twice.
fn check_used(arguments: &Arguments) -> Result<(), Error> {
    let Arguments { models, judge, temperatures, top_p, runtime, .. } = arguments;
    if runtime.is_given() && models.iter().chain([judge]).all(|place| place.is_dir()) {
        let what = "--ort-lib has no effect: runs of elbow are no ONNX networks";
        return Err(Error::input(what, "leave it out, or name a model file"));
    }
    for (option, numbers) in [("--temperatures", temperatures), ("--top-p", top_p)] {
        let again = numbers.iter().enumerate().find(|(i, number)| numbers[..*i].contains(number));
        if let Some((_, number)) = again {
            return Err(Error::input(format!("{option}: {number} stands there twice"), "name each number once"));
        }
    }
    Ok(())
}

/// The request of each model, without temperature. Refuses models that cannot be drawn, or judged with the others.
fn requests(
    workspace: &Workspace,
    arguments: &Arguments,
    models: &[AnyModel],
    data: &dyn Dataset,
) -> Result<Vec<Request>, Error> {
    let request = |model: &AnyModel| {
        let place = model.place.display();
        if model.objective().gaussian().is_some() {
            let what = format!("{place}: {} draws points, whose draws have no temperature", model.objective().name());
            return Err(Error::input(what, "name models of tokens"));
        }
        model.check_fits(data).map_err(|error| error.of(place))?;
        let own = Request::new(model, model.denoiser(), arguments.samples as usize, data.length(), workspace.seed);
        let top_k = arguments.top_k.map(|count| count as usize);
        let request = Request {
            sampler: arguments.sampler.unwrap_or(own.sampler),
            steps: arguments.steps.map_or(own.steps, |steps| steps as usize),
            tempering: Tempering { top_k, ..own.tempering },
            ..own
        };
        request.check_sampler(model)?;
        Ok(request)
    };
    let requests = models.iter().map(request).collect::<Result<Vec<_>, _>>()?;
    let has_steps = |(model, request): (&AnyModel, &Request)| has_steps(model, request);
    if arguments.steps.is_some() && !models.iter().zip(&requests).any(has_steps) {
        return Err(Error::input("--steps has no effect: no sampler here has steps", "leave it out"));
    }
    Ok(requests)
}

fn has_steps(model: &AnyModel, request: &Request) -> bool {
    options(request.sampler, model).contains(&SampleOption::Steps)
}

/// A curve with what it was drawn by.
fn describe(model: &AnyModel, request: &Request, nucleus: f64, curve: &Curve) -> Value {
    let mut facts = Value::Object(model.facts());
    facts["place"] = json!(model.place);
    json!({
        "name": curve.name, "model": facts, "sampler": request.sampler.to_string(),
        "steps": has_steps(model, request).then_some(request.steps), "placement": request.placement(model),
        "top_p": nucleus, "top_k": request.tempering.top_k, "points": curve.points,
    })
}

/// The last parts of the places, or the whole places where two models would have one name.
fn names(places: &[PathBuf]) -> Vec<String> {
    let short = |place: &Path| {
        let name = if place.is_dir() { place.file_name() } else { place.file_stem() };
        name.unwrap_or(place.as_os_str()).to_string_lossy().into_owned()
    };
    let all: Vec<String> = places.iter().map(|place| short(place)).collect();
    let is_shared = |name: &String| all.iter().filter(|other| *other == name).count() > 1;
    let name = |(name, place): (&String, &PathBuf)| match is_shared(name) {
        true => place.display().to_string(),
        false => name.clone(),
    };
    all.iter().zip(places).map(name).collect()
}
