//! `elbow likelihood`: the bound of a trained model.

use clap::{Args, ValueEnum};
use elbow_base::Error;
use elbow_harness::claims::Outcome;
use elbow_harness::likelihood::ode::Derivative;
use elbow_harness::likelihood::{
    Bound, BoundEstimation, Dequantisation, Estimate, Estimator, Floor, LinesBound, LinesEstimation, OdeLikelihood,
    OdeNll,
};
use elbow_harness::models::{AnyModel, DataChoice, JudgedData, Source};
use elbow_harness::outside::OutsideModel;
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use serde_json::json;

use crate::flags::{ModelFlags, TextFlags, ThresholdFlags, one_of, positive};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow likelihood --checkpoint out/runs/md4-digits --split test --draws 16
  elbow likelihood --checkpoint out/runs/md4-digits --target-se 0.02
  elbow likelihood --checkpoint out/runs/ar-shakespeare --dataset kjv --split all
  elbow likelihood --checkpoint out/runs/vdm-digits --ode --sequences 64
  elbow likelihood --model denoiser.toml --dataset ./test.txt --target-se 0.01
  elbow likelihood --checkpoint out/runs/md4-digits --split train --floor
  elbow likelihood --checkpoint out/runs/md4-digits --at-most 1.9    # exit code 1 where it is not

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
    #[command(flatten)]
    text: TextFlags,
    /// Part of the data set; images have train and test
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = one_of::<Split>())]
    split: Split,
    /// Stratified draws of the noise for each sequence; for T steps, T draws visit each step once; 1 to 100,000
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
    /// Estimator of the bound; auto takes k-dce where it estimates the model's bound, and objective elsewhere
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = one_of::<Estimator>())]
    estimator: Estimator,
    /// Only the first N sequences of the split, 2 or more
    #[arg(long, value_name = "N")]
    sequences: Option<usize>,
    /// Stop at this standard error, above 0, of the bits/dim or bits/token: sequences are taken in random order, 128 or more at a
    /// time, until it is reached
    #[arg(long, value_name = "SE", value_parser = positive)]
    target_se: Option<f64>,
    /// Also the floor: the least that any model can need for these very sequences, the entropy of their empirical law, and what the
    /// bound exceeds it by. A bound below it has seen what it predicts: exit code 1
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
    /// decoder (the bound's own, comparable with it), or uniform (a looser number: the network never saw points so far from a
    /// value's place)
    #[arg(long, value_name = "NAME", default_value = "decoder", requires = "ode", value_parser = one_of::<Dequantisation>())]
    dequantisation: Dequantisation,
    #[command(flatten)]
    threshold: ThresholdFlags,
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
    if arguments.ode && model.objective().gaussian().is_none() {
        let name = model.run().map_or(model.place.display().to_string(), |_| model.objective().name().to_owned());
        let fix = "leave it out, or name a run of vdm, flow or edm, or a model file of kind gaussian";
        return Err(Error::input(format!("--ode: {name} is no Gaussian diffusion"), fix));
    }
    let choice = DataChoice {
        dataset: arguments.dataset.clone(),
        split: arguments.split,
        length: arguments.length.map(|length| length as usize),
        text: arguments.text.changes(),
        other_data: arguments.other_data,
    };
    if arguments.lines || model.outside().is_some_and(OutsideModel::is_of_lines) {
        return of_lines(workspace, arguments, &model, &choice);
    }
    let JudgedData { set: data, difference } = model.data(workspace, &choice)?;
    let data = data.as_ref();
    let (draws, sequences) = (arguments.draws as usize, arguments.sequences);
    let estimation = model.bound_estimation(data, arguments.estimator, draws, sequences, workspace.seed)?;
    let estimation = BoundEstimation { target: arguments.target_se, ..estimation };
    let bound = model.calls(|| estimation.run(&workspace.device, workspace.bar.as_ref()))?;
    let ode = if arguments.ode { Some(ode(workspace, arguments, &model, data)?) } else { None };
    let floor = if arguments.floor { Some(Floor::of(&bound, data)?) } else { None };
    let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), model.inputs(data));
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
    let rulings = arguments.threshold.judge(&judged(&bound));
    rulings.add_to(&mut result);
    let is_exact = model.diffusion()?.is_exact();
    workspace.keep_array("per_sequence", &bound.per_sequence);
    workspace.print(&result, || {
        let lines = describe(&bound, is_exact, ode.as_ref());
        let lines =
            floor.iter().fold(lines, |lines, floor| format!("{lines}\n{}", floor.describe(bound.text.is_some())));
        let lines = difference.iter().fold(lines, |lines, what| format!("{lines}\n  OTHER DATA: {what}"));
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

/// The bound of a model from outside on sequences of different lengths.
fn of_lines(workspace: &Workspace, arguments: &Arguments, model: &AnyModel, choice: &DataChoice) -> Result<u8, Error> {
    let without_effect = [
        ("--sequences", arguments.sequences.is_some()),
        ("--target-se", arguments.target_se.is_some()),
        ("--ode", arguments.ode),
    ];
    if let Some((flag, _)) = without_effect.iter().find(|(_, given)| *given) {
        return Err(Error::input(format!("{flag}: all lines are evaluated"), "leave it out"));
    }
    let lines = model.lines(choice)?;
    let estimation = LinesEstimation {
        model: model.diffusion()?,
        lines: &lines,
        estimator: arguments.estimator,
        draws: arguments.draws as usize,
        seed: workspace.seed,
    };
    let bound = model.calls(|| estimation.run(&workspace.device, workspace.bar.as_ref()))?;
    let inputs = model.inputs_beside(provenance::lines_input(&lines));
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

fn describe_lines(bound: &LinesBound) -> String {
    let (b, p) = (&bound.bits_per_token, &bound.perplexity);
    let [shortest, longest] = bound.lengths;
    let mut lines = vec![
        format!(
            "NELBO {:.4} +- {:.4} bits/token (standard error of a ratio over sequences)",
            b.value, b.standard_error
        ),
        format!(
            "  {} sequences of {}, {shortest} to {longest} tokens, {} in all, {} draws, {} estimator",
            bound.sequences, bound.dataset, bound.tokens_scored, bound.draws, bound.estimator
        ),
        format!("  perplexity {:.4} +- {:.4} per token", p.value, p.standard_error),
    ];
    lines.extend(bound.protocol.iter().map(|(name, choice)| format!("  {name}: {choice}")));
    lines.join("\n")
}

/// The likelihood under the ODE. A run is loaded again on a device that differentiates; an ONNX network is differenced.
fn ode(workspace: &Workspace, arguments: &Arguments, model: &AnyModel, data: &dyn Dataset) -> Result<OdeNll, Error> {
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
        draws: arguments.draws as usize,
        sequences: arguments.sequences,
        seed: workspace.seed,
    };
    model.calls(|| estimation.run(device, workspace.bar.as_ref()))
}

/// The number that thresholds judge.
pub(super) fn judged(bound: &Bound) -> Outcome {
    let unit = if bound.text.is_some() { "bits/token" } else { "bits/dim" };
    Outcome::estimated("bound", bound.bits_per_dim, unit, "sequences")
}

/// The bound in words.
pub(super) fn describe(bound: &Bound, is_exact: bool, ode: Option<&OdeNll>) -> String {
    let kind = if is_exact { "NLL" } else { "NELBO" };
    let b = &bound.bits_per_dim;
    let unit = if bound.text.is_some() { "bits/token" } else { "bits/dim" };
    let of = if bound.sequences < bound.available { format!(" of {}", bound.available) } else { String::new() };
    let sequences = format!("  {}{of} sequences of {}, {} tokens each", bound.sequences, bound.dataset, bound.dims);
    let mut lines =
        vec![format!("{kind} {:.4} +- {:.4} {unit} (standard error over sequences)", b.value, b.standard_error)];
    let is_k_dce = bound.estimator == "k-dce";
    if is_exact {
        lines.push(format!("{sequences}; exact, left to right"));
    } else {
        lines.push(format!("{sequences}, {} draws, {} estimator", bound.draws, bound.estimator));
    }
    if is_k_dce {
        lines.push("  k-DCE, exact at both ends: no prior or reconstruction term".to_owned());
    } else if !is_exact {
        lines.push(format!(
            "  reconstruction {:.4}, prior {:.4}, diffusion {:.4} +- {:.4}",
            bound.reconstruction, bound.prior, bound.diffusion.value, bound.diffusion.standard_error
        ));
    }
    if let Some(target) = &bound.target {
        lines.push(match target.reached {
            true => format!(
                "  stopped at the standard error {}: {} of {} sequences were enough",
                target.standard_error, bound.sequences, target.available
            ),
            false => format!(
                "  the standard error {} was not reached with all {} sequences: what is left is the spread of the data and the \
                 noise of the draws, which more --draws would lower",
                target.standard_error, target.available
            ),
        });
    }
    let p = &bound.perplexity;
    if let Some(text) = &bound.text {
        let perplexity = format!("  perplexity {:.4} +- {:.4} per token", p.value, p.standard_error);
        let unit = |e: &Estimate, name: &str| format!(", {:.4} +- {:.4} bits/{name}", e.value, e.standard_error);
        let per_character = text.bits_per_character.as_ref().map(|e| unit(e, "char")).unwrap_or_default();
        let per_byte = text.bits_per_byte.as_ref().map(|e| unit(e, "byte")).unwrap_or_default();
        lines.push(perplexity + &per_character + &per_byte);
        if let Some(lost) = &text.lost {
            lines.push(format!(
                "  no bits/char and bits/byte: the tokens do not give the text back; at least {:.2} % of it is lost or changed, {} \
                 tokens are unknown",
                100.0 * lost.share,
                lost.unknown_tokens
            ));
        }
        if bound.tokens_dropped > 0 || text.lost.is_some() {
            lines.push(format!("  over {} tokens; {} are not scored", bound.tokens_scored, bound.tokens_dropped));
        }
    }
    if let Some(ode) = ode {
        let b = &ode.bits_per_dim;
        lines.push(format!(
            "ODE NLL {:.4} +- {:.4} {unit}: {} sequences, {} draws, {} dequantisation, {} trace, {} steps",
            b.value, b.standard_error, ode.sequences, ode.draws, ode.dequantisation, ode.trace, ode.steps
        ));
        let change = format!("  half as many steps change it by {:+.4}", ode.half_steps_difference);
        let verdict = if ode.is_converged() { "" } else { ": not converged, use more --ode-steps" };
        lines.push(change + verdict);
        if let Some(change) = ode.step_difference {
            let verdict = match ode.has_exact_derivative() {
                true => "",
                false => ": too much to be trusted, the network is rough or its numbers are coarse",
            };
            lines.push(format!(
                "  differences of the whole step in place of half of it change it by {change:+.1e}{verdict}"
            ));
        }
    }
    // The rest of k-DCE's protocol says that its terms are zero.
    let is_told = |name: &str| !is_k_dce || !["form", "objective", "prior", "reconstruction"].contains(&name);
    let protocol = bound.protocol.iter().filter(|(name, _)| is_told(name));
    lines.extend(protocol.map(|(name, choice)| format!("  {name}: {choice}")));
    lines.join("\n")
}
