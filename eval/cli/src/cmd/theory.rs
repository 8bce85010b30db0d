//! `elbow theory`: the exact cascade of bounds for a toy.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use elbow_base::{Error, Progress};
use elbow_harness::models::AnyModel;
use elbow_harness::workspace::Workspace;
use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, MaskedSchedule, VectorSchedule};
use elbow_theory::discrete::{DiscreteModel, Forward, ReverseParameterization};
use elbow_theory::gaussian::GaussianToy;
use elbow_theory::masked::Enumeration;
use elbow_theory::masked::block::{BlockEnumeration, block_cascade};
use elbow_theory::{Alphabet, Cascade, Toy, discrete, gaussian, masked};
use serde_json::json;

use crate::flags::{RuntimeFlag, finite, form, one_of};

#[derive(Subcommand)]
pub enum Process {
    /// Masked (absorbing) diffusion, and masked diffusion with a schedule for each value
    #[command(after_long_help = MASKED)]
    Masked(Masked),
    /// Gaussian diffusion of atoms or mixtures, in one or two dimensions
    #[command(after_long_help = GAUSSIAN)]
    Gaussian(Gaussian),
    /// Uniform diffusion, and any other transition between states (D3PM)
    #[command(after_long_help = UNIFORM)]
    Uniform(Uniform),
}

const MASKED: &str = r#"Examples:
  elbow theory masked --toy fixtures/toys/example-a.json --schedule cosine --steps 5 --weighting sigmoid:1 --json
  elbow theory masked --toy fixtures/toys/example-b.json --schedule poly:0.5,1,2    GenMD4: alpha_v = 1 - t^w_v
  elbow theory masked --toy fixtures/toys/four-bits.json --block 2 --steps 4    block diffusion, two tokens at a time
  elbow theory masked --toy law.json --model denoiser.toml --steps 16    the bounds of your own network

A toy file:
  {"states": 3, "length": 2,
   "data": {"00": 0.35, "01": 0.05, "12": 0.6},
   "denoiser": {"kind": "exact"}}
denoiser.kind: exact, uniform, tempered (temperature, floor), or table (entries: for every pattern
with at least one '?', `length` rows of `states` probabilities).

With --model the network of a run or of a model file is tabulated over every pattern in place of the
toy's denoiser: the cascade of what was trained, exact but for the network's single precision.

All numbers are in nats. Arrays over i start at i = 1; elbo, decoder and data_model_kl have steps
+ 1 entries."#;

const GAUSSIAN: &str = r#"Examples:
  elbow theory gaussian --toy fixtures/gaussian/atoms.json --gamma-min -6 --gamma-max 5 --steps 4
  elbow theory gaussian --toy fixtures/gaussian/plane.json --schedule vdm --steps 4 --weighting fm --json

A toy file: atoms (position, probability), or a mixture with a mean of one or two numbers per component:
  {"atoms": [[-1.0, 0.3], [0.5, 0.7]],
   "denoiser": {"kind": "atoms", "atoms": [[-0.9, 0.5], [0.6, 0.5]]}}
  {"mixture": [{"mean": [0.0, 1.0], "std": 0.3, "weight": 0.5}, {"mean": [1.0, 0.0], "std": 0.2, "weight": 0.5}],
   "denoiser": {"kind": "exact"}}
The denoiser is the posterior mean of x given z_t if the data were its own atoms or mixture;
exact: the data's.

All numbers are in nats (of a density for a mixture); infinite ones are null. quadrature_error
estimates the error of the numbers above. kernel_mismatch is the part of each gap that no denoiser
can remove: the true reverse kernel is no Gaussian."#;

const UNIFORM: &str = r#"Examples:
  elbow theory uniform --toy fixtures/toys/three-tokens.json --steps 4
  elbow theory uniform --toy fixtures/toys/three-tokens.json --transition fixtures/discrete/walk.json --json

The toy file is that of `elbow theory masked`; a table denoiser lists every pattern of values
instead (there is no mask). The exact denoiser is the posterior of each token given z_t at the
time of the step.

A transition file is {"jump": P}, the stochastic matrix of a Markov chain in continuous time whose
tokens survive without a jump with probability alpha(t); or {"steps": [Q_1, ..., Q_T]}, one-step
matrices. Rows are where a token comes from. With one row more than the toy has values, the last
state is the mask."#;

#[derive(Args)]
struct Common {
    /// The toy file (JSON)
    #[arg(long, value_name = "FILE")]
    toy: PathBuf,
    /// Steps T of the time grid, 1 or more, up to a limit that depends on the toy
    #[arg(long, default_value_t = 10, value_name = "T")]
    steps: usize,
    /// Weighting w of the loss: elbo, sigmoid:B, fm, simple, iddpm, edm, edm:SIGMA_DATA, p2:G, min-snr:G, snr or indi
    #[arg(long, value_name = "NAME", default_value = "elbo", value_parser = form::<Weighting>)]
    weighting: Weighting,
}

#[derive(Args)]
pub struct Masked {
    #[command(flatten)]
    common: Common,
    /// Schedule alpha(t): linear, cosine, poly:W, geometric, loglinear, or poly:W,W,... with one W for each value [default: that
    /// of --model, or linear]
    #[arg(long, value_name = "NAME", value_parser = form::<MaskingSchedule>)]
    schedule: Option<MaskingSchedule>,
    /// A masked model that sees no time, in place of the toy's denoiser: a model file, or the folder of a run
    #[arg(long, value_name = "FILE|DIR")]
    model: Option<PathBuf>,
    /// Block diffusion: K tokens are drawn at a time given those before; 1 or more, a divisor of the toy's length [default:
    /// that of --model, or the whole sequence]
    #[arg(long, value_name = "K")]
    block: Option<usize>,
    #[command(flatten)]
    runtime: RuntimeFlag,
}

impl Masked {
    /// The model in place of the toy's denoiser, and its cascade.
    fn of_model(&self, workspace: &Workspace, place: &Path) -> Result<(AnyModel, Cascade), Error> {
        let Common { toy, steps, weighting } = &self.common;
        let model = AnyModel::open(place, &workspace.device, || self.runtime.find(workspace))?;
        if model.run().is_some() {
            self.check_runtime()?;
        }
        let schedule = match &self.schedule {
            Some(MaskingSchedule::Shared(schedule)) => schedule.clone(),
            Some(MaskingSchedule::PerValue(_)) => {
                return Err(Error::input("--schedule with one W for each value", "give --model one schedule for all"));
            }
            None => model.objective().masked_schedule().unwrap_or(MaskedSchedule::Linear),
        };
        let toy = Toy::load(toy, Alphabet::Masked)?;
        let cascade = model.cascade(&toy, &schedule, *steps, weighting, self.block, &workspace.device)?;
        Ok((model, cascade))
    }

    /// Refuses a runtime where no ONNX network is run.
    fn check_runtime(&self) -> Result<(), Error> {
        match self.runtime.is_given() {
            true => Err(Error::input("--ort-lib has no effect: no ONNX network is run", "leave it out")),
            false => Ok(()),
        }
    }
}

/// One schedule for all values, or one for each.
#[derive(Clone)]
enum MaskingSchedule {
    Shared(MaskedSchedule),
    PerValue(VectorSchedule),
}

impl FromStr for MaskingSchedule {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        if name.contains(',') { Ok(Self::PerValue(name.parse()?)) } else { Ok(Self::Shared(name.parse()?)) }
    }
}

#[derive(Args)]
pub struct Gaussian {
    #[command(flatten)]
    common: Common,
    /// Schedule of the log-SNR: vdm, fixed-linear:MIN:MAX (gamma), or cosine, ot, normal:MEAN:STD, whole or with :MIN:MAX
    /// [default: fixed-linear from --gamma-min to --gamma-max]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["gamma_min", "gamma_max"], value_parser = form::<GaussianSchedule>)]
    schedule: Option<GaussianSchedule>,
    /// gamma(0), the negative log-SNR at the data, in nats, -700 to 700
    #[arg(long, default_value_t = -6.0, allow_negative_numbers = true, value_parser = finite)]
    gamma_min: f64,
    /// gamma(1), the negative log-SNR at the noise, in nats, -700 to 700 and above --gamma-min
    #[arg(long, default_value_t = 5.0, allow_negative_numbers = true, value_parser = finite)]
    gamma_max: f64,
}

#[derive(Args)]
pub struct Uniform {
    #[command(flatten)]
    common: Common,
    /// Schedule alpha(t): linear, cosine, poly:W, geometric or loglinear
    #[arg(long, value_name = "NAME", default_value = "linear", value_parser = form::<MaskedSchedule>)]
    schedule: MaskedSchedule,
    /// uniform, absorbing, or a file with a matrix
    #[arg(long, default_value = "uniform", value_name = "NAME|FILE")]
    transition: String,
    /// How mu becomes a reverse kernel: d3pm (x replaced by mu in the posterior) or mixture (posteriors mixed by mu)
    #[arg(long, value_name = "NAME", default_value = "d3pm", value_parser = one_of::<ReverseParameterization>())]
    parameterization: ReverseParameterization,
}

pub fn run(workspace: &Workspace, process: &Process) -> Result<(), Error> {
    // Enumerating takes seconds; the other processes say how far they are.
    workspace.bar.start(1, "exact bounds");
    let result = match process {
        Process::Masked(masked @ Masked { model: Some(place), .. }) => {
            masked.of_model(workspace, place).map(|(model, cascade)| (Some(model), cascade))
        }
        process => process.cascade(workspace.bar.as_ref()).map(|cascade| (None, cascade)),
    };
    workspace.bar.finish();
    let (model, result) = result?;
    let Some(model) = model else { return workspace.print(&result, || table(&result)) };
    let mut document = serde_json::to_value(&result).map_err(|e| Error::internal(e.to_string()))?;
    document["network_hash"] = json!(model.hash());
    for (name, fact) in model.facts() {
        document[name] = fact;
    }
    workspace.print(&document, || format!("the network of {}\n{}", model.place.display(), table(&result)))
}

impl Process {
    fn cascade(&self, progress: &dyn Progress) -> Result<Cascade, Error> {
        let (Self::Masked(Masked { common, .. })
        | Self::Gaussian(Gaussian { common, .. })
        | Self::Uniform(Uniform { common, .. })) = self;
        let Common { toy, steps, weighting } = common;
        let discrete = |forward: &Forward, parameterization| -> Result<Cascade, Error> {
            let toy = Toy::load(toy, forward.alphabet())?;
            Ok(discrete::cascade(&DiscreteModel::new(&toy, forward, parameterization)?, *steps, weighting, progress)?)
        };
        match self {
            Self::Masked(masked) => {
                masked.check_runtime()?;
                match &masked.schedule {
                    Some(MaskingSchedule::PerValue(_)) if masked.block.is_some() => {
                        Err(Error::input("--block with one W for each value", "give --block one schedule for all"))
                    }
                    Some(MaskingSchedule::PerValue(schedule)) => {
                        discrete(&Forward::vector(schedule.clone()), ReverseParameterization::Mixture)
                    }
                    shared => {
                        let schedule = match shared {
                            Some(MaskingSchedule::Shared(schedule)) => schedule,
                            _ => &MaskedSchedule::Linear,
                        };
                        let toy = Toy::load(toy, Alphabet::Masked)?;
                        if let Some(size) = masked.block {
                            return Ok(block_cascade(
                                &BlockEnumeration::new(&toy, size)?,
                                schedule,
                                *steps,
                                weighting,
                            )?);
                        }
                        Ok(masked::cascade(&Enumeration::new(&toy)?, schedule, *steps, weighting)?)
                    }
                }
            }
            &Self::Gaussian(Gaussian { ref schedule, gamma_min, gamma_max, .. }) => {
                if gamma_min >= gamma_max {
                    let what = format!("--gamma-min {gamma_min} is not below --gamma-max {gamma_max}");
                    return Err(Error::input(what, "the log-SNR falls from the data to the noise"));
                }
                let own = || format!("fixed-linear:{gamma_min}:{gamma_max}").parse();
                let schedule = schedule.clone().map_or_else(own, Ok)?;
                Ok(gaussian::cascade(&GaussianToy::load(toy)?, &schedule, *steps, weighting, progress)?)
            }
            Self::Uniform(Uniform { schedule, transition, parameterization, .. }) => {
                // A matrix must fit the number of values, and a table denoiser the alphabet of the matrix.
                let (values, file) = (Toy::states_of(toy)?, |file: &str| Ok(PathBuf::from(file)));
                discrete(&Forward::named::<Error>(transition, values, schedule.clone(), file)?, *parameterization)
            }
        }
    }
}

/// The cascade as a table.
fn table(c: &Cascade) -> String {
    let what = match (c.length, c.states, c.dimensions) {
        (Some(length), Some(states), _) => {
            let blocks = c.block_size.map(|size| format!(" in blocks of {size}")).unwrap_or_default();
            format!("{length} token{} of {states} values{blocks}", if length == 1 { "" } else { "s" })
        }
        (.., Some(2)) => "two dimensions".to_owned(),
        _ => "one dimension".to_owned(),
    };
    let transition = c.transition.iter().map(|t| format!(", {t} transition")).collect::<String>();
    let kernel = c.parameterization.iter().map(|p| format!(", {p} parameterization")).collect::<String>();
    let kind = if c.monotone { "monotone: a sum of bounds" } else { "not monotone: no sum of bounds" };
    let mut text = format!(
        "{what}{transition}{kernel}, {} schedule, T = {}, weighting {} ({kind})\n\n",
        c.schedule, c.steps, c.weighting
    );
    let (unavoidable, why) = match c.dimensions {
        Some(_) => (&c.kernel_mismatch, "the true reverse kernel is not Gaussian"),
        None => (&c.factorization, "the total correlation of the tokens"),
    };
    let mut line = |cells: [String; 6]| {
        let [i, elbo, gap, part, kl, w] = cells;
        let _ = writeln!(text, "{i:>4}  {elbo:>15}  {gap:>13}  {part:>13}  {kl:>13}  {w:>13}");
    };
    line(["i", "E L^(i)", "gap g_i", "not removable", "KL(q||p~(i))", "w_i"].map(String::from));
    let number = |values: &[f64], i: usize, digits| values.get(i).map_or(String::new(), |v| fixed(*v, digits));
    for i in 0..=c.steps {
        line([
            (i + 1).to_string(),
            number(&c.elbo, i, 10),
            number(&c.gap, i, 10),
            number(unavoidable, i, 10),
            number(&c.data_model_kl, i, 10),
            number(&c.cascade_weights, i, 6),
        ]);
    }
    let facts = [
        (if c.dimensions.is_some() { "entropy" } else { "entropy H" }, Some(c.entropy)),
        ("NELBO in continuous time", Some(c.neg_elbo_continuous)),
        ("any-order autoregressive NLL", c.any_order_ar_nll),
        ("slack of E L^(1): E log p~(1)(x) - E L^(1)", c.slack),
        ("reweighted loss in continuous time (no bound)", Some(c.weighted_continuous)),
        ("Theorem 1 residual", Some(c.theorem1_residual)),
        ("Theorem 2 residual", Some(c.theorem2_residual)),
        ("quadrature error, estimated", c.quadrature_error),
    ];
    let _ = writeln!(text, "\nnot removable: the part of the gap that no denoiser removes, {why}\n");
    // A note says why a number is undetermined.
    for (name, value) in facts.into_iter().filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_nan())?))) {
        let shown = if value != 0.0 && value.abs() < 1e-6 { format!("{value:.1e}") } else { fixed(value, 10) };
        let _ = writeln!(text, "{name:<46} {shown} nats");
    }
    for note in &c.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text.trim_end().to_owned()
}

/// A number with so many decimals; one that rounds to zero has no sign.
fn fixed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) => zero.to_owned(),
        _ => text,
    }
}
