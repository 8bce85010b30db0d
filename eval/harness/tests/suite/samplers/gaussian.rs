//! Samplers of Gaussian diffusion against closed forms (`fixtures/gaussian-samplers`): EDM's grid and steps, the law of
//! DDIM and of ancestral steps for normal data at every step.

use burn::tensor::{Device, Float, Tensor};
use elbow_harness::denoisers::MixtureDenoiser;
use elbow_harness::likelihood::Estimate;
use elbow_impls::Key;
use elbow_impls::gaussian::{Churn, EpsPredictor, GaussianState, Level, LevelGrid, Prediction, ancestral, ddim, heun};
use elbow_impls::network::{GaussianDenoiser, Input};
use elbow_theory::gaussian::{Component, Mixture};
use serde_json::Value;

use crate::fixture::{json, number, numbers, score};

/// Largest error of a double-precision grid, relative. Measured: 3.4e-15.
const GRID: f64 = 3e-14;
/// Largest error of a step whose denoiser answers in single precision, relative to max(1, |y|). Measured: 1.7e-8.
const STEP: f64 = 1.5e-7;
/// The same along 18 steps from s = 80, where single precision is 80 times coarser. Measured: 1.2e-7.
const TRAJECTORY: f64 = 1e-6;
/// Largest error of DDIM's mean and variance. Measured: 3.9e-8.
const LAW: f64 = 3e-7;
/// Standard errors beyond which a mean is rejected: a right one is rejected once in 150,000 seeds.
pub const REJECT: f64 = 4.5;

pub fn golden() -> Value {
    json("gaussian-samplers/golden.json")
}

/// A mixture of the file, in one dimension or two.
pub fn mixture(golden: &Value) -> Mixture {
    let means: Vec<[f64; 2]> = golden["means"]
        .as_array()
        .expect("means")
        .iter()
        .map(|mean| mean.as_f64().map_or_else(|| [number(&mean[0]), number(&mean[1])], |x| [x, 0.0]))
        .collect();
    let dimensions = if golden["means"][0].is_array() { 2 } else { 1 };
    let (stds, weights) = (numbers(&golden["deviations"]), numbers(&golden["weights"]));
    let component = |k: usize| Component { weight: weights[k], mean: means[k], std: stds[k] };
    Mixture { dimensions, components: (0..means.len()).map(component).collect() }
}

pub fn denoiser(law: Mixture, prediction: Prediction) -> MixtureDenoiser {
    MixtureDenoiser { law, prediction, values: 256 }
}

fn log_snr(s: f64) -> f64 {
    -2.0 * s.ln()
}

/// Points y = z / alpha at the level s.
fn state(y: &[f64], s: f64) -> GaussianState {
    let alpha = Level::of_log_snr(log_snr(s)).alpha;
    GaussianState::at(y.iter().map(|y| alpha * y).collect(), 1, &Key::new(0, "points"))
}

fn relative(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs().max(1.0)
}

#[test]
fn the_edm_grid_has_its_published_levels() {
    for (steps, golden) in golden()["edm_grids"].as_object().expect("grids") {
        let golden = numbers(golden);
        let grid = LevelGrid::Edm { rho: 7.0, sigma_min: 0.002, sigma_max: 80.0 };
        let found = grid.log_snrs(steps.parse().expect("a number"));
        assert_eq!(found.len(), golden.len());
        let worst =
            found.iter().zip(&golden).map(|(l, s)| ((-0.5 * l).exp() - s).abs() / s.max(1e-3)).fold(0.0, f64::max);
        println!("{steps} steps: {worst:.1e}");
        assert!(worst < GRID, "{steps} steps: {worst:e}");
    }
}

#[test]
fn one_heun_step_and_its_churn_are_those_of_edm() {
    let golden = golden();
    let (device, steps) = (Device::flex(), &golden["edm_steps"]);
    let [sigma, next, count, noise] = ["sigma", "sigma_next", "N", "S_noise"].map(|name| number(&steps[name]));
    for prediction in [Prediction::Eps, Prediction::Edm { sigma_data: 0.5 }] {
        let denoiser = denoiser(mixture(&golden["mixture"]), prediction);
        let (mut worst, mut witness) = (0f64, 0f64);
        for step in steps["steps"].as_array().expect("steps") {
            let churn = Churn { amount: number(&step["S_churn"]), noise, range: [0.05, 50.0] };
            let (raised, spread) = churn.raise(sigma, count as usize);
            let y = number(&step["y"]) + spread * number(&step["noise"]);
            let mut points = state(&[y], raised);
            let mut predictor = EpsPredictor::new(&denoiser, prediction, &device);
            heun(&mut predictor, &[log_snr(raised), log_snr(next)], Churn::NONE, &mut points).expect("samples");
            let found = points.z[0] / Level::of_log_snr(log_snr(next)).alpha;
            let errors = [
                relative(raised, number(&step["sigma_hat"])),
                relative(y, number(&step["y_hat"])),
                relative(found, number(&step["heun"])),
            ];
            assert!(errors.iter().all(|error| *error < STEP), "{prediction}: {errors:?}");
            assert_eq!(predictor.evaluations(), 2);
            // DDIM is Euler's step.
            let mut points = state(&[y], raised);
            ddim(&mut predictor, &[log_snr(raised), log_snr(next)], &mut points).expect("samples");
            let found = points.z[0] / Level::of_log_snr(log_snr(next)).alpha;
            assert!(relative(found, number(&step["euler"])) < STEP, "{prediction}: {found}");
            worst = errors.iter().fold(worst, |worst, error| worst.max(*error));
            witness = witness.max(relative(found, number(&step["heun"])));
        }
        println!("{prediction}: {worst:.1e}");
        assert!(witness > 1e-2, "witness: Euler is Heun ({witness:e})");
    }
}

#[test]
fn heun_trajectories_are_those_of_edm() {
    let golden = golden();
    let device = Device::flex();
    let log_snrs = LevelGrid::Edm { rho: 7.0, sigma_min: 0.002, sigma_max: 80.0 }.log_snrs(18);
    let denoiser = denoiser(mixture(&golden["mixture"]), Prediction::Eps);
    for trajectory in golden["edm_trajectories"].as_array().expect("trajectories") {
        let states = numbers(&trajectory["states"]);
        let mut points = state(&states[..1], 80.0);
        let mut worst = 0f64;
        let mut predictor = EpsPredictor::new(&denoiser, Prediction::Eps, &device);
        for (pair, expected) in log_snrs.windows(2).zip(&states[1..]) {
            heun(&mut predictor, pair, Churn::NONE, &mut points).expect("samples");
            let y = points.z[0] / Level::of_log_snr(pair[1]).alpha;
            worst = worst.max(relative(y, *expected));
        }
        println!("{worst:.1e}");
        assert!(worst < TRAJECTORY, "{worst:e}");
        assert_eq!(predictor.evaluations(), 35);
    }
}

/// For normal data every step is affine: DDIM's law follows from two points, that of ancestral steps from many draws.
#[test]
fn ddim_and_ancestral_steps_have_the_law_of_the_closed_form() {
    const DRAWS: usize = 40_000;
    let golden = &golden()["gaussian"];
    let device = Device::flex();
    let data = Component { weight: 1.0, mean: [number(&golden["mean"]), 0.0], std: number(&golden["deviation"]) };
    let law = Mixture { dimensions: 1, components: vec![data] };
    let denoiser = denoiser(law, Prediction::V);
    let mut worst = 0f64;
    for run in golden["runs"].as_array().expect("runs") {
        let log_snrs: Vec<f64> = numbers(&run["gamma"]).iter().map(|gamma| -gamma).collect();
        let what = format!("{}, T = {}", run["schedule"], run["steps"]);
        let expected = |sampler: &str, moment: &str| numbers(&run[sampler][moment]);
        let mut predictor = EpsPredictor::new(&denoiser, Prediction::V, &device);

        let (mean, variance) = (expected("ddim", "mean"), expected("ddim", "variance"));
        let mut ends = GaussianState::at(vec![0.0, 1.0], 1, &Key::new(0, "ends"));
        let mut draws = GaussianState::prior(DRAWS, 1, &Key::new(3, "draws"));
        let ancestral_mean = expected("ancestral", "mean");
        let ancestral_variance = expected("ancestral", "variance");
        for (i, pair) in log_snrs.windows(2).enumerate() {
            ddim(&mut predictor, pair, &mut ends).expect("samples");
            let slope = ends.z[1] - ends.z[0];
            let errors = [relative(ends.z[0], mean[i + 1]), relative(slope * slope, variance[i + 1])];
            worst = errors.iter().fold(worst, |worst, error| worst.max(*error));
            assert!(errors.iter().all(|error| *error < LAW), "{what}, step {i}: {errors:?}");

            ancestral(&mut predictor, pair, &mut draws).expect("samples");
            let found = Estimate::of(&draws.z);
            let squares: Vec<f64> = draws.z.iter().map(|z| (z - ancestral_mean[i + 1]).powi(2)).collect();
            let spread = Estimate::of(&squares);
            for (found, expected) in [(found, ancestral_mean[i + 1]), (spread, ancestral_variance[i + 1])] {
                let score = score(&found, expected);
                assert!(score < REJECT, "{what}, step {i}: {found:?} against {expected}");
            }
        }
        // Witness: in few steps the law is not that of the data, and the test sees it.
        if run["steps"] == 2 {
            let truth = numbers(&run["true_variance"]);
            let last = truth.len() - 1;
            assert!(relative(ancestral_variance[last], truth[last]) > 0.05, "{what}: as good as exact");
        }
    }
    println!("DDIM: {worst:.1e}");
}

/// A coordinate that is no number stops a sampler in the step that made it.
#[test]
fn points_that_are_no_numbers_are_refused_with_their_step() {
    let device = Device::flex();
    let law = Mixture { dimensions: 1, components: vec![Component { weight: 1.0, mean: [0.3, 0.0], std: 0.5 }] };
    let denoiser = MixtureDenoiser { law, prediction: Prediction::Eps, values: 5 };
    for wrong in [f64::NAN, f64::INFINITY] {
        let mut points = GaussianState::at(vec![0.1, wrong], 1, &Key::new(1, "no number"));
        let mut predictor = EpsPredictor::new(&denoiser, Prediction::Eps, &device);
        let error = ddim(&mut predictor, &[-3.0, 0.0, 3.0], &mut points).expect_err("no number").to_string();
        assert!(error.contains("step 1: the network answered"), "{error}");
    }
}

/// The tokens nearest to the samples, and their count of evaluations.
#[test]
fn samples_are_decoded_and_counted() {
    let device = Device::flex();
    let atoms = [(-0.8, 0.2), (0.0, 0.5), (0.4, 0.3)];
    let component = |&(x, weight): &(f64, f64)| Component { weight, mean: [x, 0.0], std: 0.0 };
    let law = Mixture { dimensions: 1, components: atoms.iter().map(component).collect() };
    let denoiser = MixtureDenoiser { law, prediction: Prediction::Eps, values: 5 };
    let log_snrs = LevelGrid::Times("fixed-linear:-9:5".parse().expect("a schedule")).log_snrs(64);
    let mut points = GaussianState::prior(4000, 1, &Key::new(1, "samples"));
    let mut predictor = EpsPredictor::new(&denoiser, Prediction::Eps, &device);
    ancestral(&mut predictor, &log_snrs, &mut points).expect("samples");
    let samples = points.decode(predictor, log_snrs[64]);
    assert_eq!((samples.nfe(), samples.network_calls), (64.0, 64));
    let share = |value: u32| samples.tokens.ids().iter().filter(|&&id| id == value).count() as f64 / 4000.0;
    for (value, expected) in [(0, 0.2), (1, 0.0), (2, 0.5), (3, 0.3), (4, 0.0)] {
        // Steps of finite size spread the shares by less than a hundredth; 4000 draws by 0.008.
        assert!((share(value) - expected).abs() < 0.03, "value {value}: {} against {expected}", share(value));
    }
}

/// F is the number of the class; 2 is "no class".
struct ByClass;

impl GaussianDenoiser for ByClass {
    fn values(&self) -> usize {
        2
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        let [rows, length] = input.z.dims();
        let class = input.class.clone().map(|class| class.float());
        let class = class.unwrap_or_else(|| Tensor::full([rows], 2.0, &input.z.device()));
        class.unsqueeze_dim::<2>(1).repeat(&[1, length])
    }
}

#[test]
fn guidance_mixes_the_scores_of_both_models() {
    let device = Device::flex();
    let z = [0.3, -0.5];
    for (guidance, f, calls) in [(1.0, [0.0, 1.0], 1), (0.0, [2.0, 2.0], 1), (3.0, [-4.0, -1.0], 2)] {
        let mut predictor = EpsPredictor::new(&ByClass, Prediction::V, &device).guided(vec![0, 1], guidance);
        let found = predictor.eps(&z, 1, 0.4);
        let level = Level::of_log_snr(0.4);
        for ((found, z), f) in found.iter().zip(z).zip(f) {
            assert!((found - (level.sigma * z + level.alpha * f)).abs() < 1e-6, "w = {guidance}: {found}");
        }
        assert_eq!(predictor.evaluations(), calls);
    }
}

/// One step from s = 2 to s = 1.2 with churn, of an exact denoiser of N(0, 1): affine in y and in the noise, so that
/// the variance of the result is known.
#[test]
fn churn_adds_its_noise() {
    const DRAWS: usize = 40_000;
    let device = Device::flex();
    let normal = Mixture { dimensions: 1, components: vec![Component { weight: 1.0, mean: [0.0; 2], std: 1.0 }] };
    let denoiser = denoiser(normal, Prediction::V);
    let churn = Churn { amount: 5.0, noise: 1.003, range: [0.0, 80.0] };
    let mut points = state(&vec![0.7; DRAWS], 2.0);
    heun(&mut EpsPredictor::new(&denoiser, Prediction::V, &device), &[log_snr(2.0), log_snr(1.2)], churn, &mut points)
        .expect("samples");
    let alpha = Level::of_log_snr(log_snr(1.2)).alpha;
    let y: Vec<f64> = points.z.iter().map(|z| z / alpha).collect();
    // dy/ds = y s/(1 + s^2): Heun multiplies y by 1 + h/2 (a + b (1 + h a)), a at the raised level, b at the last.
    let (raised, spread) = churn.raise(2.0, 1);
    let rate = |s: f64| s / (1.0 + s * s);
    let h = 1.2 - raised;
    let factor = 1.0 + 0.5 * h * (rate(raised) + rate(1.2) * (1.0 + h * rate(raised)));
    let squares: Vec<f64> = y.iter().map(|y| (y - factor * 0.7).powi(2)).collect();
    for (found, expected) in [(Estimate::of(&y), factor * 0.7), (Estimate::of(&squares), (factor * spread).powi(2))] {
        let score = score(&found, expected);
        assert!(score < REJECT, "{found:?} against {expected}");
    }
}
