//! Check: the loss of a trained model on its training data by noise level, above the least that these data allow.

use elbow_impls::Key;
use elbow_impls::data::{Dataset, Split, Tokens};
use elbow_impls::gaussian::{Decoder, Gaussian, GaussianCorruption, squared_errors};
use elbow_impls::key::{open_uniform, permutation};
use elbow_impls::network::{GaussianDenoiser, Input as Noisy, TokenDenoiser, ids_tensor, softmax, to_f64_vec};
use elbow_impls::objective::Batch;
use elbow_impls::train::Settings;
use elbow_theory::optimal_loss::{PointFloor, TokenFloor};
use rand_distr::{Distribution, StandardNormal};

use super::prelude::*;

/// A trained model and the optimal denoiser of its training data, under the same noise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    preset: String,
    /// Changes to the preset.
    set: Vec<String>,
    /// Noise levels: numbers of hidden tokens of a masked model, log-SNRs of a Gaussian one.
    levels: Vec<f64>,
    /// Draws of a training sequence and its noise, at each level.
    draws: usize,
}

/// Sequences of one call of the network.
const BATCH: usize = 256;

/// Draws at one level: the cost of the model, of the optimum, and the optimum minus the model.
struct Level {
    at: f64,
    model: Estimate,
    floor: Estimate,
    below: Estimate,
}

impl Level {
    fn new(at: f64, model: &[f64], floor: &[f64]) -> Self {
        let (below, model, floor) = (Estimate::of_pairs(floor, model), Estimate::of(model), Estimate::of(floor));
        Self { at, model, floor, below }
    }
}

impl Check for Floor {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::presets(context, [&self.preset], &self.set)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let train = context.open(&Settings::resolve(&self.preset, &self.set)?.data(Split::Train))?;
        let model = context.trained(&self.preset, &self.set)?;
        model.check_fits(train.as_ref())?;
        context.bar.start((self.levels.len() * self.draws) as u64, "optimal loss");
        let (levels, axes) = match model.settings.gaussian() {
            None => (self.masked(context, model.model.tokens()?, train.as_ref())?, MASKED),
            Some(gaussian) => (self.gaussian(context, gaussian, model.model.gaussian()?, train.as_ref())?, GAUSSIAN),
        };
        context.bar.finish();
        let [level, unit, _] = axes;
        let rivals: Vec<(String, Estimate)> =
            levels.iter().map(|found| (format!("{level} {}", found.at), found.below)).collect();
        let quantity = |name: &str| format!("largest ({name}): optimal loss − the model's loss");
        let mut outcome = Outcome::worst_of(&rivals, context.confidence, quantity, unit, "draws")?;
        for Level { at, model, floor, .. } in &levels {
            outcome.estimate_detail(format!("{level} {at}: model"), model, unit);
            outcome.estimate_detail(format!("{level} {at}: optimum"), floor, unit);
        }
        outcome.made.push(inputs::weights(&model));
        outcome.figures.push(draw(&train.name(), &levels, axes));
        Ok(outcome)
    }
}

/// Name of a level, unit of the cost, and what is hidden or added.
const MASKED: [&str; 3] = ["hidden tokens", "nats", "hidden tokens, the others visible"];
const GAUSSIAN: [&str; 3] = ["log-SNR", "|ε − ε̂|²", "log-SNR"];

fn draw(data: &str, levels: &[Level], [name, unit, _]: [&str; 3]) -> Figure {
    let points = |of: fn(&Level) -> Estimate| levels.iter().map(move |level| (level.at, of(level)));
    let above = |level: &Level| level.below.scaled(-1.0);
    figure(
        "floor",
        "What is left to learn, by noise level",
        &format!(
            "Mean cost on {data} of the trained model and of the best denoiser for the law of these very sequences, under the \
             same noise. No denoiser lies below it on this law; the difference is what the model has not learned of it."
        ),
        vec![
            plot(
                "",
                axis(name),
                axis(unit),
                vec![
                    means("model", points(|level| level.model)),
                    means("optimum of the data", points(|level| level.floor)),
                ],
            ),
            plot("", axis(name), axis(&format!("model − optimum ({unit})")), vec![means("", points(above))]),
        ],
    )
}

impl Floor {
    /// Indices of the sequences of each draw at a level, and the key of each draw's noise.
    fn sequences(&self, context: &Context, level: usize, count: usize) -> Vec<(usize, Key)> {
        let key = Key::new(context.seed, "optimal loss").fold(level as u64);
        let one = |draw: usize| {
            let key = key.fold(draw as u64);
            let x = (open_uniform(&mut key.fold(0).rng()) * count as f64) as usize;
            (x.min(count - 1), key.fold(1))
        };
        (0..self.draws).map(one).collect()
    }

    fn masked(
        &self,
        context: &Context,
        denoiser: &dyn TokenDenoiser,
        train: &dyn Dataset,
    ) -> Result<Vec<Level>, Error> {
        if denoiser.sees_time() || denoiser.classes().is_some() {
            let what = format!("{}: its network sees more than tokens", self.preset);
            return Err(Error::input(what, "name a preset without time and classes"));
        }
        let (length, values) = (train.length(), train.values());
        let (data, all) = (train.all()?, (0..train.len()).collect::<Vec<_>>());
        let floor = TokenFloor::new(data.clone());
        let level = |(number, &at): (usize, &f64)| {
            let hidden = (at as usize).clamp(1, length);
            let (mut model, mut optimum) = (Vec::new(), Vec::new());
            for draws in self.sequences(context, number, train.len()).chunks(BATCH) {
                let masks: Vec<Vec<bool>> = draws.iter().map(|(_, key)| hidden_set(length, hidden, key)).collect();
                let row = |x: usize| &data.ids()[x * length..(x + 1) * length];
                let masked = |((x, _), mask): (&(usize, Key), &Vec<bool>)| -> Vec<u32> {
                    row(*x).iter().zip(mask).map(|(&id, &hidden)| if hidden { values as u32 } else { id }).collect()
                };
                let ids: Vec<u32> = draws.iter().zip(&masks).flat_map(masked).collect();
                let input = Noisy::new(
                    ids_tensor(&ids, length, &context.device),
                    &vec![hidden as f64 / length as f64; draws.len()],
                );
                let logits: Vec<f32> = denoiser.value_logits(&input).into_data().iter::<f32>().collect();
                for (((x, _), mask), logits) in draws.iter().zip(&masks).zip(logits.chunks(length * values)) {
                    let tokens =
                        row(*x).iter().zip(mask).zip(logits.chunks(values)).filter(|((_, hidden), _)| **hidden);
                    model.push(tokens.map(|((id, _), logits)| -softmax(logits)[*id as usize].ln()).sum());
                    optimum.push(floor.cost(*x, &all, mask));
                    context.bar.advance(1);
                }
            }
            Level::new(hidden as f64, &model, &optimum)
        };
        Ok(self.levels.iter().enumerate().map(level).collect())
    }

    fn gaussian(
        &self,
        context: &Context,
        gaussian: &Gaussian,
        denoiser: &dyn GaussianDenoiser,
        train: &dyn Dataset,
    ) -> Result<Vec<Level>, Error> {
        let (length, values) = (train.length(), train.values());
        let (data, all) = (train.all()?, (0..train.len()).collect::<Vec<_>>());
        let floor = PointFloor::new(Decoder { values }.points(data.ids()), length);
        let level = |(number, &log_snr): (usize, &f64)| {
            let (mut model, mut optimum) = (Vec::new(), Vec::new());
            for draws in self.sequences(context, number, train.len()).chunks(BATCH) {
                let noise = |(_, key): &(usize, Key)| -> Vec<f64> {
                    let mut rng = key.rng();
                    (0..length).map(|_| StandardNormal.sample(&mut rng)).collect()
                };
                let eps: Vec<Vec<f64>> = draws.iter().map(noise).collect();
                let ids = draws.iter().flat_map(|(x, _)| &data.ids()[x * length..(x + 1) * length]).copied().collect();
                let batch = Batch::new(Tokens::new(ids, length), vec![0.5; draws.len()]);
                let corruption = GaussianCorruption::new(&batch, values, eps.concat(), None, &context.device);
                let errors = squared_errors(&gaussian.prediction, denoiser, &corruption, &vec![log_snr; draws.len()]);
                model.extend(to_f64_vec(errors));
                for ((x, _), eps) in draws.iter().zip(&eps) {
                    optimum.push(log_snr.exp() * floor.squared_error(*x, &all, eps, log_snr));
                    context.bar.advance(1);
                }
            }
            Level::new(log_snr, &model, &optimum)
        };
        Ok(self.levels.iter().enumerate().map(level).collect())
    }
}

/// A uniformly random set of hidden positions.
fn hidden_set(length: usize, hidden: usize, key: &Key) -> Vec<bool> {
    let mut set = vec![false; length];
    permutation(&mut key.rng(), length)[..hidden].iter().for_each(|&n| set[n] = true);
    set
}
