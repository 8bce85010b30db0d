//! Probes of a denoiser of points: whether its output means what the file says.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_base::{Error, Estimate, Key};
use elbow_impls::data::Dataset;
use elbow_impls::gaussian::{Decoder, Prediction, network_time};
use elbow_impls::network::Input;
use rand_distr::{Distribution, StandardNormal};

use super::OutputMeaning;
use super::points::OutsidePoints;
use super::probe::{Finding, SIGNIFICANT, Verdict, sequences};

/// Sequences with noise of their own; those of the data in turn.
const ROWS: usize = 128;
/// Log-SNRs at which the noise is estimated, in turn.
const LOG_SNRS: [f64; 4] = [-3.0, -1.0, 1.0, 3.0];

/// Probes a denoiser of points on data, or on random values where there are none.
pub(super) fn probe(
    model: &OutsidePoints,
    data: Option<&dyn Dataset>,
    length: usize,
    seed: u64,
    device: &Device,
) -> Result<Vec<Finding>, Error> {
    let values = model.network.file.model.values;
    let x = sequences(data, ROWS, [length, values], seed)?;
    let length = x.length();
    let levels: Vec<f64> = LOG_SNRS.into_iter().cycle().take(x.len()).collect();
    let rng = Key::new(seed, "probe noise").rng();
    let eps: Vec<f64> = StandardNormal.sample_iter(rng).take(x.len() * length).collect();
    let decoder = Decoder { values };
    let at = |place: usize| Prediction::Eps.at(levels[place / length]).level;
    let z: Vec<f32> = x
        .ids()
        .iter()
        .zip(&eps)
        .enumerate()
        .map(|(place, (&id, eps))| (at(place).alpha * decoder.point(id) + at(place).sigma * eps) as f32)
        .collect();
    let times: Vec<f64> = levels.iter().map(|&level| network_time(level)).collect();
    let points = Tensor::from_data(TensorData::new(z.clone(), [x.len(), length]), device);
    let mut findings = Vec::new();
    let mut add = |probe, verdict, detail: String| findings.push(Finding { probe, verdict, detail });
    let output = match model.own_output(&Input::points(points, &times)) {
        Ok((output, _)) => output,
        Err(what) => {
            add("call", Verdict::Wrong, what);
            return Ok(findings);
        }
    };
    add("call", Verdict::Good, "one number per coordinate".to_owned());
    if let Some(place) = output.iter().position(|value| !value.is_finite()) {
        add(
            "finite",
            Verdict::Wrong,
            format!("{} at coordinate {} of sequence {}", output[place], place % length, place / length),
        );
        return Ok(findings);
    }
    add("finite", Verdict::Good, "all outputs".to_owned());
    // The squared error of eps_hat of each sequence, if the output, times the sign, has this meaning.
    let errors = |prediction: Prediction, sign: f64| -> Vec<f64> {
        let error = |place: usize| {
            let (z, output) = (f64::from(z[place]), sign * f64::from(output[place]));
            let f = if prediction == Prediction::Eps { output - z } else { output };
            (prediction.at(levels[place / length]).eps(z, f) - eps[place]).powi(2)
        };
        (0..x.len()).map(|row| (row * length..(row + 1) * length).map(error).sum::<f64>() / length as f64).collect()
    };
    let own = model.prediction();
    let declared = errors(own, 1.0);
    let mut meanings = vec![Prediction::Eps, Prediction::X, Prediction::V, Prediction::Velocity];
    if model.network.file.output.means == OutputMeaning::F {
        meanings.push(own);
    }
    let rivals = meanings.into_iter().flat_map(|prediction| [(prediction, 1.0), (prediction, -1.0)]);
    // Errors differ by orders of magnitude between noise levels: what counts is the share of both that a rival saves.
    let better = rivals.filter(|rival| *rival != (own, 1.0)).filter_map(|(prediction, sign)| {
        let share = |(own, other): (&f64, f64)| (own - other) / (own + other).max(f64::MIN_POSITIVE);
        let saved: Vec<f64> = declared.iter().zip(errors(prediction, sign)).map(share).collect();
        let saved = Estimate::of(&saved);
        (saved.value > SIGNIFICANT * saved.standard_error).then_some((saved.value, prediction, sign))
    });
    let mean = Estimate::of(&declared);
    match better.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((saved, prediction, sign)) => {
            let minus = if sign < 0.0 { "minus " } else { "" };
            let detail = format!(
                "the noise is estimated better if the output means {minus}{prediction} (score {saved:.2} of 1)"
            );
            add("output", Verdict::Wrong, detail);
        }
        None => {
            let (value, error) = (mean.value, mean.standard_error);
            add("output", Verdict::Good, format!("squared error of the noise {value:.3} +- {error:.3} per coordinate"));
        }
    }
    Ok(findings)
}
