//! `elbow likelihood`: the bound of a trained model.

use clap::{Args, ValueEnum};
use elbow_base::Error;
use elbow_harness::likelihood::{Bound, BoundEstimation, Dequantisation, Estimator, OdeLikelihood, OdeNll};
use elbow_harness::provenance;
use elbow_harness::runs::Trained;
use elbow_harness::workspace::Workspace;
use elbow_impls::data::{Dataset, Split};
use serde_json::json;

use crate::flags::{CheckpointFlag, one_of, positive};

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow likelihood --checkpoint out/runs/md4-digits --split test --draws 16
  elbow likelihood --checkpoint out/runs/md4-digits --target-se 0.02
  elbow likelihood --checkpoint out/runs/ar-shakespeare --dataset kjv --split all
  elbow likelihood --checkpoint out/runs/vdm-digits --ode --sequences 64

The bound is that of the averaged weights and uses the bound's own weights, whatever weighting
trained them. The standard error is over sequences. For masked models that see no time, the
any-order estimator (k-DCE) is the default: its mean is the same and its variance smaller;
--estimator objective uses the training objective's own draws.

For Gaussian diffusion --ode adds the likelihood of the probability-flow ODE: of another model
made of the same network.")]
pub struct Arguments {
    #[command(flatten)]
    run: CheckpointFlag,
    /// Another data set than that of training, by name or file: zero-shot
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Part of the data set; images have train and test
    #[arg(long, value_name = "NAME", default_value = "test", value_parser = one_of::<Split>())]
    split: Split,
    /// Stratified draws of the noise for each sequence; for T steps, T draws visit each step once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    draws: u32,
    /// Estimator of the bound; auto takes k-dce where it estimates the model's bound, and objective elsewhere
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = one_of::<Estimator>())]
    estimator: Estimator,
    /// Only the first N sequences of the split
    #[arg(long, value_name = "N")]
    sequences: Option<usize>,
    /// Stop at this standard error, in bits per token: sequences are taken in random order, 128 or more at a
    /// time, until it is reached
    #[arg(long, value_name = "SE", value_parser = positive)]
    target_se: Option<f64>,
    /// Also the likelihood of the probability-flow ODE (vdm, flow, edm); --draws draws its noise too
    #[arg(long)]
    ode: bool,
    /// Runge-Kutta steps of the ODE, four evaluations each; it is solved in half as many too, to see whether they are enough
    #[arg(long, default_value_t = 50, requires = "ode", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    ode_steps: u32,
    /// Trace of the Jacobian: hutchinson (unbiased, one product per step) or exact (one per coordinate)
    #[arg(long, value_name = "NAME", default_value = "hutchinson", requires = "ode")]
    trace: Trace,
    /// decoder (the bound's own, comparable with it), or uniform (a looser number: the network never saw points so far from a
    /// value's place)
    #[arg(long, value_name = "NAME", default_value = "decoder", requires = "ode", value_parser = one_of::<Dequantisation>())]
    dequantisation: Dequantisation,
}

/// The trace of the Jacobian in the likelihood of the probability-flow ODE.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Trace {
    Hutchinson,
    Exact,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let model = Trained::load(&arguments.run.checkpoint, &workspace.device)?;
    let mut spec = model.settings.data(arguments.split);
    if let Some(name) = &arguments.dataset {
        spec = spec.of_set(name);
    }
    if arguments.ode && !model.settings.is_gaussian() {
        let what = format!("--ode: {} is no Gaussian diffusion", model.settings.implementation());
        return Err(Error::input(what, "leave it out, or name a run of vdm, flow or edm"));
    }
    let data = workspace.open(&spec)?;
    model.check_fits(data.as_ref())?;
    let (draws, sequences) = (arguments.draws as usize, arguments.sequences);
    let estimation = model.bound_estimation(data.as_ref(), arguments.estimator, draws, sequences, workspace.seed)?;
    let estimation = BoundEstimation { target: arguments.target_se, ..estimation };
    let bound = estimation.run(&workspace.device, workspace.bar.as_ref())?;
    let ode = if arguments.ode { Some(ode(workspace, arguments, data.as_ref())?) } else { None };
    let inputs = vec![
        provenance::data_input(data.as_ref()),
        elbow_reports::record::Input { name: "ema.safetensors".into(), sha256: model.hash.clone() },
    ];
    let block = provenance::block(workspace.seed, &workspace.device_name, String::new(), inputs);
    let result = json!({ "nelbo": bound, "ode": ode, "step": model.state.step, "settings": model.settings, "provenance": block });
    workspace.print(&result, || describe(&bound, model.objective.is_exact(), ode.as_ref(), data.as_ref()))
}

/// The likelihood under the ODE, with the model loaded on a device that differentiates.
fn ode(workspace: &Workspace, arguments: &Arguments, data: &dyn Dataset) -> Result<OdeNll, Error> {
    let device = workspace.device.clone().autodiff();
    let model = Trained::load(&arguments.run.checkpoint, &device)?;
    let objective = model.settings.gaussian().ok_or_else(|| Error::internal("checked: a Gaussian diffusion"))?;
    let estimation = OdeLikelihood {
        objective,
        denoiser: model.model.gaussian()?,
        data,
        conditional: model.settings.class_conditioning,
        dequantisation: arguments.dequantisation,
        exact_trace: arguments.trace == Trace::Exact,
        steps: arguments.ode_steps.next_multiple_of(2) as usize,
        draws: arguments.draws as usize,
        sequences: arguments.sequences,
        seed: workspace.seed,
    };
    estimation.run(&device, workspace.bar.as_ref())
}

fn describe(bound: &Bound, is_exact: bool, ode: Option<&OdeNll>, data: &dyn Dataset) -> String {
    let kind = if is_exact { "NLL" } else { "NELBO" };
    let b = &bound.bits_per_dim;
    let unit = if data.text().is_some() { "bits/token" } else { "bits/dim" };
    let sequences = format!("  {} sequences of {}, {} tokens each", bound.sequences, bound.dataset, bound.dims);
    let mut lines =
        vec![format!("{kind} {:.4} +- {:.4} {unit} (standard error over sequences)", b.value, b.standard_error)];
    if is_exact {
        lines.push(format!("{sequences}; exact, left to right"));
    } else {
        lines.push(format!("{sequences}, {} draws, {} estimator", bound.draws, bound.estimator));
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
        let (c, y) = (&text.bits_per_character, &text.bits_per_byte);
        lines.push(format!(
            "  perplexity {:.4} +- {:.4} per token, {:.4} +- {:.4} bits/char, {:.4} +- {:.4} bits/byte",
            p.value, p.standard_error, c.value, c.standard_error, y.value, y.standard_error
        ));
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
    }
    lines.extend(bound.protocol.iter().map(|(name, choice)| format!("  {name}: {choice}")));
    lines.join("\n")
}
