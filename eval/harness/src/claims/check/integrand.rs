//! Check: the cost of one token, in published formulas and in the general one.

use elbow_impls::schedule::{LogSnr, MaskedSchedule, VectorSchedule};
use elbow_theory::discrete::{Forward, ReverseParameterization, genmd4, token_integrand, token_step};

use super::prelude::*;

/// The largest difference over times, states and values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integrand {
    measure: Measure,
    /// Powers of the values, for GenMD4.
    #[serde(default)]
    powers: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Uniform diffusion in continuous time against the golden table.
    Uniform,
    /// The same as the limit of step KLs: the relative difference at 10^6 steps.
    UniformLimit,
    /// GenMD4's continuous cost against the general rates.
    Genmd4,
    /// GenMD4's step KL against the general kernel.
    Genmd4Step,
    /// GenMD4's cost with equal powers against MD4's r CE.
    Genmd4Equal,
}

const GOLDEN: &str = "discrete/golden.json";
/// Denoiser rows over three values; the first is that of the golden table.
const ROWS: [[f64; 3]; 3] = [[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.34, 0.33, 0.33]];
/// Steps of the grids that are walked.
const STEPS: usize = 20;

impl Check for Integrand {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        match self.measure {
            Measure::Uniform => inputs::files(context, [GOLDEN]),
            _ => Ok(Vec::new()),
        }
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let (differences, quantity) = match self.measure {
            Measure::Uniform => (uniform_golden(context)?, "largest relative error of the integrand"),
            Measure::UniformLimit => (uniform_limit(), "largest |T · step KL / integrand − 1|, T = 10⁶"),
            Measure::Genmd4 | Measure::Genmd4Equal => (self.costs(), "largest relative difference of the cost"),
            Measure::Genmd4Step => (self.steps(), "largest relative difference of the step KL"),
        };
        let worst = largest(differences.iter().copied());
        Ok(Outcome::exact(quantity, worst, "1").over(differences.len(), "cases"))
    }
}

impl Integrand {
    /// GenMD4's cost, against the general one or against r CE.
    fn costs(&self) -> Vec<f64> {
        let schedule = VectorSchedule::new(self.powers.clone());
        let forward = Forward::vector(schedule.clone());
        let mut differences = Vec::new();
        for (mu, x, i) in cases() {
            let t = i as f64 / STEPS as f64;
            let published = genmd4::cost_rate(&schedule, mu, x, t);
            let other = match self.measure {
                Measure::Genmd4Equal => -schedule.elbo_weight(0, t) * mu[x].ln(),
                // d(level) = -dt / (t (1 - t)).
                _ => {
                    token_integrand(&forward, ReverseParameterization::Mixture, mu, (x, 3), linear_level(t))
                        / (t * (1.0 - t))
                }
            };
            differences.push((published / other - 1.0).abs());
        }
        differences
    }

    fn steps(&self) -> Vec<f64> {
        let schedule = VectorSchedule::new(self.powers.clone());
        let forward = Forward::vector(schedule.clone());
        let difference = |(mu, x, i): (&'static [f64; 3], usize, usize)| {
            let times = ((i - 1) as f64 / STEPS as f64, i as f64 / STEPS as f64);
            let published = genmd4::step_cost(&schedule, mu, x, times);
            let general = token_step(&forward, ReverseParameterization::Mixture, mu, (x, 3), (i, STEPS));
            (published / general - 1.0).abs()
        };
        cases().map(difference).collect()
    }
}

/// Rows, true values and steps below the last one (at t = 1 the level is infinite).
fn cases() -> impl Iterator<Item = (&'static [f64; 3], usize, usize)> {
    ROWS.iter().flat_map(|mu| (0..3).flat_map(move |x| (1..STEPS).map(move |i| (mu, x, i))))
}

fn linear_level(t: f64) -> f64 {
    MaskedSchedule::Linear.log_snr(t)
}

fn uniform_golden(context: &Context) -> Result<Vec<f64>, Error> {
    let golden = context.golden(GOLDEN)?;
    let bad = || Error::input(format!("{GOLDEN}: no uniform_integrand"), "restore the file");
    let forward = Forward::uniform(3, MaskedSchedule::Linear);
    let mut differences = Vec::new();
    for row in golden["uniform_integrand"]["values"].as_array().ok_or_else(bad)? {
        let t = row["t"].as_f64().ok_or_else(bad)?;
        for parameterization in [ReverseParameterization::D3pm, ReverseParameterization::Mixture] {
            for (z, expected) in row[parameterization.to_string()].as_array().ok_or_else(bad)?.iter().enumerate() {
                let ours = token_integrand(&forward, parameterization, &ROWS[0], (0, z), linear_level(t));
                differences.push((ours / (t * (1.0 - t)) / expected.as_f64().ok_or_else(bad)? - 1.0).abs());
            }
        }
    }
    Ok(differences)
}

fn uniform_limit() -> Vec<f64> {
    let forward = Forward::uniform(3, MaskedSchedule::Linear);
    let fine = 1_000_000;
    let mut differences = Vec::new();
    for (mu, x, i) in cases() {
        for z in 0..3 {
            let t = i as f64 / STEPS as f64;
            let step = token_step(&forward, ReverseParameterization::D3pm, mu, (x, z), (i * fine / STEPS, fine));
            let rate =
                token_integrand(&forward, ReverseParameterization::D3pm, mu, (x, z), linear_level(t)) / (t * (1.0 - t));
            differences.push((step * fine as f64 / rate - 1.0).abs());
        }
    }
    differences
}
