//! Check: the conditional paths of flow matching and the optimum of score matching, on laws where both are known.

use elbow_theory::gaussian::{ConditionalPath, GaussianToy, Mixture};
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
    /// The marginal field moves the marginal: the density changes in time by minus the slope of density times field.
    Transport,
    /// The mean conditional score against the derivative of the marginal's log-density.
    Score,
}

const TIMES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Places, in standard deviations of the noise from a mean.
const PLACES: [f64; 5] = [-2.0, -0.7, 0.0, 0.4, 1.5];
/// Step of the differences in time and, in standard deviations of the noise, in space.
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
                let worst = self.measure.residual(&toy, conditional, &Fields::of(conditional));
                details.push((format!("{name}, {path}"), worst));
            }
        }
        let quantity = match self.measure {
            Measure::Velocity => "largest relative difference of the field and the path's velocity",
            Measure::Optimum => "largest |E|f − v|² / (E|f − u|² + E|u − v|²) − 1|",
            Measure::Transport => "largest |∂p/∂t + ∂(p u)/∂x|, times the noise",
            Measure::Score => "largest difference of the mean score and the marginal's, times the noise",
        };
        let mut outcome = Outcome::exact(quantity, largest(details.iter().map(|(_, v)| *v)), "1")
            .over(details.len(), "toys and paths");
        outcome.exact_details(details, "1");
        Ok(outcome)
    }
}

/// A conditional field f(x, x_1, t).
type Conditional<'a> = Box<dyn Fn(f64, f64, f64) -> f64 + 'a>;
/// A function u(law of the data, x, t).
type Marginal<'a> = Box<dyn Fn(&Mixture, f64, f64) -> f64 + 'a>;

/// The functions under test of one path.
struct Fields<'a> {
    conditional: Conditional<'a>,
    marginal: Marginal<'a>,
    score: Marginal<'a>,
}

impl<'a> Fields<'a> {
    fn of(path: &'a ConditionalPath) -> Self {
        Self {
            conditional: Box::new(|x, x_1, t| path.field(x, x_1, t)),
            marginal: Box::new(|law, x, t| path.marginal_field(law, x, t)),
            score: Box::new(|law, x, t| path.marginal_score(law, x, t)),
        }
    }
}

impl Measure {
    /// The largest residual over times and places.
    fn residual(self, toy: &GaussianToy, path: &ConditionalPath, fields: &Fields) -> f64 {
        largest(TIMES.iter().map(|&t| match self {
            Self::Optimum => {
                let [other, own, between] = losses(toy, path, fields, t);
                (other / (own + between) - 1.0).abs()
            }
            _ => {
                let places = toy.data.components.iter().flat_map(|c| PLACES.map(|place| (c.mean[0], place)));
                largest(places.map(|(x_1, place)| self.residual_at(&toy.data, path, fields, [x_1, place, t])))
            }
        }))
    }

    /// The residual at time t and at `place` standard deviations of the noise from m x_1.
    fn residual_at(self, data: &Mixture, path: &ConditionalPath, fields: &Fields, [x_1, place, t]: [f64; 3]) -> f64 {
        let at = |t: f64| {
            let (m, s) = path.level(t);
            m * x_1 + s * place
        };
        let (x, s) = (at(t), path.level(t).1);
        match self {
            Self::Score => {
                let law = path.marginal(data, t);
                let exact = slope(|offset| law.log_density([x + s * offset, 0.0]), 0.0) / s;
                ((fields.score)(data, x, t) - exact).abs() * s
            }
            Self::Transport => {
                let density = |x: f64, t: f64| path.marginal(data, t).log_density([x, 0.0]).exp();
                let change = slope(|t| density(x, t), t);
                let flow = |offset: f64| {
                    let x = x + s * offset;
                    density(x, t) * (fields.marginal)(data, x, t)
                };
                // The slope in units of the noise is s times that in x.
                (s * change + slope(flow, 0.0)).abs()
            }
            Self::Velocity | Self::Optimum => {
                let velocity = slope(at, t);
                ((fields.conditional)(x, x_1, t) - velocity).abs() / velocity.abs().max(1.0)
            }
        }
    }
}

/// E|f - v|^2, E|f - u|^2 and E|u - v|^2: f the conditional field, u that of the data's marginal, v that of the toy's
/// denoiser. Each is the quadrature of its own integrand.
fn losses(toy: &GaussianToy, path: &ConditionalPath, fields: &Fields, t: f64) -> [f64; 3] {
    let (m, s) = path.level(t);
    let mut squares = [0.0; 3];
    for component in &toy.data.components {
        for (index, square) in squares.iter_mut().enumerate() {
            let one = |u: &[f64; 2]| {
                let x_1 = component.mean[0] + component.std * u[0];
                let x = m * x_1 + s * u[1];
                let own = |law| (fields.marginal)(law, x, t);
                let difference = match index {
                    0 => (fields.conditional)(x, x_1, t) - own(&toy.denoiser),
                    1 => (fields.conditional)(x, x_1, t) - own(&toy.data),
                    _ => own(&toy.data) - own(&toy.denoiser),
                };
                difference.powi(2)
            };
            *square += component.weight * normal_expectation::<2>(1e-13, 4e6, &mut |u| one(u)).value;
        }
    }
    squares
}

/// The derivative by four points around `at`: its error is of the fourth power of the step.
fn slope(f: impl Fn(f64) -> f64, at: f64) -> f64 {
    let difference = |k: f64| f(at + k * STEP) - f(at - k * STEP);
    (8.0 * difference(1.0) - difference(2.0)) / (12.0 * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two bells, and a denoiser that believes a third law.
    fn toy() -> GaussianToy {
        let text = r#"{"mixture": [{"mean": -1.0, "std": 0.3, "weight": 0.4}, {"mean": 0.8, "std": 0.5, "weight": 0.6}],
            "denoiser": {"kind": "mixture", "mixture": [{"mean": 0.1, "std": 0.9, "weight": 1.0}]}}"#;
        GaussianToy::parse(text).expect("a toy")
    }

    /// Residual of the path's own functions, and of some with one of them replaced.
    fn residuals<'a>(measure: Measure, path: &'a ConditionalPath, replace: impl Fn(&mut Fields<'a>)) -> [f64; 2] {
        let mut wrong = Fields::of(path);
        replace(&mut wrong);
        [Fields::of(path), wrong].map(|fields| measure.residual(&toy(), path, &fields))
    }

    #[test]
    fn each_measure_rejects_a_known_wrong_field() {
        let preserving = ConditionalPath::VariancePreserving("cosine".parse().expect("a schedule"));
        for path in &[preserving, ConditionalPath::VarianceExploding { least: 0.05, most: 5.0 }] {
            // Time that runs from the data to noise: the sign of the field.
            let velocity = residuals(Measure::Velocity, path, |wrong| {
                wrong.conditional = Box::new(|x, x_1, t| -path.field(x, x_1, t));
            });
            // The field towards the mean of the data, without a posterior.
            let towards_the_mean = |law: &Mixture, x: f64, t: f64| {
                let mean = law.components.iter().map(|c| c.weight * c.mean[0]).sum();
                path.field(x, mean, t)
            };
            // Half of the field: no mean of the conditional one.
            let optimum = residuals(Measure::Optimum, path, |wrong| {
                wrong.marginal = Box::new(|law, x, t| 0.5 * path.marginal_field(law, x, t));
            });
            let transport = residuals(Measure::Transport, path, |wrong| wrong.marginal = Box::new(towards_the_mean));
            // The mean of the noise itself: -s times the score.
            let score = residuals(Measure::Score, path, |wrong| {
                wrong.score = Box::new(|law, x, t| -path.level(t).1 * path.marginal_score(law, x, t));
            });
            for [right, wrong] in [velocity, optimum, transport, score] {
                assert!(right < 1e-8 && wrong > 1e-2, "{path:?}: {right:e} and {wrong:e}");
            }
        }
    }
}
