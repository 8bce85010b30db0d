//! The bound of a program from its answers.

use burn::tensor::Device;
use elbow_base::{Error, Progress};
use elbow_impls::data::InMemory;
use elbow_impls::gaussian::{Gaussian, GaussianCorruption, Prediction};
use elbow_impls::objective::BoundTerms;
use elbow_impls::{BoundCorruption, DiffusionModel, Objective};

use super::answers::Answers;
use super::given::{Elsewhere, GivenCosts, GivenLogits, GivenOutput};
use super::noise::{estimation, is_k_dce};
use super::noise_file::NoiseFile;
use crate::likelihood::{Bound, Draw, Inputs, Noisy, TextUnits, log_snrs, points};
use crate::shards::Shards;

/// Largest difference of a point of the file from the same one drawn again, relative to 1 + |z|: points are written in single
/// precision, and logarithms differ between systems in the last digit.
const SAME: f64 = 1e-5;

/// The bound of the program that gave these answers to this noise: the number of `likelihood` with the same data, draws,
/// seed and estimator.
pub fn judge(noise: &NoiseFile, answers: &Answers, device: &Device, bar: &dyn Progress) -> Result<Bound, Error> {
    let bound = judge_in(noise, answers, &Shards::whole(), device, bar)?;
    bound.ok_or_else(|| Error::internal("the whole work gives a bound"))
}

/// The same, or a part of it: then there is no bound yet.
pub fn judge_in(
    noise: &NoiseFile,
    answers: &Answers,
    shards: &Shards,
    device: &Device,
    bar: &dyn Progress,
) -> Result<Option<Bound>, Error> {
    let record = &noise.settings.data;
    let config = noise.settings.config()?;
    let (objective, network) = (config.objective(), Elsewhere { values: record.values });
    let data = InMemory::new(&record.name, record.values, noise.x.clone());
    let (draws, seed) = (noise.settings.draws, noise.settings.seed);
    let estimation = estimation(&objective, is_k_dce(&config), &network, &data, draws, seed)?;
    let terms_of = |draw: &Draw| {
        let rows: Vec<usize> = draw.sequences.iter().map(|sequence| sequence * draws + draw.number).collect();
        check_same(noise, &rows, &Inputs::of(&estimation.model, draw.corruption)?)?;
        terms(&objective, answers, &rows, draw.corruption, record.values)
    };
    let bound = estimation.run_with(&estimation.draws()?, &terms_of, shards, device, bar)?;
    let Some(bound) = bound else { return Ok(None) };
    let mut protocol = bound.protocol.clone();
    protocol.extend(record.protocol.clone());
    protocol.insert("answers".to_owned(), format!("{} of another program", answers.name()));
    Ok(Some(Bound {
        available: record.available,
        tokens_dropped: record.tokens.saturating_sub(bound.tokens_scored),
        protocol,
        text: record.text.as_ref().map(|text| TextUnits::of(&bound.bits_per_dim, text)),
        ..bound
    }))
}

/// Refuses noise that this program does not draw again.
fn check_same(noise: &NoiseFile, rows: &[usize], again: &Inputs) -> Result<(), Error> {
    let length = noise.x.length();
    let places = || rows.iter().flat_map(|row| row * length..(row + 1) * length);
    let is_near = |a: f64, b: f64| (a - b).abs() <= SAME * (1.0 + a.abs());
    let same = match (&noise.inputs.z, &again.z) {
        (Noisy::Tokens(z), Noisy::Tokens(drawn)) => places().map(|at| z[at]).eq(drawn.iter().copied()),
        (Noisy::Points { z, log_snr }, Noisy::Points { z: drawn, log_snr: levels }) => {
            places().zip(drawn).all(|(at, &drawn)| is_near(f64::from(z[at]), f64::from(drawn)))
                && rows.iter().zip(levels).all(|(&row, &level)| is_near(log_snr[row], level))
        }
        _ => false,
    };
    let of_times = rows.iter().zip(&again.t).all(|(&row, &t)| is_near(noise.inputs.t[row], t));
    match same && of_times {
        true => Ok(()),
        false => Err(Error::input(
            format!("the noise of row {} is not what this version of elbow draws", rows[0]),
            "judge it with the version that wrote it, or write the noise again",
        )),
    }
}

/// The bound's terms of some rows.
fn terms(
    objective: &Objective,
    answers: &Answers,
    rows: &[usize],
    corruption: &BoundCorruption,
    values: usize,
) -> Result<Vec<BoundTerms>, Error> {
    Ok(match (objective, corruption, answers) {
        (Objective::Tokens(objective), BoundCorruption::Tokens(z), Answers::LogProbabilities(log_p)) => {
            let costs = of_rows(log_p, rows, z.z.targets.length).map(|log_p| -log_p as f32).collect();
            objective.nelbo_of(&GivenCosts { values, costs }, z)?
        }
        (Objective::Tokens(objective), BoundCorruption::Tokens(z), Answers::Logits { columns, logits }) => {
            let logits = of_rows(logits, rows, z.z.targets.length * columns).collect();
            objective.nelbo_of(&GivenLogits { values, columns: *columns, logits }, z)?
        }
        (Objective::Gaussian(gaussian), BoundCorruption::Gaussian(z), Answers::Points(prediction, points)) => {
            let gaussian = Gaussian { prediction: *prediction, ..gaussian.clone() };
            let length = z.x.len() / rows.len();
            let output = output(&gaussian, z, of_rows(points, rows, length).collect())?;
            DiffusionModel::Gaussian(&gaussian, &GivenOutput { values, output }).nelbo_of(corruption)?
        }
        _ => return Err(Error::internal("answers of the other family")),
    })
}

/// The numbers of some rows of `width` numbers.
fn of_rows<'a, T: Copy>(all: &'a [T], rows: &'a [usize], width: usize) -> impl Iterator<Item = T> + 'a {
    rows.iter().flat_map(move |row| &all[row * width..(row + 1) * width]).copied()
}

/// The objective's F that means these predictions: [`Prediction::Eps`] is what is added to z.
fn output(gaussian: &Gaussian, z: &GaussianCorruption, given: Vec<f64>) -> Result<Vec<f32>, Error> {
    if gaussian.prediction != Prediction::Eps {
        return Ok(given.into_iter().map(|f| f as f32).collect());
    }
    let z = points(&z.x, &z.eps, &log_snrs(gaussian, &gaussian.schedule, &z.batch.u)?);
    Ok(given.into_iter().zip(z).map(|(eps, z)| (eps - z) as f32).collect())
}
