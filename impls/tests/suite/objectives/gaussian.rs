//! Gaussian diffusion against golden values of the papers' formulas in 40 digits, and of VDM's in JAX
//! (`fixtures/gaussian-objectives`).

use std::sync::Mutex;

use burn::tensor::{Device, Float, Tensor, TensorData};
use elbow_impls::Weighting;
use elbow_impls::data::Tokens;
use elbow_impls::gaussian::{
    Decoder, Gaussian, GaussianCorruption, Level, NoiseLevelWeight, Prediction, prior_loss, reconstruction_loss,
    squared_errors,
};
use elbow_impls::network::{GaussianDenoiser, Input, to_f64_vec};
use elbow_impls::objective::Batch;
use elbow_impls::schedule::{GaussianSchedule, LogSnr};
use serde_json::Value;

use super::{error, flat, ids, rejects};
use crate::FnPoints;

/// Largest error of a loss relative to max(1, |golden|), from single-precision targets. Measured: 5.1e-7.
const TOLERANCE: f64 = 5e-6;
/// The same in double precision. Measured: 4.4e-12, from the inverse of the normal distribution function.
const TOLERANCE_DOUBLE: f64 = 4e-11;

const PREDICTIONS: [&str; 5] = ["eps", "x", "v", "velocity", "edm:0.5"];

pub fn golden() -> Vec<Value> {
    crate::golden("gaussian-objectives/golden.json")["cases"].as_array().expect("cases").clone()
}

pub struct Case {
    pub golden: Value,
    pub batch: Batch,
    x: Vec<f64>,
    pub eps: Vec<f64>,
    /// F of each point.
    output: Vec<f32>,
}

impl Case {
    pub fn new(golden: Value) -> Self {
        let tokens = ids(&golden["tokens"]);
        let x = decoder(&golden).points(&tokens);
        let length = golden["length"].as_u64().expect("a length") as usize;
        Self {
            batch: Batch::new(Tokens::new(tokens, length), flat(&golden["u"])),
            x,
            eps: flat(&golden["eps"]),
            output: flat(&golden["output"]).into_iter().map(|f| f as f32).collect(),
            golden,
        }
    }

    /// A denoiser whose output F does not depend on its input, perhaps with ends to learn.
    pub fn fixed(&self, theta: Option<Tensor<1>>) -> impl GaussianDenoiser {
        let output = |input: &Input<Float>| {
            Tensor::from_data(TensorData::new(self.output.clone(), input.z.dims()), &input.z.device())
        };
        FnPoints { values: decoder(&self.golden).values, output, theta }
    }

    /// A schedule between the case's ends.
    fn schedule(&self, name: &str) -> GaussianSchedule {
        format!("{name}:{}:{}", self.golden["gamma_min"], self.golden["gamma_max"]).parse().expect("a schedule")
    }

    /// The case's points and noise, as a corruption.
    pub fn corruption(&self) -> GaussianCorruption {
        let (values, eps_0) = (decoder(&self.golden).values, Some(flat(&self.golden["eps0"])));
        GaussianCorruption::new(&self.batch, values, self.eps.clone(), eps_0, &Device::flex())
    }

    fn errors(&self, prediction: &Prediction, log_snrs: &[f64]) -> Vec<f64> {
        to_f64_vec(squared_errors(prediction, &self.fixed(None), &self.corruption(), log_snrs))
    }

    /// The loss of each row that trains.
    fn losses(&self, objective: &Gaussian) -> Vec<f64> {
        to_f64_vec(objective.loss_of(&self.fixed(None), &self.corruption()).expect("a loss"))
    }
}

pub fn decoder(golden: &Value) -> Decoder {
    Decoder { values: golden["values"].as_u64().expect("V") as usize }
}

#[track_caller]
pub fn agrees(what: &str, found: &[f64], golden: &Value, tolerance: f64) {
    let worst = error(found, &flat(golden));
    println!("{what}: {worst:.1e}");
    assert!(worst < tolerance, "{what}: error {worst:e}\n{found:?}\n{golden}");
}

#[test]
fn losses_of_every_schedule_prediction_and_weighting_equal_the_golden_values() {
    for case in golden().into_iter().map(Case::new) {
        for (name, golden) in case.golden["schedules"].as_object().expect("schedules") {
            let schedule = case.schedule(name);
            let of = |f: &dyn Fn(f64) -> f64| case.batch.u.iter().map(|&u| f(u)).collect::<Vec<_>>();
            agrees(name, &of(&|u| schedule.log_snr(u)), &golden["lambda"], TOLERANCE_DOUBLE);
            agrees(name, &of(&|u| schedule.gamma_prime(u)), &golden["minus_dlambda_dt"], TOLERANCE_DOUBLE);
            for prediction_name in PREDICTIONS {
                let prediction: Prediction = prediction_name.parse().expect("a prediction");
                let golden = &golden["predictions"][prediction_name];
                let what = format!("V = {}, {name}, {prediction_name}", case.golden["values"]);
                let found = case.errors(&prediction, &of(&|u| schedule.log_snr(u)));
                agrees(&what, &found, &golden["squared_error"], TOLERANCE);
                for (weighting, golden) in golden["weighted"].as_object().expect("weightings") {
                    let objective =
                        Gaussian::new(schedule.clone(), weighting.parse().expect("a weighting"), prediction);
                    agrees(&format!("{what}, {weighting}"), &case.losses(&objective), golden, TOLERANCE);
                }
                for (law, golden) in golden["importance"].as_object().expect("laws") {
                    for (weighting, golden) in golden.as_object().expect("weightings") {
                        let weighting: Weighting = weighting.parse().expect("a weighting");
                        let objective = Gaussian {
                            levels: Some(case.schedule(law)),
                            ..Gaussian::new(schedule.clone(), weighting.clone(), prediction)
                        };
                        agrees(&format!("{what}, {weighting} from {law}"), &case.losses(&objective), golden, TOLERANCE);
                    }
                }
                for (steps, golden) in golden["finite"].as_object().expect("steps") {
                    let steps = Some(steps.parse().expect("a number"));
                    let objective = Gaussian { steps, ..Gaussian::new(schedule.clone(), Weighting::Elbo, prediction) };
                    agrees(&format!("{what}, T = {steps:?}"), &case.losses(&objective), golden, TOLERANCE);
                }
            }
        }
    }
}

/// A rate of the wrong sign, a weight that is applied twice, a log-SNR of the first power.
#[test]
fn witnesses_of_wrong_losses_are_rejected() {
    for case in golden().into_iter().map(Case::new) {
        for (name, wrong) in case.golden["witness"].as_object().expect("schedules") {
            for (mistake, wrong) in wrong.as_object().expect("mistakes") {
                let weighting = mistake.split_once(':').expect("the right weighting").1.parse().expect("a weighting");
                let found = case.losses(&Gaussian::new(case.schedule(name), weighting, Prediction::Eps));
                rejects(&format!("{name}, {mistake}"), &found, wrong);
            }
        }
    }
}

#[test]
fn reconstruction_and_prior_equal_the_golden_values() {
    for case in golden().into_iter().map(Case::new) {
        let (golden, values) = (&case.golden, decoder(&case.golden).values);
        let corruption = case.corruption();
        let level = |gamma: &Value| Level::of_log_snr(-gamma.as_f64().expect("gamma"));
        let reconstruction = |gamma| reconstruction_loss(values, &corruption, level(gamma)).expect("noise of z_0");
        let found = reconstruction(&golden["gamma_min"]);
        agrees("reconstruction", &found, &golden["reconstruction"], TOLERANCE_DOUBLE);
        let wide = &golden["reconstruction_wide"];
        let found = reconstruction(&wide["gamma_min"]);
        agrees("reconstruction of coarse noise", &found, &wide["reconstruction"], TOLERANCE_DOUBLE);
        rejects("fine noise", &found, &golden["reconstruction"]);
        let found = prior_loss(&corruption, level(&golden["gamma_max"]));
        agrees("prior", &found, &golden["prior"], TOLERANCE_DOUBLE);
    }
}

/// EDM's c_in, 1/sqrt(s^2 + S^2) of y = z/alpha; all others see the variance-preserving z. The time is VDM's, (gamma + 13.3)/18.3.
#[test]
fn networks_see_scaled_points_and_the_time_of_vdm() {
    for case in golden().into_iter().map(Case::new) {
        let length = case.batch.x.length();
        let log_snr: Vec<f64> = case.batch.u.iter().map(|u| 11.0 - 15.0 * u).collect();
        for name in PREDICTIONS {
            let prediction: Prediction = name.parse().expect("a prediction");
            let seen = Mutex::default();
            let record = |input: &Input<Float>| {
                *seen.lock().expect("one thread") = (to_f64_vec(input.z.clone()), to_f64_vec(input.time.clone()));
                input.z.zeros_like()
            };
            let recorder = FnPoints { values: 2, output: record, theta: None };
            squared_errors(&prediction, &recorder, &case.corruption(), &log_snr);
            let (inputs, times) = seen.into_inner().expect("one thread");
            for (at, input) in inputs.iter().enumerate() {
                let (gamma, time) = (-log_snr[at / length], times[at / length]);
                let s = (0.5 * gamma).exp();
                let y = case.x[at] + s * case.eps[at];
                let scale = if name == "edm:0.5" { (s * s + 0.25).sqrt() } else { (s * s + 1.0).sqrt() };
                assert!((input - y / scale).abs() < 1e-6 * y.abs().max(1.0), "{name}: {input} for {y} at s = {s}");
                assert!((time - (gamma + 13.3) / 18.3).abs() < 1e-6, "{name}: {time} for gamma = {gamma}");
            }
        }
    }
}

/// With its own law of levels, weighting and preconditioning, EDM's loss weighs every level's |F - target|^2 the same.
#[test]
fn edm_weighs_every_level_the_same() {
    let schedule: GaussianSchedule = "normal:2.4:2.4".parse().expect("a schedule");
    let prediction = Prediction::Edm { sigma_data: 0.7 };
    let weights = |weighting: Weighting| -> Vec<f64> {
        let objective = Gaussian::new(schedule.clone(), weighting, prediction);
        let weight = |k: u32| {
            let NoiseLevelWeight { log_snr, weight } = objective.training_weight(f64::from(k) / 50.0);
            weight * prediction.at(log_snr).eps_error()
        };
        (1..50).map(weight).collect()
    };
    let spread = |weights: &[f64]| weights.iter().map(|w| (w / weights[0] - 1.0).abs()).fold(0.0, f64::max);
    let right = spread(&weights(Weighting::Edm(0.7)));
    println!("{right:.1e}");
    assert!(right < 1e-11, "{right:e}");
    assert!(spread(&weights(Weighting::Edm(0.5))) > 0.5, "witness: the weighting of another sigma_data");
}

/// EDM's Table 1: c_skip = S^2 / (s^2 + S^2), c_out = s S / sqrt(s^2 + S^2), c_in = 1 / sqrt(s^2 + S^2) of y = z / alpha.
#[test]
fn edm_preconditioning_is_that_of_its_table() {
    let sigma_data = 0.5;
    for s in [0.002f64, 0.3, 1.0, 80.0] {
        let found = Prediction::Edm { sigma_data }.at(-2.0 * s.ln());
        let total = (s * s + sigma_data * sigma_data).sqrt();
        let c_in = found.level.alpha * found.c_in;
        let expected = [(sigma_data / total).powi(2), s * sigma_data / total, 1.0 / total];
        let error = |found: [f64; 3]| found.iter().zip(expected).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        let worst = error([found.c_skip(), found.c_out(), c_in]);
        println!("s = {s}: {worst:.1e}");
        // Measured 5.0e-13: at s = 80 c_skip is the small difference of two numbers near 1.
        assert!(worst < 5e-12, "s = {s}: {worst:e}");
        assert!(error([found.skip, found.out, found.c_in]) > 1e-3, "witness: eps_hat has other coefficients");
    }
}
