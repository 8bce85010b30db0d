//! Check: the conditional paths of flow matching and the optimum of score matching, on laws where both are known.

use elbow_theory::gaussian::{ConditionalPath, GaussianToy};
use elbow_theory::quadrature::normal_expectation;

use super::prelude::*;

/// One measure over toys and paths; the largest case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionalPaths {
    measure: Measure,
    toys: Vec<String>,
    /// Variance-preserving schedules.
    schedules: Vec<String>,
    /// Smallest and largest noise of variance-exploding paths.
    exploding: Vec<[f64; 2]>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The field against the derivative of m x_1 + s e in time.
    Velocity,
    /// The loss of another field: that of the marginal field plus their squared difference.
    Optimum,
    /// The marginal field moves the marginal: the change of P(x_t <= x) in time is -p_t(x) times the field.
    Transport,
    /// The mean conditional score against the derivative of the marginal's log-density.
    Score,
}

const TIMES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Places, in standard deviations of the noise from a mean.
const PLACES: [f64; 5] = [-2.0, -0.7, 0.0, 0.4, 1.5];
/// Step of the differences.
const STEP: f64 = 2e-4;

impl Check for ConditionalPaths {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let mut paths = Vec::new();
        for schedule in &self.schedules {
            paths.push((schedule.clone(), ConditionalPath::VariancePreserving(schedule.parse()?)));
        }
        for &[least, most] in &self.exploding {
            let name = format!("exploding from {least} to {most}");
            paths.push((name, ConditionalPath::VarianceExploding { least, most }));
        }
        let mut details = Vec::new();
        for name in &self.toys {
            let toy = context.gaussian_toy(name)?;
            for (path, conditional) in &paths {
                let worst = largest(TIMES.iter().map(|&t| self.residual(&toy, conditional, t)));
                details.push((format!("{name}, {path}"), worst));
            }
        }
        let quantity = match self.measure {
            Measure::Velocity => "largest relative difference of the field and the path's velocity",
            Measure::Optimum => "largest |E|f − v|² / (E|f − u|² + E|u − v|²) − 1|",
            Measure::Transport => "largest |d/dt P(x_t ≤ x) + p_t(x) u(x, t)|, relative to its terms",
            Measure::Score => "largest relative difference of the mean score and the marginal's",
        };
        let mut outcome = Outcome::exact(quantity, largest(details.iter().map(|(_, v)| *v)), "1")
            .over(details.len(), "toys and paths");
        outcome.exact_details(details, "1");
        Ok(outcome)
    }
}

impl ConditionalPaths {
    /// The largest relative residual at one time.
    fn residual(&self, toy: &GaussianToy, path: &ConditionalPath, t: f64) -> f64 {
        let (m, s) = path.level(t);
        if let Measure::Optimum = self.measure {
            let [other, own, between] = losses(toy, path, t);
            return (other / (own + between) - 1.0).abs();
        }
        let relative = |ours: f64, exact: f64, scale: f64| (ours - exact).abs() / scale;
        let centres = toy.data.components.iter().flat_map(|c| PLACES.map(|place| (c.mean[0], place)));
        largest(centres.map(|(x_1, place)| {
            let x = m * x_1 + s * place;
            match self.measure {
                Measure::Velocity => {
                    let at = |t: f64| path.level(t).0 * x_1 + path.level(t).1 * place;
                    let (found, exact) = (path.field(x, x_1, t), slope(at, t));
                    relative(found, exact, exact.abs().max(1.0))
                }
                Measure::Score => {
                    let law = path.marginal(&toy.data, t);
                    let (found, exact) = (
                        path.marginal_score(&toy.data, x, t),
                        slope(|offset| law.log_density([x + s * offset, 0.0]), 0.0) / s,
                    );
                    relative(found, exact, 1.0 / s)
                }
                _ => {
                    let change = slope(|t| path.marginal(&toy.data, t).cumulative(x), t);
                    let flow =
                        path.marginal(&toy.data, t).log_density([x, 0.0]).exp() * path.marginal_field(&toy.data, x, t);
                    relative(-flow, change, 1.0)
                }
            }
        }))
    }
}

/// E|f - v|^2, E|f - u|^2 and E|u - v|^2: f the conditional field, u that of the data's marginal, v that of the toy's
/// denoiser.
fn losses(toy: &GaussianToy, path: &ConditionalPath, t: f64) -> [f64; 3] {
    let (m, s) = path.level(t);
    let mut squares = [0.0; 3];
    for component in &toy.data.components {
        for (index, square) in squares.iter_mut().enumerate() {
            let one = |u: &[f64; 2]| {
                let x_1 = component.mean[0] + component.std * u[0];
                let x = m * x_1 + s * u[1];
                let own = |law| path.marginal_field(law, x, t);
                let difference = match index {
                    0 => path.field(x, x_1, t) - own(&toy.denoiser),
                    1 => path.field(x, x_1, t) - own(&toy.data),
                    _ => own(&toy.data) - own(&toy.denoiser),
                };
                difference.powi(2)
            };
            *square += component.weight * normal_expectation::<2>(1e-13, 4e6, &mut |u| one(u)).value;
        }
    }
    squares
}

/// The derivative by five points: its error is of the fourth power of the step.
fn slope(f: impl Fn(f64) -> f64, at: f64) -> f64 {
    let difference = |k: f64| f(at + k * STEP) - f(at - k * STEP);
    (8.0 * difference(1.0) - difference(2.0)) / (12.0 * STEP)
}
