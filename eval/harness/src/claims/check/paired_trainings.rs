//! Check: trainings that differ in one setting, paired by their seeds.

use elbow_base::Silent;
use elbow_impls::Key;
use elbow_impls::data::{Dataset, Split};
use elbow_impls::train::{Settings, Trainer};

use super::prelude::*;
use crate::likelihood::BoundEstimation;
use crate::provenance;

/// Arms of one preset. Trainings of one number share their seed: first weights, order of the data, and as far as the arms draw
/// alike, noise. Every bound is on the same windows under the same draws.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedTrainings {
    measure: Measure,
    preset: String,
    /// Changes to the preset in every arm.
    set: Vec<String>,
    /// Changes of each arm.
    arms: Vec<Vec<String>>,
    /// Number of trainings of each arm.
    seeds: u64,
    /// Steps between two bounds; the last step has one in any case.
    every: u64,
    /// Windows of the test split, and draws per window.
    windows: usize,
    draws: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The bound of an arm minus that of the next one after the last step, the least clear of them.
    OrderedBounds,
    /// The steps that the second arm takes to the bound that the first has after three quarters of its steps, over these.
    StepsToBound,
}

/// The bound of one training by its steps, bits per token.
type Curve = Vec<(f64, f64)>;

/// The trainings of an arm, one curve per seed.
struct Arm {
    name: String,
    curves: Vec<Curve>,
}

impl Arm {
    /// The bounds after the last step.
    fn last(&self) -> Vec<f64> {
        self.curves.iter().filter_map(|curve| Some(curve.last()?.1)).collect()
    }
}

impl Check for PairedTrainings {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        for arm in &self.arms {
            inputs.extend(inputs::presets(context, [&self.preset], &self.changes(arm))?);
        }
        let settings = Settings::resolve(&self.preset, &self.set)?;
        inputs.push(provenance::data_input(context.open(&settings.data(Split::Test))?.as_ref()));
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let arms = self.arms.iter().map(|arm| self.arm(context, arm)).collect::<Result<Vec<Arm>, Error>>()?;
        let mut outcome = match self.measure {
            Measure::OrderedBounds => {
                let steps: Vec<_> = arms.windows(2).map(|pair| difference(&pair[0], &pair[1])).collect();
                let quantity = |pair: &str| format!("least clear ({pair}): difference of the bounds");
                let mut outcome = Outcome::worst_of(&steps, context.confidence, quantity, "bits/char", "seeds")?;
                for (name, step) in &steps {
                    outcome.estimate_detail(name.clone(), step, "bits/char");
                }
                outcome
            }
            Measure::StepsToBound => self.steps_to_bound(&arms)?,
        };
        for arm in &arms {
            outcome.estimate_detail(format!("{}: bound", arm.name), &Estimate::of(&arm.last()), "bits/char");
        }
        outcome.figures.push(self.figure(context.id, &arms));
        Ok(outcome)
    }
}

impl PairedTrainings {
    fn changes(&self, arm: &[String]) -> Vec<String> {
        self.set.iter().chain(arm).cloned().collect()
    }

    fn arm(&self, context: &Context, arm: &[String]) -> Result<Arm, Error> {
        let name = arm.join(", ");
        let key = Key::new(context.seed, "paired trainings");
        let curve = |seed: u64| {
            let changes = [self.changes(arm), vec![format!("seed={}", key.fold(seed).number())]].concat();
            let settings = Settings::resolve(&self.preset, &changes)?;
            let [train, test] = [Split::Train, Split::Test].map(|split| context.open(&settings.data(split)));
            self.curve(
                context,
                &settings,
                train?.as_ref(),
                test?.as_ref(),
                &format!("{name}, {} of {}", seed + 1, self.seeds),
            )
        };
        let curves = (0..self.seeds).map(curve).collect::<Result<_, Error>>()?;
        Ok(Arm { name, curves })
    }

    fn curve(
        &self,
        context: &Context,
        settings: &Settings,
        train: &dyn Dataset,
        test: &dyn Dataset,
        label: &str,
    ) -> Result<Curve, Error> {
        let mut trainer = Trainer::new(settings, train, &context.devices)?;
        let objective = settings.objective();
        let mut curve = Vec::new();
        context.bar.start(settings.steps, label);
        for step in 1..=settings.steps {
            let progress = trainer.advance()?;
            context.bar.set(step, format!("loss {:.3}", progress.weighted_loss));
            if step % self.every == 0 || step == settings.steps {
                let model = objective.with(trainer.ema())?;
                let estimation = BoundEstimation {
                    sequences: Some(self.windows),
                    ..BoundEstimation::new(model, test, self.draws, context.seed)
                };
                let bound = estimation.run(&context.device, &Silent)?;
                curve.push((step as f64, bound.bits_per_dim.value));
            }
        }
        context.bar.finish();
        Ok(curve)
    }

    fn steps_to_bound(&self, arms: &[Arm]) -> Result<Outcome, Error> {
        let [first, others @ ..] = arms else { return Err(Error::internal("the claim has no arms")) };
        let mut ratios = others.iter().map(|arm| {
            let pairs = first.curves.iter().zip(&arm.curves);
            let ratios: Vec<(f64, bool)> = pairs.filter_map(|(first, arm)| relative_steps(first, arm)).collect();
            let late = ratios.iter().filter(|(_, reached)| !reached).count();
            (&arm.name, Estimate::of(&ratios.iter().map(|(ratio, _)| *ratio).collect::<Vec<_>>()), late)
        });
        let (name, ratio, late) = ratios.next().ok_or_else(|| Error::internal("the claim has one arm"))?;
        let quantity = format!("steps of {name} to a bound of {} / its steps", first.name);
        let mut outcome = Outcome::estimated(&quantity, ratio, "1", "seeds");
        outcome.detail(format!("{name}: trainings that did not reach it"), late as f64, None, "1");
        for (name, ratio, late) in ratios {
            outcome.estimate_detail(format!("steps of {name}, over the same"), &ratio, "1");
            outcome.detail(format!("{name}: trainings that did not reach it"), late as f64, None, "1");
        }
        for arm in others {
            let (name, difference) = difference(arm, first);
            outcome.estimate_detail(format!("{name}, after the last step"), &difference, "bits/char");
        }
        Ok(outcome)
    }

    fn figure(&self, id: &str, arms: &[Arm]) -> Figure {
        let series = arms.iter().map(|arm| {
            let points = arm.curves.first().map_or(0, Vec::len);
            means(
                &arm.name,
                (0..points).map(|at| {
                    let bounds: Vec<f64> = arm.curves.iter().map(|curve| curve[at].1).collect();
                    (arm.curves[0][at].0, Estimate::of(&bounds))
                }),
            )
        });
        let caption = format!(
            "Bound on {} held-out windows by the steps of training, {} draws per window, averaged weights. Mean and standard error \
             over {} trainings of each arm, with the same seeds in every arm.",
            self.windows, self.draws, self.seeds
        );
        let panel = plot("", log_axis("steps"), axis("bits/char"), series.collect());
        figure(id, "Trainings that differ in one setting", &caption, vec![panel])
    }
}

/// The bound of an arm after the last step minus that of another, paired by seed.
fn difference(a: &Arm, b: &Arm) -> (String, Estimate) {
    let differences: Vec<f64> = a.last().iter().zip(b.last()).map(|(a, b)| a - b).collect();
    (format!("{} − {}", a.name, b.name), Estimate::of(&differences))
}

/// The steps at which a curve first reaches the bound that the first one has after three quarters of its points, over the
/// steps of that point; and whether it does. One that does not is counted with all its steps, which are fewer than it needs.
fn relative_steps(first: &Curve, other: &Curve) -> Option<(f64, bool)> {
    let &(steps, bound) = first.get((first.len() * 3).div_ceil(4).checked_sub(1)?)?;
    let at = other.iter().position(|&(_, found)| found <= bound);
    let reached = match at {
        None => other.last()?.0,
        Some(0) => other[0].0,
        Some(at) => {
            let ((before, above), (after, below)) = (other[at - 1], other[at]);
            before + (after - before) * (above - bound) / (above - below)
        }
    };
    Some((reached / steps, at.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_first_crossing() {
        let first = vec![(100.0, 4.0), (200.0, 3.5), (300.0, 3.0), (400.0, 2.8)];
        assert_eq!(relative_steps(&first, &first), Some((1.0, true)));
        let sooner = vec![(100.0, 3.2), (200.0, 2.8), (300.0, 3.1), (400.0, 2.7)];
        assert_eq!(relative_steps(&first, &sooner), Some((150.0 / 300.0, true)));
        let at_once = vec![(100.0, 2.0), (200.0, 1.0)];
        assert_eq!(relative_steps(&first, &at_once), Some((100.0 / 300.0, true)));
        let never = vec![(100.0, 4.0), (400.0, 3.01)];
        assert_eq!(relative_steps(&first, &never), Some((400.0 / 300.0, false)));
        assert_eq!(relative_steps(&Vec::new(), &first), None);
    }
}
