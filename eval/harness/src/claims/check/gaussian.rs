//! Check: the forms of a Gaussian loss, its independence of the schedule's interior, and Kingma and Gao's reading.

use elbow_base::Silent;
use std::f64::consts::{E, PI};

use elbow_impls::Weighting;
use elbow_impls::schedule::GaussianSchedule;
use elbow_theory::Cascade;
use elbow_theory::gaussian::{GaussianToy, cascade, loss_parameterisations, noise_augmented_nelbo, warped_diffusion};

use super::prelude::*;

/// One measure over toys and schedules; the largest case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaussian {
    measure: Measure,
    toys: Vec<String>,
    schedules: Vec<String>,
    /// Weightings of Kingma and Gao's reading.
    #[serde(default)]
    weightings: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// eps, x, v, score and velocity forms of the continuous loss.
    Forms,
    /// eps, x and kernel forms of a step's KL.
    FiniteForms,
    /// The diffusion term for schedules with other interiors.
    Interior,
    /// The weighted loss as the ELBO of noise-augmented data.
    Augmented,
}

const STEPS: usize = 6;

impl Check for Gaussian {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let mut details = Vec::new();
        let mut first = None;
        for name in &self.toys {
            let toy = context.gaussian_toy(name)?;
            for schedule in &self.schedules {
                let schedule: GaussianSchedule = schedule.parse()?;
                let case = format!("{name}, {schedule}");
                match self.measure {
                    Measure::Forms | Measure::FiniteForms => details.push((case, self.forms(&toy, &schedule))),
                    Measure::Interior => details.push((case, interior(&toy, &schedule)?)),
                    Measure::Augmented => {
                        let augmented = noise_augmented_nelbo(&toy, &schedule, STEPS)?;
                        for weighting in &self.weightings {
                            let one = cascade(&toy, &schedule, STEPS, &weighting.parse::<Weighting>()?, &Silent)?;
                            let value = augmented_residual(&one, &augmented, &schedule);
                            details.push((format!("{case}, {weighting}"), value));
                            first.get_or_insert((one, augmented.clone()));
                        }
                    }
                }
            }
        }
        let worst = largest(details.iter().map(|(_, v)| *v));
        let quantity = match self.measure {
            Measure::Forms => "largest relative difference of five forms of the loss",
            Measure::FiniteForms => "largest relative difference of three forms of a step's KL",
            Measure::Interior => "largest relative difference between interiors of the schedule",
            Measure::Augmented => "largest |Σ w_i (NELBO(z_s(i)) − h(z_s(i)|x)) − W K − Σ w̃ l| / the sum",
        };
        let mut outcome = Outcome::exact(quantity, worst, "1").over(details.len(), "cases");
        outcome.exact_details(details, "1");
        if let Some((cascade, augmented)) = first {
            outcome.figures.push(draw(&self.toys[0], &cascade, augmented));
        }
        Ok(outcome)
    }
}

impl Gaussian {
    /// The largest relative difference between forms over a few times.
    fn forms(&self, toy: &GaussianToy, schedule: &GaussianSchedule) -> f64 {
        let spread = |values: &[f64]| largest(values.iter().map(|v| (v / values[0] - 1.0).abs()));
        let one = |&(s, t): &(f64, f64)| {
            let forms = loss_parameterisations(toy, schedule, s, t);
            if let Measure::Forms = self.measure { spread(&forms.continuous) } else { spread(&forms.finite) }
        };
        largest([(0.05, 0.1), (0.3, 0.5), (0.5, 0.51), (0.7, 0.95)].iter().map(one))
    }
}

fn interior(toy: &GaussianToy, schedule: &GaussianSchedule) -> Result<f64, Error> {
    let &GaussianSchedule::FixedLinear { gamma_min, gamma_max } = schedule else {
        return Err(Error::input("interiors are warps of a fixed-linear schedule", "use fixed-linear:MIN:MAX"));
    };
    // g(t) and g'(t).
    let warps: [fn(f64) -> (f64, f64); 5] = [
        |t| (t, 1.0),
        |t| (t * t, 2.0 * t),
        |t| (t * t * (3.0 - 2.0 * t), 6.0 * t * (1.0 - t)),
        |t| ((3.0 * t).exp_m1() / 3f64.exp_m1(), 3.0 * (3.0 * t).exp() / 3f64.exp_m1()),
        |t| ((PI / 2.0 * t).sin(), PI / 2.0 * (PI / 2.0 * t).cos()),
    ];
    let values = warps.map(|warp| warped_diffusion(toy, (gamma_min, gamma_max), warp).value);
    Ok(largest(values.iter().map(|v| (v / values[0] - 1.0).abs())))
}

/// Both sides of Kingma and Gao's identity on the grid, relative.
fn augmented_residual(c: &Cascade, augmented: &[f64], schedule: &GaussianSchedule) -> f64 {
    let entropy = |i: usize| 0.5 * (2.0 * PI * E * schedule.sigma(i as f64 / c.steps as f64).powi(2)).ln();
    let bounds = augmented.iter().enumerate().map(|(i, nelbo)| nelbo - entropy(i));
    let left: f64 = c.cascade_weights.iter().zip(bounds).map(|(w, bound)| w * bound).sum();
    let total: f64 = c.cascade_weights.iter().sum();
    let right = total * c.prior + c.w_tilde.iter().zip(&c.kl_step).map(|(w, l)| w * l).sum::<f64>();
    (left / right - 1.0).abs()
}

/// The bounds of noisy data beside the bounds of the data with optimal decoders, by step.
fn draw(toy: &str, c: &Cascade, augmented: Vec<f64>) -> Figure {
    let i: Vec<f64> = (1..=STEPS).map(|i| i as f64).collect();
    let series = vec![
        curve("E NELBO of the noisy data z_s(i)", Style::LinePoints, i.clone(), augmented),
        curve("−E L^(i), optimal decoder", Style::LinePoints, i, c.elbo[..STEPS].iter().map(|l| -l).collect()),
    ];
    figure(
        "augmented",
        "Two readings of a weighted loss",
        &format!(
            "Toy {toy}, T = {STEPS}. Kingma and Gao: a mixture over noise levels of the bounds of noisy data, which \
             are densities of z. Shi and Titsias: a mixture of the bounds of the data themselves under models with \
             optimal decoders, which fall to the entropy. Both sequences differ only by terms without parameters."
        ),
        vec![plot("", axis("i"), axis("nats"), series)],
    )
}
