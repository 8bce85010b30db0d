//! Bounds of trained models against those that NumPy computed from the same weights, with a network and noise of its own
//! (`fixtures/nelbo`).

use burn::tensor::Device;
use elbow_base::{Estimate, Silent};
use elbow_harness::likelihood::{Bound, BoundEstimation, Estimator};
use elbow_harness::runs::Trained;
use elbow_impls::Objective;
use elbow_impls::data::{Dataset, Split, digits};
use elbow_impls::gaussian::network_time;
use elbow_impls::network::{Input, ids_tensor, points_tensor};
use elbow_impls::train::Settings;
use serde_json::Value;

use crate::fixture::{REJECT, fixture, json, numbers};

/// Largest difference of an output from NumPy's in double precision, which reach 20. Measured: 2.8e-6.
const OUTPUT: f64 = 2.8e-5;

fn trained(run: &str) -> Trained {
    Trained::load(&fixture(run), &Device::flex()).expect("a run")
}

fn of_preset(preset: &str, change: &str) -> Objective {
    Settings::resolve(preset, &[change.to_owned()]).expect("a preset").objective()
}

/// The bound of each test image differs from NumPy's by noise alone, and not by that of any of its wrong bounds.
fn compare(name: &str, model: &Trained, objective: &Objective, estimator: Estimator, golden: &Value) -> Bound {
    let test = digits::load(&fixture("digits/digits.csv.gz"), Split::Test).expect("bundled");
    let diffusion = objective.with(&model.model).expect("of its family");
    let estimation = BoundEstimation { estimator, ..BoundEstimation::new(diffusion, &test as &dyn Dataset, 32, 7) };
    let bound = estimation.run(&Device::flex(), &Silent).expect("a bound");
    let theirs = numbers(&golden[name]);
    assert_eq!((bound.per_sequence.len(), theirs.len()), (299, 299));
    let difference = Estimate::of_pairs(&bound.per_sequence, &theirs);
    let scores = |found: f64| (found / difference.standard_error).abs();
    println!("{name}: {} nats, NumPy {:+.4} +- {:.4}", bound.nats.value, -difference.value, difference.standard_error);
    assert!(scores(difference.value) < REJECT, "{name}: {difference:?}");
    // The test decides: half a percent of the bound is more than the noise.
    assert!(difference.standard_error < 0.005 * bound.nats.value, "{name}: {difference:?}");
    for (mistake, mean) in golden["mistakes"].as_object().expect("witnesses") {
        let off = bound.nats.value - mean.as_f64().expect("a number");
        assert!(name == "steps" || scores(off) > REJECT, "{name} taken for one with {mistake}: off by {off}");
    }
    bound
}

fn largest(found: &[f32], golden: &Value) -> f64 {
    let golden = numbers(golden);
    assert_eq!(found.len(), golden.len());
    found.iter().zip(golden).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_masked_model() {
    let golden = &json("nelbo/golden.json")["masked"];
    let model = trained("digits-denoiser/run");
    let network = model.model.tokens().expect("masked");
    let ids: Vec<u32> = numbers(&golden["inputs"]).into_iter().map(|id| id as u32).collect();
    let outputs = |ids: &[u32]| -> Vec<f32> {
        let input = Input::new(ids_tensor(ids, 64, &Device::flex()), &[0.5; 4]);
        network.value_logits(&input).into_data().iter::<f32>().collect()
    };
    let error = largest(&outputs(&ids), &golden["outputs"]);
    println!("logits: {error:e}");
    assert!(error < OUTPUT, "{error:e}");
    // Witness: rows of pixels for columns.
    let turned: Vec<u32> = ids.chunks(64).flat_map(|x| (0..64).map(|n| x[n % 8 * 8 + n / 8])).collect();
    assert!(largest(&outputs(&turned), &golden["outputs"]) > 1e3 * OUTPUT);
    compare("any_order", &model, &model.objective, Estimator::KDce, golden);
    compare("any_order", &model, &model.objective, Estimator::Objective, golden);
    compare("steps", &model, &of_preset("md4-digits", "timesteps=16"), Estimator::Objective, golden);
}

#[test]
fn a_gaussian_model() {
    let golden = &json("nelbo/golden.json")["gaussian"];
    let model = trained("nelbo/run");
    let network = model.model.gaussian().expect("Gaussian");
    let z: Vec<f32> = numbers(&golden["inputs"]).into_iter().map(|z| z as f32).collect();
    let eps = |gamma: &[f64]| -> Vec<f32> {
        let times: Vec<f64> = gamma.iter().map(|gamma| network_time(-gamma)).collect();
        let output = network.output(&Input::points(points_tensor(&z, 64, &Device::flex()), &times));
        // The network predicts eps - z.
        z.iter().zip(output.into_data().iter::<f32>()).map(|(z, f)| z + f).collect()
    };
    let gamma = numbers(&golden["gamma"]);
    let error = largest(&eps(&gamma), &golden["outputs"]);
    println!("eps: {error:e}");
    assert!(error < OUTPUT, "{error:e}");
    // Witness: other noise levels.
    assert!(largest(&eps(&[0.0; 4]), &golden["outputs"]) > 1e3 * OUTPUT);
    let bound = compare("continuous", &model, &model.objective, Estimator::Auto, golden);
    // The prior is exact on either side; measured: 2e-13 bits.
    let mean = |term: &str| Estimate::of(&numbers(&golden[term])).bits_per(64);
    assert!((bound.prior - mean("prior").value).abs() < 1e-9, "{}", bound.prior);
    // Reconstruction: 32 draws of either side, whose noise is a twentieth of it.
    assert!((bound.reconstruction / mean("reconstruction").value - 1.0).abs() < 0.2, "{}", bound.reconstruction);
    compare("steps", &model, &of_preset("vdm-digits", "timesteps=16"), Estimator::Auto, golden);
}
