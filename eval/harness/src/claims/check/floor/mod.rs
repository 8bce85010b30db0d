//! Check: the loss of trained models on their training data by noise level, above the least that these data allow.

mod points;
mod sequences;
#[cfg(test)]
mod tests;

use elbow_impls::Key;
use elbow_impls::data::Split;
use elbow_impls::key::open_uniform;
use elbow_impls::network::Denoiser;
use elbow_impls::train::Settings;
use rayon::prelude::*;

use self::points::Points;
use self::sequences::Sequences;
use super::prelude::*;
use crate::runs::Trained;

/// Trained models of one family, and the optimal denoiser of their training data under the same noise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// Models that are all masked or all Gaussian, of one data set.
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Noise levels: numbers of hidden tokens of masked models, log-SNRs of Gaussian ones.
    levels: Vec<f64>,
    /// Draws of a training sequence and its noise, at each level.
    draws: usize,
}

/// A training sequence, by its number, and the key of its noise.
type Draw = (usize, Key);

/// A data set under the noise of one family: the cost of its optimal denoiser and of others, under the same draws.
trait NoisedData: Sync {
    /// What a level is, and the unit of costs.
    fn axes(&self) -> [&'static str; 2];

    /// The cost of the optimal denoiser at one draw: no denoiser costs less in the mean over draws.
    fn optimum(&self, level: f64, draw: &Draw) -> f64;

    /// The cost of a denoiser at each draw.
    fn costs(&self, model: Denoiser, settings: &Settings, level: f64, draws: &[Draw]) -> Result<Vec<f64>, Error>;
}

/// Means over draws at one level: of a model, of the optimum, and of the optimum minus the model.
struct Level {
    at: f64,
    model: Estimate,
    floor: Estimate,
    below: Estimate,
}

/// Draws that go through a network at once.
const BATCH: usize = 256;

impl Check for Floor {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::presets(context, &self.presets, &self.set)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let first = self.presets.first().ok_or_else(|| Error::internal("the claim names no preset"))?;
        let settings = Settings::resolve(first, &self.set)?;
        let train = context.open(&settings.data(Split::Train))?;
        let (tokens, values) = (train.all()?, train.values());
        let data: Box<dyn NoisedData> = match settings.is_gaussian() {
            true => Box::new(Points::new(tokens, values, &context.device)),
            false => Box::new(Sequences::new(tokens, values, &context.device)),
        };
        let mut models = Vec::new();
        for preset in &self.presets {
            let model = context.trained(preset, &self.set)?;
            model.check_fits(train.as_ref())?;
            if model.settings.class_conditioning {
                let what = format!("{preset}: its network sees the class, of which this floor knows nothing");
                return Err(Error::input(what, "name a preset without classes"));
            }
            models.push((preset.split('-').next().unwrap_or(preset).to_owned(), model));
        }
        let work = self.levels.len() * self.draws;
        context.bar.start(work as u64, "optimal loss");
        let levels = self.levels(context, data.as_ref(), &models, train.len())?;
        context.bar.finish();

        let [level, unit] = data.axes();
        let mut rivals = Vec::new();
        for ((name, _), levels) in models.iter().zip(&levels) {
            rivals.extend(levels.iter().map(|found| (format!("{name}, {level} {}", found.at), found.below)));
        }
        let quantity = |name: &str| format!("largest ({name}): optimal loss − the model's loss");
        let mut outcome = Outcome::worst_of(&rivals, context.confidence, quantity, unit, "draws")?;
        for ((name, _), levels) in models.iter().zip(&levels) {
            for Level { at, below, .. } in levels {
                let above = below.scaled(-1.0);
                outcome.estimate_detail(format!("{name}, {level} {at}: model − optimum"), &above, unit);
            }
        }
        for Level { at, floor, .. } in levels.iter().flatten().take(self.levels.len()) {
            outcome.estimate_detail(format!("{level} {at}: optimum"), floor, unit);
        }
        outcome.made.extend(models.iter().map(|(_, model)| inputs::weights(model)));
        let names = models.iter().map(|(name, _)| name.as_str());
        outcome.figures.push(draw(context.id, &train.name(), &names.zip(levels).collect::<Vec<_>>(), [level, unit]));
        Ok(outcome)
    }
}

impl Floor {
    /// The levels of each model. All models and the optimum see the same draws.
    fn levels(
        &self,
        context: &Context,
        data: &dyn NoisedData,
        models: &[(String, Trained)],
        sequences: usize,
    ) -> Result<Vec<Vec<Level>>, Error> {
        let mut all: Vec<Vec<Level>> = models.iter().map(|_| Vec::new()).collect();
        for (number, &at) in self.levels.iter().enumerate() {
            let key = Key::new(context.seed, "optimal loss").fold(number as u64);
            let draws: Vec<Draw> = (0..self.draws)
                .map(|draw| {
                    let key = key.fold(draw as u64);
                    let sequence = open_uniform(&mut key.fold(0).rng()) * sequences as f64;
                    ((sequence as usize).min(sequences - 1), key.fold(1))
                })
                .collect();
            let floor: Vec<f64> = draws.par_iter().map(|draw| data.optimum(at, draw)).collect();
            for ((_, model), levels) in models.iter().zip(&mut all) {
                let mut costs = Vec::new();
                for draws in draws.chunks(BATCH) {
                    costs.extend(data.costs((&model.model).into(), &model.settings, at, draws)?);
                }
                let below = Estimate::of_pairs(&floor, &costs);
                levels.push(Level { at, model: Estimate::of(&costs), floor: Estimate::of(&floor), below });
            }
            context.bar.advance(self.draws as u64);
        }
        Ok(all)
    }
}

/// The models and the optimum, and their differences, by level.
fn draw(id: &str, data: &str, models: &[(&str, Vec<Level>)], [level, unit]: [&str; 2]) -> Figure {
    let series = |name: &str, levels: &[Level], of: fn(&Level) -> Estimate| {
        means(name, levels.iter().map(|level| (level.at, of(level))))
    };
    let mut losses: Vec<Series> = models.iter().map(|(name, levels)| series(name, levels, |l| l.model)).collect();
    losses.extend(models.first().map(|(_, levels)| series("optimum of the data", levels, |l| l.floor)));
    let above = models.iter().map(|(name, levels)| series(name, levels, |l| l.below.scaled(-1.0))).collect();
    figure(
        id,
        "What is left to learn, by noise level",
        &format!(
            "Mean cost on {data} of trained models and of the best denoiser for the law of these very sequences, under the same \
             noise. No denoiser lies below it on this law; the difference is what a model has not learned of it, and had mostly \
             better not learn: this optimum knows the training data by heart."
        ),
        vec![
            plot("Loss", axis(level), axis(unit), losses),
            plot("Loss minus floor", axis(level), axis(&format!("model − optimum ({unit})")), above),
        ],
    )
}
