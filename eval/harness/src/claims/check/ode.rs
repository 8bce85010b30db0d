//! Check: the likelihood of the probability-flow ODE and the NELBO around the truth, on mixtures where it is known.

use elbow_base::Silent;
use elbow_impls::Weighting;
use elbow_impls::gaussian::{Level, Prediction};
use elbow_impls::schedule::GaussianSchedule;
use elbow_theory::gaussian::{GaussianToy, Mixture, cascade};
use elbow_theory::quadrature::normal_expectation;

use super::prelude::*;
use crate::denoisers::MixtureDenoiser;
use crate::likelihood::ode::log_density;

/// Mixtures in one dimension.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ode {
    measure: Measure,
    toys: Vec<String>,
    /// A Gaussian schedule with both ends.
    schedule: String,
    /// Runge-Kutta steps.
    steps: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Largest |(ODE's code length − entropy) − (NELBO − entropy)|: zero for the exact denoiser.
    Difference,
    /// Smallest of ODE's code length − entropy and NELBO − entropy: positive for any other.
    SmallestExcess,
}

/// Code lengths over the entropy of the noisy data, nats.
struct Excess {
    toy: String,
    ode: f64,
    nelbo: f64,
}

/// Relative change at which the expectation over y_0 counts as converged.
const TOLERANCE: f64 = 1e-10;

impl Check for Ode {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let schedule: GaussianSchedule = self.schedule.parse()?;
        let ends = schedule.ends().ok_or_else(|| Error::internal("the claim's schedule has no ends"))?;
        let mut found = Vec::new();
        let mut drawn = None;
        for name in &self.toys {
            let toy = context.gaussian_toy(name)?;
            // KL gap of the bound: NELBO(x) − H(x). It equals NELBO(y_0) − H(y_0), since decoding is exact.
            let exact = cascade(&toy, &schedule, 1, &Weighting::Elbo, &Silent)?;
            let nelbo = exact.neg_elbo_continuous - exact.entropy;
            found.push(Excess { toy: name.clone(), ode: self.ode_excess(&toy, ends), nelbo });
            drawn.get_or_insert((name.clone(), toy));
        }
        let (quantity, value) = match self.measure {
            Measure::Difference => {
                ("largest |ODE's code length − NELBO|", largest(found.iter().map(|e| (e.ode - e.nelbo).abs())))
            }
            Measure::SmallestExcess => {
                ("smallest code length − entropy", smallest(found.iter().map(|e| e.ode.min(e.nelbo))))
            }
        };
        let mut outcome = Outcome::exact(quantity, value, "nats").over(self.toys.len(), "mixtures");
        for Excess { toy, ode, nelbo } in found {
            outcome.detail(format!("{toy}: ODE's code length − entropy"), ode, None, "nats");
            outcome.detail(format!("{toy}: NELBO − entropy"), nelbo, None, "nats");
        }
        // One figure shows both measures.
        if let (Measure::SmallestExcess, Some((name, toy))) = (self.measure, drawn) {
            outcome.figures.push(self.draw(&name, &toy, ends));
        }
        Ok(outcome)
    }
}

impl Ode {
    /// −log p(y) under the ODE of a denoiser.
    fn code_length(&self, belief: &Mixture, y: f64, ends: [f64; 2]) -> f64 {
        let field = MixtureDenoiser { law: belief.clone(), prediction: Prediction::Eps, values: 1 };
        -log_density(&field, &[y], 1, ends, self.steps, || {})[0]
    }

    /// E \[−log p(y_0) + log q(y_0)\] over the noisy data, nats.
    fn ode_excess(&self, toy: &GaussianToy, ends: [f64; 2]) -> f64 {
        let noisy = noisy(&toy.data, ends);
        let component = |k: usize| {
            let c = noisy.components[k];
            let excess = |u: &[f64; 1]| {
                let y = c.mean[0] + c.std * u[0];
                self.code_length(&toy.denoiser, y, ends) + noisy.log_density([y, 0.0])
            };
            c.weight * normal_expectation::<1>(TOLERANCE, 1e4, &mut |u| excess(u)).value
        };
        (0..noisy.components.len()).map(component).sum()
    }

    fn draw(&self, name: &str, toy: &GaussianToy, ends: [f64; 2]) -> Figure {
        let noisy = noisy(&toy.data, ends);
        let y: Vec<f64> = (-80..=80).map(|k| f64::from(k) / 40.0).collect();
        let few: Vec<f64> = y.iter().step_by(5).copied().collect();
        let ode = |belief: &Mixture, y: &[f64]| -> Vec<f64> {
            y.iter().map(|&y| (-self.code_length(belief, y, ends)).exp()).collect()
        };
        let series = vec![
            curve(
                "the data's own",
                Style::Line,
                y.clone(),
                y.iter().map(|&y| noisy.log_density([y, 0.0]).exp()).collect(),
            ),
            curve("ODE of the exact denoiser", Style::Points, few.clone(), ode(&toy.data, &few)),
            curve("ODE of another denoiser", Style::Dashed, y.clone(), ode(&toy.denoiser, &y)),
        ];
        figure(
            "ode",
            "Densities of the probability-flow ODE",
            &format!(
                "Toy {name}, {} Runge-Kutta steps over log-SNR from {} to {}. With the exact denoiser the ODE carries the \
                 data to the prior and back; with a denoiser that believes another mixture it has that mixture's density.",
                self.steps, -ends[0], -ends[1]
            ),
            vec![plot("", axis("y"), axis("density"), series)],
        )
    }
}

/// The law of y_0 = z / alpha at the first level.
fn noisy(data: &Mixture, ends: [f64; 2]) -> Mixture {
    let first = Level::of_log_snr(-ends[0]);
    data.noisy(1.0, first.sigma / first.alpha)
}
