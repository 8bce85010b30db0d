//! `elbow likelihood`: the bound of a trained model.

mod prompts;
mod words;

use std::path::Path;

use clap::{Args, ValueEnum};
use elbow_base::Error;
use elbow_harness::claims::Outcome;
use elbow_harness::likelihood::ode::Derivative;
use elbow_harness::likelihood::{
    Bound, BoundEstimation, Dequantisation, Estimator, Floor, LinesEstimation, OdeLikelihood, OdeNll, PublishedProtocol,
};
use elbow_harness::models::{AnyModel, DataChoice, JudgedData, Source};
use elbow_harness::outside::OutsideModel;
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use serde_json::json;

pub(super) use words::describe;
use words::describe_lines;

use crate::flags::{ModelFlags, RoundsFlag, ShardFlags, TextFlags, ThresholdFlags, one_of, positive, shard};
use prompts::{Common, PromptFlags};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow likelihood --checkpoint out/runs/md4-digits --split test --draws 16
  elbow likelihood --checkpoint out/runs/md4-digits --target-se 0.02
  elbow likelihood --checkpoint out/runs/ar-shakespeare --dataset kjv --split all
  elbow likelihood --checkpoint out/runs/vdm-digits --ode --sequences 64
  elbow likelihood --model denoiser.toml --dataset ./test.txt --target-se 0.01
  elbow likelihood --checkpoint out/runs/md4-digits --split train --floor
  elbow likelihood --checkpoint out/runs/mdlm --dataset ./owt-last-100000.txt --protocol mdlm-owt
  elbow likelihood --checkpoint out/runs/md4-digits --at-most 1.9    # exit code 1 where it is not
  elbow likelihood --checkpoint out/runs/md4-shakespeare --prompts prompts.jsonl --target-se 0.05
  elbow likelihood --model denoiser.toml --prompts choices.jsonl --error-probability 0.05
  elbow likelihood --checkpoint out/runs/md4-digits --shard 1/3      # a third; then elbow merge

The bound is that of the averaged weights and uses the bound's own weights, whatever weighting
trained them. The standard error is over sequences. For masked models that see no time, the
any-order estimator (k-DCE) is the default: its mean is the same and its variance smaller;
--estimator objective uses the training objective's own draws.

For Gaussian diffusion --ode adds the likelihood of the probability-flow ODE: of another model
made of the same network. An ONNX network has no derivative: for a model from outside it is taken
by central differences of two steps, extrapolated, and the result says how much the step matters.")]
pub struct Arguments {
    #[command(flatten)]
    model: ModelFlags,
    /// Tokens per sequence of a text, for a model from outside that takes any, 1 to 1,000,000 [default: 64]
    #[arg(long, value_name = "TOKENS", requires = "model", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    length: Option<u32>,
    /// Each line of the text is a sequence of its own length, for a model from outside; also each record of a FASTA file
    #[arg(long, requires = "model", conflicts_with = "ode")]
    lines: bool,
    /// Another data set than that of training, by name or file: zero-shot
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Accept a text or a tokenizer that is not the one of training, although it has its name; the result says so
    #[arg(long, conflicts_with = "model")]
    other_data: bool,
    /// The protocol of a published table: it sets the split, frame, estimator, draws and number of sequences that are not given
    /// otherwise, and the result names every choice that differs from the published one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["lines", "target_se", "prompts"], value_parser = one_of::<PublishedProtocol>())]
    protocol: Option<PublishedProtocol>,
    #[command(flatten)]
    text: TextFlags,
    /// Part of the data set; images have train and test [default: test, or that of --protocol]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Split>())]
    split: Option<Split>,
    /// Stratified draws of the noise for each sequence; for T steps, T draws visit each step once; with --prompts calls of the
    /// network per target, in whole sweeps; 1 to 100,000 [default: 8; 64 with --prompts]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: Option<u32>,
    /// Estimator of the bound; auto takes k-dce where it estimates the model's bound, and objective elsewhere
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = one_of::<Estimator>())]
    estimator: Estimator,
    /// Only the first N sequences of the split, 2 or more
    #[arg(long, value_name = "N")]
    sequences: Option<usize>,
    /// Stop at this standard error, above 0, of the bits/dim or bits/token: sequences are taken in random order, 128 or more at a
    /// time, until it is reached. With --prompts: of each log-likelihood, in nats
    #[arg(long, value_name = "SE", value_parser = positive)]
    target_se: Option<f64>,
    /// Also the floor: the least that any model can need for these very sequences, the entropy of their empirical law, and what the
    /// bound exceeds it by. A bound below it comes from a network that sees what it predicts: exit code 1
    #[arg(long, conflicts_with_all = ["target_se", "lines"])]
    floor: bool,
    /// Also the likelihood of the probability-flow ODE (vdm, flow, edm, gaussian model files); --draws draws its noise too
    #[arg(long)]
    ode: bool,
    /// Runge-Kutta steps of the ODE, 2 to 100,000, four evaluations each; it is solved in half as many too, to see whether they are enough
    #[arg(long, default_value_t = 50, requires = "ode", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    ode_steps: u32,
    /// Trace of the Jacobian: hutchinson (unbiased, one product per step) or exact (one per coordinate)
    #[arg(long, value_name = "NAME", default_value = "hutchinson", requires = "ode")]
    trace: Trace,
    /// decoder (the bound's own, comparable with it), or uniform (a looser number: its points lie farther from a value's place
    /// than those of training)
    #[arg(long, value_name = "NAME", default_value = "decoder", requires = "ode", value_parser = one_of::<Dequantisation>())]
    dequantisation: Dequantisation,
    #[command(flatten)]
    pub shard: ShardFlags,
    #[command(flatten)]
    rounds: RoundsFlag,
    #[command(flatten)]
    threshold: ThresholdFlags,
    #[command(flatten)]
    prompts: PromptFlags,
}

/// Draws per sequence where none are asked for.
const DRAWS: u32 = 8;

impl Arguments {
    fn draws(&self) -> usize {
        self.draws.unwrap_or(self.protocol.map_or(DRAWS, PublishedProtocol::draws)) as usize
    }

    fn split(&self) -> Split {
        self.split.unwrap_or(self.protocol.map_or(Split::Test, PublishedProtocol::split))
    }

    /// The rounds of each shard.
    pub fn rounds(&self) -> Result<Option<usize>, Error> {
        self.rounds.rounds(&self.shard, self.target_se)
    }
}

/// Step of the differences of an ONNX network, in units of the noise: single precision loses little, and half of it is
/// extrapolated from.
const DIFFERENCE: f64 = 0.0625;

/// The trace of the Jacobian in the likelihood of the probability-flow ODE.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Trace {
    Hutchinson,
    Exact,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<u8, Error> {
    if let Some(sequences @ 0..2) = arguments.sequences {
        return Err(Error::input(format!("--sequences {sequences}"), "a standard error needs two or more"));
    }
    let model = arguments.model.open(workspace)?;
    if arguments.prompts.is_given() {
        let Arguments { draws, target_se, threshold, .. } = arguments;
        return arguments.prompts.run(workspace, &model, &Common { draws: *draws, target_se: *target_se, threshold });
    }
    if arguments.ode && model.objective().gaussian().is_none() {
        let name = model.run().map_or(model.place.display().to_string(), |_| model.objective().name().to_owned());
        let fix = "leave it out, or name a run of vdm, flow or edm, or a model file of kind gaussian";
        return Err(Error::input(format!("--ode: {name} is no Gaussian diffusion"), fix));
    }
    let choice = DataChoice {
        dataset: arguments.dataset.clone(),
        split: arguments.split(),
        length: arguments.length.map(|length| length as usize),
        text: arguments.text.changes(),
        protocol: arguments.protocol,
        other_data: arguments.other_data,
    };
    if arguments.lines || model.outside().is_some_and(OutsideModel::is_of_lines) {
        return of_lines(workspace, arguments, &model, &choice);
    }
    let JudgedData { set: data, difference } = model.data(workspace, &choice)?;
    let data = data.as_ref();
    let sequences = arguments.sequences.or(arguments.protocol.and_then(PublishedProtocol::sequences));
    let estimator = arguments.protocol.map_or(arguments.estimator, |protocol| protocol.estimator(arguments.estimator));
    let estimation = model.bound_estimation(data, estimator, arguments.draws(), sequences, workspace.seed)?;
    let estimation = BoundEstimation { target: arguments.target_se, ..estimation };
    let inputs = model.inputs(data);
    workspace.shards.of(&inputs, workspace.bar.as_ref())?;
    let bound = model.calls(|| estimation.run_in(&workspace.shards, &workspace.device, workspace.bar.as_ref()))?;
    let ode = if arguments.ode { ode(workspace, arguments, &model, data)? } else { None };
    let Some(bound) = bound else { return shard::finish(workspace) };
    let floor = if arguments.floor { Some(Floor::of(&bound, data)?) } else { None };
    let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs);
    let mut result = json!({ "nelbo": bound, "ode": ode, "provenance": block });
    if let Some(floor) = &floor {
        result["floor"] = json!(floor);
    }
    for (name, fact) in model.facts() {
        result[name] = fact;
    }
    if let Some(what) = &difference {
        result["other_data"] = json!(what);
    }
    let published = arguments.protocol.map(|protocol| protocol.beside(&bound));
    if let Some(published) = &published {
        result["published"] = json!(published);
    }
    let rulings = arguments.threshold.judge(&judged(&bound));
    rulings.add_to(&mut result);
    let is_exact = model.diffusion()?.is_exact();
    workspace.keep_array("per_sequence", &bound.per_sequence);
    workspace.print(&result, || {
        let lines = describe(&bound, is_exact, ode.as_ref());
        let lines =
            floor.iter().fold(lines, |lines, floor| format!("{lines}\n{}", floor.describe(bound.text.is_some())));
        let lines = published.iter().fold(lines, |lines, published| format!("{lines}\n{}", published.describe()));
        let lines = difference.iter().fold(lines, |lines, what| format!("{lines}\n  OTHER DATA: {what}"));
        let lines = part_of_a_file(arguments, &model).iter().fold(lines, |lines, note| format!("{lines}\n  {note}"));
        let lines = rulings.below(lines, "sequences");
        let flag = match &model.source {
            Source::Run(_) => "--checkpoint",
            Source::Outside(_) => "--model",
        };
        format!("{lines}\nnext: elbow sample {flag} {}", model.place.display())
    })?;
    let is_broken = floor.is_some_and(|floor| floor.is_broken);
    Ok(if is_broken { 1 } else { rulings.exit_code() })
}

/// What the test part of a file is, which a file of tests alone need not be cut into.
fn part_of_a_file(arguments: &Arguments, model: &AnyModel) -> Option<String> {
    let own = model.outside().and_then(|outside| outside.file().data.as_ref());
    let name = arguments.dataset.as_deref().or(own.map(|data| data.dataset.as_str()))?;
    let is_part = arguments.split == Split::Test && Path::new(name).is_file();
    is_part.then(|| format!("{name}: the part of it that is kept for tests; --split all takes the whole file"))
}

/// The bound of a model from outside on sequences of different lengths.
fn of_lines(workspace: &Workspace, arguments: &Arguments, model: &AnyModel, choice: &DataChoice) -> Result<u8, Error> {
    let without_effect = [
        ("--sequences", arguments.sequences.is_some()),
        ("--target-se", arguments.target_se.is_some()),
        ("--ode", arguments.ode),
        ("--protocol", arguments.protocol.is_some()),
    ];
    if let Some((flag, _)) = without_effect.iter().find(|(_, given)| *given) {
        return Err(Error::input(format!("{flag}: all lines are evaluated"), "leave it out"));
    }
    let lines = model.lines(choice)?;
    let estimation = LinesEstimation {
        model: model.diffusion()?,
        lines: &lines,
        estimator: arguments.estimator,
        draws: arguments.draws(),
        seed: workspace.seed,
    };
    let inputs = model.inputs_beside(provenance::lines_input(&lines));
    workspace.shards.of(&inputs, workspace.bar.as_ref())?;
    let bound = model.calls(|| estimation.run_in(&workspace.shards, &workspace.device, workspace.bar.as_ref()))?;
    let Some(bound) = bound else { return shard::finish(workspace) };
    let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs);
    let mut result = json!({ "nelbo": bound, "provenance": block });
    for (name, fact) in model.facts() {
        result[name] = fact;
    }
    let rulings =
        arguments.threshold.judge(&Outcome::estimated("bound", bound.bits_per_token, "bits/token", "sequences"));
    rulings.add_to(&mut result);
    workspace.print(&result, || rulings.below(describe_lines(&bound), "sequences"))?;
    Ok(rulings.exit_code())
}

/// The likelihood under the ODE. A run is loaded again on a device that differentiates; an ONNX network is differenced.
fn ode(
    workspace: &Workspace,
    arguments: &Arguments,
    model: &AnyModel,
    data: &dyn Dataset,
) -> Result<Option<OdeNll>, Error> {
    let differentiating = workspace.device.clone().autodiff();
    let loaded = match &model.source {
        Source::Run(_) => Some(AnyModel::of_run(&model.place, &differentiating)?),
        Source::Outside(_) => None,
    };
    let (model, device, derivative) = match &loaded {
        Some(loaded) => (loaded, &differentiating, Derivative::Automatic),
        None => (model, &workspace.device, Derivative::Differences(DIFFERENCE)),
    };
    let objective = model.objective().gaussian().ok_or_else(|| Error::internal("checked: a Gaussian diffusion"))?;
    let estimation = OdeLikelihood {
        objective,
        denoiser: model.denoiser().gaussian()?,
        derivative,
        data,
        conditional: model.is_told_classes_of(data),
        dequantisation: arguments.dequantisation,
        exact_trace: arguments.trace == Trace::Exact,
        steps: arguments.ode_steps.next_multiple_of(2) as usize,
        draws: arguments.draws(),
        sequences: arguments.sequences,
        seed: workspace.seed,
    };
    model.calls(|| estimation.run_in(&workspace.shards, device, workspace.bar.as_ref()))
}

/// The number that thresholds judge.
pub(super) fn judged(bound: &Bound) -> Outcome {
    let unit = if bound.text.is_some() { "bits/token" } else { "bits/dim" };
    Outcome::estimated("bound", bound.bits_per_dim, unit, "sequences")
}
