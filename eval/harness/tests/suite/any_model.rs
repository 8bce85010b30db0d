//! A model file has the samples, the ODE and the exact cascade of the same denoiser from inside.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use elbow_base::Silent;
use elbow_harness::denoisers::MixtureDenoiser;
use elbow_harness::likelihood::ode::Derivative;
use elbow_harness::likelihood::{BoundEstimation, Dequantisation, Dequantised, Estimate, OdeLikelihood, OdeNll};
use elbow_harness::models::AnyModel;
use elbow_harness::sampling::{Request, Sampled, Sampler, draw};
use elbow_impls::data::{Dataset, InMemory, Tokens};
use elbow_impls::gaussian::{Decoder, Prediction};
use elbow_impls::md4::Md4;
use elbow_impls::network::{Denoiser, Input, TokenDenoiser, ids_tensor, softmax};
use elbow_impls::sampler_state::Samples;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::ObjectiveConfig;
use elbow_impls::{DiffusionModel, Key, Weighting};
use elbow_metrics::Runtime;
use elbow_theory::gaussian::{Component, Mixture};
use elbow_theory::masked::cascade;

use crate::fixture::{Bench, agrees, fixture};

/// Largest difference of the bounds of a network in single precision from those of its table, nats. Measured: 7e-10.
const SINGLE: f64 = 7e-9;
/// Largest relative difference of the bounds of a uniform model in single precision. Measured: none.
const UNIFORM: f64 = 1e-9;
/// Largest error of a code length by differences of 1/16 and 1/32 of the noise, nats. Measured: 9.9e-6.
const DIFFERENCED: f64 = 9e-5;

fn open(place: &Path) -> AnyModel {
    AnyModel::open(place, &Device::flex(), || Ok(Runtime::Embedded)).expect("a model")
}

fn bundled(name: &str) -> AnyModel {
    open(&fixture(&format!("models/{name}.toml")))
}

/// A model file with changes, beside a copy of its network.
fn changed(folder: &Path, name: &str, changes: &[(&str, &str)]) -> PathBuf {
    let mut text = std::fs::read_to_string(fixture(&format!("models/{name}.toml"))).expect("bundled");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let onnx = format!("{name}.onnx");
    std::fs::copy(fixture(&format!("models/{onnx}")), folder.join(&onnx)).expect("a copy");
    let path = folder.join("model.toml");
    std::fs::write(&path, text).expect("a file");
    path
}

/// A denoiser from inside with the implementation of a model file.
struct Inside<'a>(&'a ObjectiveConfig);

impl Sampled for Inside<'_> {
    fn objective(&self) -> &ObjectiveConfig {
        self.0
    }

    fn window(&self) -> Option<usize> {
        None
    }

    fn has_classes(&self) -> bool {
        false
    }

    fn unguidable(&self) -> Option<[&'static str; 2]> {
        None
    }
}

fn drawn(model: &dyn Sampled, denoiser: Denoiser, sampler: Sampler, length: usize) -> Samples {
    let request = Request { sampler, steps: 7, ..Request::new(model, denoiser, 300, length, 5) };
    draw(&Device::flex(), model, denoiser, &request, &Silent).expect("samples")
}

#[test]
fn every_sampler_draws_from_a_model_file_what_it_draws_from_its_table() {
    let bench = Bench::new("example-a");
    let (table, timed) = (bundled("table"), bundled("table-timed"));
    for &sampler in table.objective().samplers() {
        let outside = drawn(&table, table.denoiser(), sampler, 2);
        let inside = drawn(&Inside(table.objective()), Denoiser::Tokens(&bench.table), sampler, 2);
        assert_eq!((&outside.tokens, &outside.evaluations), (&inside.tokens, &inside.evaluations), "{sampler}");
        let witness = drawn(&timed, timed.denoiser(), sampler, 2);
        assert_ne!(outside.tokens, witness.tokens, "witness: {sampler} draws the same from another network");
    }
    table.check_calls().expect("no call has failed");
}

/// A denoiser that answers the same whatever it sees: the logits of each position.
struct Constant(Vec<f32>);

impl TokenDenoiser for Constant {
    fn values(&self) -> usize {
        17
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let batch = input.z.dims()[0];
        Tensor::from_data(TensorData::new(self.0.repeat(batch), [batch, 64, 17]), &input.z.device())
    }
}

#[test]
fn a_uniform_model_file_has_the_bound_and_the_samples_of_its_logits() {
    let (folder, device) = (tempfile::tempdir().expect("a folder"), Device::flex());
    let model = open(&uniform_pixels(folder.path()));
    let input = Input::new(ids_tensor(&[0; 64], 64, &device), &[1.0]);
    let logits = model.denoiser().tokens().expect("tokens").value_logits(&input).into_data();
    let inside = Constant(logits.iter::<f32>().collect());
    let ObjectiveConfig::D3pmUniform(objective) = model.objective() else { panic!("a uniform model") };
    let data = InMemory::new("levels", 17, Tokens::new((0..6 * 64).map(|i| i * 7 % 17).collect(), 64));
    let bound = |model: DiffusionModel| {
        BoundEstimation::new(model, &data, 4, 1).run(&device, &Silent).expect("a bound").per_sequence
    };
    let outside = bound(model.diffusion().expect("tokens"));
    let expected = bound(DiffusionModel::Tokens(objective, &inside));
    let apart = |other: &[f64]| outside.iter().zip(other).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
    println!("uniform: {:.1e}", apart(&expected));
    assert!(apart(&expected) < UNIFORM, "{outside:?} and {expected:?}");
    let masked = bound(DiffusionModel::Tokens(&Md4::new(MaskedSchedule::Linear, Weighting::Elbo), &inside));
    assert!(apart(&masked) > 1e-2, "witness: the bound of a masked model: {outside:?} and {masked:?}");
    let request = Request { steps: 5, ..Request::new(&model, model.denoiser(), 40, 64, 5) };
    // Told no class, the file's network takes the row of none.
    let plain = Inside(model.objective());
    let samples = |denoiser: Denoiser| draw(&device, &plain, denoiser, &request, &Silent).expect("samples");
    let none: &dyn TokenDenoiser = &Unclassed(model.denoiser().tokens().expect("tokens"));
    assert_eq!(samples(none.into()).tokens, samples(Denoiser::Tokens(&inside)).tokens);
}

/// A denoiser that is told no class.
struct Unclassed<'a>(&'a dyn TokenDenoiser);

impl TokenDenoiser for Unclassed<'_> {
    fn values(&self) -> usize {
        self.0.values()
    }

    fn sees_time(&self) -> bool {
        self.0.sees_time()
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        self.0.logits(input)
    }
}

/// The model file of the pixels as one of uniform diffusion.
fn uniform_pixels(folder: &Path) -> PathBuf {
    changed(folder, "pixels", &[("kind = \"masked\"", "kind = \"uniform\""), ("mask_id = 17\n", "")])
}

fn atoms() -> MixtureDenoiser {
    let atom = |place: f64, weight: f64| Component { weight, mean: [place, 0.0], std: 0.0 };
    let law = Mixture { dimensions: 1, components: vec![atom(-0.5, 0.3), atom(0.5, 0.7)] };
    MixtureDenoiser { law, prediction: Prediction::Eps, values: 2 }
}

#[test]
fn every_sampler_draws_from_a_gaussian_model_file_what_it_draws_from_its_mixture() {
    let (model, atoms) = (bundled("atoms"), atoms());
    for &sampler in model.objective().samplers() {
        let outside = drawn(&model, model.denoiser(), sampler, 1);
        let inside = drawn(&Inside(model.objective()), Denoiser::Gaussian(&atoms), sampler, 1);
        assert_eq!(outside.tokens, inside.tokens, "{sampler}");
        let ones = outside.tokens.ids().iter().filter(|&&id| id == 1).count();
        assert!((150..270).contains(&ones), "{sampler}: {ones} of 300 where 210 are expected");
    }
}

#[test]
fn classes_reach_a_network_that_is_told_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let masked = bundled("pixels");
    let uniform = open(&uniform_pixels(folder.path()));
    // A zero is hollow.
    const CENTRE: [usize; 4] = [27, 28, 35, 36];
    let level = |ids: &[u32]| CENTRE.iter().map(|&at| f64::from(ids[at])).sum::<f64>() / 4.0;
    let mean = |model: &AnyModel, class: Option<u32>| {
        let request = Request { class, steps: 8, ..Request::new(model, model.denoiser(), 200, 64, 2) };
        let samples = model.draw(&request, &Device::flex(), &Silent).expect("samples");
        let expected: Vec<u32> = (0..200).map(|i| class.unwrap_or(i % 10)).collect();
        assert_eq!(samples.classes, expected);
        Estimate::of(&samples.tokens.rows().map(level).collect::<Vec<_>>())
    };
    // The pixels are independent: every sampler of masked diffusion has the network's own law.
    let device = Device::flex();
    let input = Input::new(ids_tensor(&[17; 64], 64, &device), &[1.0]).with_class(&[0]);
    let logits = masked.denoiser().tokens().expect("tokens").value_logits(&input).into_data();
    let logits: Vec<f32> = logits.iter::<f32>().collect();
    let grey =
        |at: usize| softmax(&logits[at * 17..][..17]).iter().zip(0..).map(|(p, v)| p * f64::from(v)).sum::<f64>();
    let exact = CENTRE.map(grey).iter().sum::<f64>() / 4.0;
    agrees("the centre of zeros", &mean(&masked, Some(0)), exact);
    let all = mean(&masked, None);
    assert!(all.value > exact + 10.0 * all.standard_error, "witness: all classes are hollow: {all:?}");
    let (zeros, ones) = (mean(&uniform, Some(0)), mean(&uniform, Some(1)));
    assert!(zeros.value < ones.value - 4.0 * ones.standard_error, "{zeros:?}, {ones:?}");
}

#[test]
fn the_ode_of_a_model_file_has_the_code_lengths_of_the_exact_field() {
    let (model, device) = (bundled("atoms"), Device::flex());
    let data = InMemory::new("atoms", 2, Tokens::new((0..16).map(|i| u32::from(i % 10 < 7)).collect(), 1));
    let objective = model.objective().gaussian().expect("a Gaussian model");
    let solve = |step: f64, exact_trace: bool| -> OdeNll {
        let estimation = OdeLikelihood {
            objective,
            denoiser: model.denoiser().gaussian().expect("points"),
            derivative: Derivative::Differences(step),
            data: &data,
            conditional: false,
            dequantisation: Dequantisation::Decoder,
            exact_trace,
            steps: 100,
            draws: 1,
            sequences: None,
            seed: 3,
        };
        model.calls(|| estimation.run(&device, &Silent)).expect("a solution")
    };
    // The same noise, through the derivative in closed form and in double precision.
    let all: Vec<usize> = (0..16).collect();
    let key = Key::new(3, "ode").fold(0).fold(0).fold(0);
    let tokens = data.select(&all).expect("in memory");
    let noisy = Dequantised::draw(&tokens, Decoder { values: 2 }, [-6.0, 5.0], Dequantisation::Decoder, &key);
    let exact = noisy.code_lengths(&atoms(), 100, || {});
    let worst = |found: &OdeNll| {
        found.per_sequence.iter().zip(&exact).map(|(found, exact)| (found - exact).abs()).fold(0.0, f64::max)
    };
    for exact_trace in [true, false] {
        let found = solve(0.0625, exact_trace);
        println!("by differences: {:.1e}; step {:?}", worst(&found), found.step_difference);
        assert!(worst(&found) < DIFFERENCED, "{:e}", worst(&found));
        assert!(found.has_exact_derivative() && found.is_converged(), "{found:?}");
    }
    let coarse = solve(8.0, true);
    println!("coarse: {:.1e}; step {:?}", worst(&coarse), coarse.step_difference);
    assert!(worst(&coarse) > 100.0 * DIFFERENCED, "witness: {:e} with a step of 8 times the noise", worst(&coarse));
    assert!(!coarse.has_exact_derivative(), "{coarse:?}");
}

#[test]
fn the_cascade_of_a_model_file_is_that_of_its_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bench, device) = (Bench::new("example-a"), Device::flex());
    let of = |model: &AnyModel| model.cascade(&bench.toy, &MaskedSchedule::Cosine, 6, &Weighting::Elbo, None, &device);
    let exact = cascade(&bench.all, &MaskedSchedule::Cosine, 6, &Weighting::Elbo).expect("a cascade");
    let worst = |found: &elbow_theory::Cascade| {
        let pairs = found.elbo.iter().zip(&exact.elbo).chain(found.gap.iter().zip(&exact.gap));
        pairs.map(|(found, exact)| (found - exact).abs()).fold(0.0, f64::max)
    };
    for name in ["table", "table-fixed"] {
        let found = of(&bundled(name)).expect("a cascade");
        println!(
            "{name}: {:.1e}, residuals {:.1e} {:.1e}",
            worst(&found),
            found.theorem1_residual,
            found.theorem2_residual
        );
        assert!(worst(&found) < SINGLE, "{name}: {:e}", worst(&found));
        assert!(found.theorem1_residual < 1e-12 && found.theorem2_residual < 1e-12, "{name}");
    }
    // Witness: with the id of [CLS] for the mask the network takes hidden tokens for values.
    let wrong = of(&open(&changed(folder.path(), "table", &[("mask_id = 2", "mask_id = 0")]))).expect("a cascade");
    assert!(worst(&wrong) > 1e-2, "witness: {:e}", worst(&wrong));
    for (name, words) in
        [("table-timed", "sees the time"), ("atoms", "no masked diffusion"), ("pixels", "told classes")]
    {
        let failure = of(&bundled(name)).expect_err("no table").to_string();
        assert!(failure.contains(words), "{name}: {failure}");
    }
    let three = Bench::new("three-tokens").toy;
    let failure = bundled("table").cascade(&three, &MaskedSchedule::Linear, 2, &Weighting::Elbo, None, &device);
    let failure = failure.expect_err("another size").to_string();
    assert!(failure.contains("2 values and 2 tokens"), "{failure}");
}
