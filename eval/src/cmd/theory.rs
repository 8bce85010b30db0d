//! `elbow theory`: the exact cascade of bounds for a toy.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use impls::Weighting;
use impls::schedule::MaskedSchedule;

use crate::failure::Failure;
use crate::theory::{Cascade, Enumeration, Toy, cascade};
use crate::workspace::Workspace;

#[derive(Subcommand)]
pub enum Process {
    /// Masked (absorbing) diffusion
    #[command(after_long_help = HELP)]
    Masked(Arguments),
}

const HELP: &str = r#"Example:
  elbow theory masked --toy fixtures/toys/example-a.json --schedule cosine --steps 5 --weighting sigmoid:1 --json

A toy file:
  {"states": 3, "length": 2,
   "data": {"00": 0.35, "01": 0.05, "12": 0.6},
   "denoiser": {"kind": "exact"}}
denoiser.kind: exact, uniform, tempered (temperature, floor), or table (entries: for every pattern with at
least one '?', `length` rows of `states` probabilities).

All numbers are in nats. Arrays over i start at i = 1; elbo, decoder and data_model_kl have steps + 1 entries."#;

#[derive(Args)]
pub struct Arguments {
    /// The toy file (JSON)
    #[arg(long, value_name = "FILE")]
    toy: PathBuf,
    /// linear, cosine, poly:W, geometric or loglinear
    #[arg(long, default_value = "linear")]
    schedule: String,
    /// Steps T of the time grid
    #[arg(long, default_value_t = 10, value_name = "T")]
    steps: usize,
    /// elbo, sigmoid:B, fm, simple, iddpm, edm, p2:G, min-snr:G, snr or indi
    #[arg(long, default_value = "elbo")]
    weighting: String,
}

pub fn run(workspace: &Workspace, process: &Process) -> Result<(), Failure> {
    let Process::Masked(arguments) = process;
    let schedule: MaskedSchedule = arguments.schedule.parse()?;
    let weighting: Weighting = arguments.weighting.parse()?;
    let all = Enumeration::new(&Toy::load(&arguments.toy)?)?;
    let result = cascade(&all, &schedule, arguments.steps, &weighting)?;
    workspace.print(&result, || table(&result))
}

/// The cascade for a person.
fn table(c: &Cascade) -> String {
    let mut text = format!(
        "{} tokens of {} values, {} schedule, T = {}, weighting {} ({})\n\n",
        c.length,
        c.states,
        c.schedule,
        c.steps,
        c.weighting,
        if c.monotone { "monotone: a sum of bounds" } else { "not monotone: no sum of bounds" }
    );
    let mut line = |cells: [String; 6]| {
        let [i, elbo, gap, tc, kl, w] = cells;
        let _ = writeln!(text, "{i:>4}  {elbo:>15}  {gap:>13}  {tc:>13}  {kl:>13}  {w:>13}");
    };
    line(["i", "E L^(i)", "gap g_i", "correlation", "KL(q||p~(i))", "w_i"].map(String::from));
    let number =
        |values: &[f64], i: usize, digits: usize| values.get(i).map_or(String::new(), |v| format!("{v:.digits$}"));
    for i in 0..=c.steps {
        line([
            (i + 1).to_string(),
            number(&c.elbo, i, 10),
            number(&c.gap, i, 10),
            number(&c.factorization, i, 10),
            number(&c.data_model_kl, i, 10),
            number(&c.cascade_weights, i, 6),
        ]);
    }
    let facts = [
        ("entropy H", c.entropy),
        ("NELBO in continuous time", c.neg_elbo_continuous),
        ("any-order autoregressive NLL", c.any_order_ar_nll),
        ("reweighted loss in continuous time (no bound)", c.weighted_continuous),
        ("Theorem 1 residual", c.theorem1_residual),
        ("Theorem 2 residual", c.theorem2_residual),
    ];
    text.push('\n');
    for (name, value) in facts {
        let shown = if value != 0.0 && value.abs() < 1e-6 { format!("{value:.1e}") } else { format!("{value:.10}") };
        let _ = writeln!(text, "{name:<46} {shown} nats");
    }
    for note in &c.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text.trim_end().to_owned()
}
