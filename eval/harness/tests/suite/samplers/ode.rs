//! The probability-flow ODE: densities (`fixtures/gaussian-samplers`), traces, and code lengths of tokens.

use burn::tensor::{Device, Float, Tensor, TensorData};
use elbow_base::Silent;
use elbow_harness::likelihood::ode::{Derivative, Field, NetworkField, Trace, log_density};
use elbow_harness::likelihood::{Dequantisation, Dequantised, Estimate, OdeLikelihood};
use elbow_impls::data::{InMemory, Tokens};
use elbow_impls::gaussian::{Decoder, Gaussian, Level, Prediction};
use elbow_impls::network::{GaussianDenoiser, Input};
use elbow_impls::{Key, Weighting};
use elbow_theory::gaussian::{Component, Mixture};

use super::gaussian::{REJECT, denoiser, golden, mixture};
use crate::fixture::{number, numbers, score};

/// Largest error of log p along the ODE in 400 steps. Measured: 7e-8.
const FLOW: f64 = 7e-7;
/// Largest difference of a trace from central differences of width 0.02 in single precision. Measured: 1.7e-5.
const TRACE: f64 = 1.5e-4;
/// Largest error of a token's mean code length, nats. Measured: 2.7e-4.
const CODE: f64 = 2.5e-3;

#[test]
fn the_ode_has_the_exact_density() {
    let golden = golden();
    let flow = &golden["flow"];
    let range = ["gamma_min", "gamma_max"].map(|name| number(&flow[name]));
    let y = numbers(&flow["y0"]);
    for (name, law) in [("exact", "mixture"), ("wrong", "wrong_mixture")] {
        let field = denoiser(mixture(&golden[law]), Prediction::Eps);
        let found = log_density(&field, &y, 1, range, 400, || {});
        let worst = found.iter().zip(numbers(&flow[name]["ln_p"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{name}: {worst:.1e}");
        assert!(worst < FLOW, "{name}: {worst:e}");
        let truth = found.iter().zip(numbers(&flow["ln_density"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if name == "wrong" {
            assert!(truth > 0.1, "witness: a wrong denoiser has the true density ({truth:e})");
        }
    }
    let plane = &golden["flow_plane"];
    let y: Vec<f64> = plane["y0"].as_array().expect("points").iter().flat_map(numbers).collect();
    let field = denoiser(mixture(plane), Prediction::Eps);
    let found = log_density(&field, &y, 2, range, 400, || {});
    let worst = found.iter().zip(numbers(&plane["ln_p"])).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("plane: {worst:.1e}");
    assert!(worst < FLOW, "plane: {worst:e}");
}

/// Code lengths of single tokens: their mean is the entropy of the law that the ODE carries, in either dequantisation.
#[test]
fn code_lengths_of_tokens_are_those_of_the_exact_density() {
    const DRAWS: usize = 2000;
    // So much noise at the end that the prior is the data's own law there.
    let ends = [-6.0, 13.0];
    let law = [0.1, 0.3, 0.05, 0.35, 0.2];
    let decoder = Decoder { values: 5 };
    let components = law.iter().enumerate();
    let component = |(v, &weight): (usize, &f64)| Component { weight, mean: [decoder.point(v as u32), 0.0], std: 0.0 };
    let atoms = Mixture { dimensions: 1, components: components.map(component).collect() };
    let first = Level::of_log_snr(6.0);
    let noisy = atoms.noisy(1.0, first.sigma / first.alpha);
    let field = denoiser(atoms, Prediction::Eps);
    for (value, probability) in law.iter().enumerate() {
        let tokens = Tokens::new(vec![value as u32; DRAWS], 1);
        let found = |how| {
            let key = Key::new(value as u64, "dequantisation");
            Estimate::of(&Dequantised::draw(&tokens, decoder, ends, how, &key).code_lengths(&field, 200, || {}))
        };
        // The noise is far finer than the bins: the decoder never errs, and the code length is -ln p(x).
        let decoded = found(Dequantisation::Decoder);
        let error = (decoded.value + probability.ln()).abs();
        println!("value {value}: {error:.1e}");
        assert!(error < CODE, "value {value}: {decoded:?} against {}", -probability.ln());
        // -ln p(y) over the bin, less the logarithm of its size: by the midpoint rule.
        let place = decoder.point(value as u32);
        let nats = |k: i32| -noisy.log_density([place + 0.4 * ((f64::from(k) + 0.5) / 4000.0 - 0.5), 0.0]);
        let exact = (0..4000).map(nats).sum::<f64>() / 4000.0 - 0.4f64.ln();
        let uniform = found(Dequantisation::Uniform);
        let score = score(&uniform, exact);
        assert!(score < REJECT, "value {value}: {uniform:?} against {exact}");
    }
}

/// F(z) = tanh(A z) with a fixed A, on any device.
struct Small;

const A: [[f32; 3]; 3] = [[0.5, -0.3, 0.2], [0.1, 0.7, -0.4], [-0.2, 0.3, 0.4]];

impl GaussianDenoiser for Small {
    fn values(&self) -> usize {
        2
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        let a = Tensor::from_data(TensorData::new(A.concat(), [3, 3]), &input.z.device());
        input.z.clone().matmul(a).tanh()
    }
}

#[test]
fn a_denoiser_that_is_no_network_has_an_ode_likelihood() {
    let device = Device::flex().autodiff();
    let tokens = Tokens::new((0..24).map(|i| i * 5 / 3 % 2).collect(), 3);
    let objective = Gaussian::new("fixed-linear:-6:5".parse().expect("a schedule"), Weighting::Elbo, Prediction::V);
    let solve = |objective: &Gaussian, steps: usize| {
        let estimation = OdeLikelihood {
            objective,
            denoiser: &Small,
            derivative: Derivative::Automatic,
            data: &InMemory::new("bits", 2, tokens.clone()),
            conditional: false,
            dequantisation: Dequantisation::Decoder,
            exact_trace: true,
            steps,
            draws: 1,
            sequences: None,
            seed: 1,
        };
        estimation.run(&device, &Silent)
    };
    let found = solve(&objective, 64).expect("a solution");
    assert!(found.is_converged() && found.nats.value.is_finite(), "{found:?}");
    assert!(!solve(&objective, 2).expect("a solution").is_converged(), "witness: two steps are too few");
    let error = solve(&Gaussian { learned: true, ..objective }, 64).expect_err("it learned no ends").to_string();
    assert!(error.contains("no learned ends"), "{error}");
}

/// Largest difference of an extrapolated trace by differences of 1/8 and 1/16 of the noise from that by automatic
/// differentiation. Measured: 4.2e-6.
const EXTRAPOLATED: f64 = 4e-5;

#[test]
fn differences_of_a_network_have_its_derivative() {
    let (plain, differentiating) = (Device::flex(), Device::flex().autodiff());
    let z = [0.3, -0.5, 0.8, 1.1, 0.2, -0.7];
    let mut coarsest = 0f64;
    for prediction in [Prediction::Eps, Prediction::X, Prediction::V, Prediction::Edm { sigma_data: 0.5 }] {
        for trace in [Trace::Exact, Trace::Hutchinson(Key::new(4, "signs"))] {
            let traces = |derivative: Derivative| {
                let device = if derivative == Derivative::Automatic { &differentiating } else { &plain };
                let trace = trace.clone();
                let field = NetworkField { denoiser: &Small, device, prediction, class: Vec::new(), trace, derivative };
                field.eps_and_trace(&z, 3, 0.7)
            };
            let (eps, exact) = traces(Derivative::Automatic);
            let [whole, half] = [0.125, 0.0625].map(|step| traces(Derivative::Differences(step)));
            assert!(eps.iter().zip(&half.0).all(|(a, b)| (a - b).abs() < 1e-6), "the same eps_hat");
            let error = |found: &dyn Fn(usize) -> f64| {
                exact.iter().enumerate().map(|(i, exact)| (found(i) - exact).abs()).fold(0.0, f64::max)
            };
            let found = error(&|i| (4.0 * half.1[i] - whole.1[i]) / 3.0);
            println!("{prediction}, {trace:?}: {found:.1e}, {:.1e} by the whole step", error(&|i| whole.1[i]));
            assert!(found < EXTRAPOLATED, "{prediction}: {found:e}");
            coarsest = coarsest.max(error(&|i| whole.1[i]));
        }
    }
    assert!(coarsest > 10.0 * EXTRAPOLATED, "witness: one step is as good as two ({coarsest:e})");
}

#[test]
fn traces_of_networks_are_exact_or_unbiased() {
    let device = Device::flex().autodiff();
    let z = [0.3, -0.5, 0.8, 1.1, 0.2, -0.7];
    let field = |trace: Trace, prediction: Prediction| NetworkField {
        denoiser: &Small,
        device: &device,
        prediction,
        class: Vec::new(),
        trace,
        derivative: Derivative::Automatic,
    };
    for prediction in [Prediction::Eps, Prediction::V, Prediction::Edm { sigma_data: 0.5 }] {
        let exact = field(Trace::Exact, prediction);
        let (_, trace) = exact.eps_and_trace(&z, 3, 0.7);
        let mut worst = 0f64;
        // Central differences of eps_hat itself.
        for (row, found) in trace.iter().enumerate() {
            let derivative = |i: usize| {
                let shifted = |by: f64| {
                    let mut z = z;
                    z[3 * row + i] += by;
                    exact.eps_and_trace(&z, 3, 0.7).0[3 * row + i]
                };
                (shifted(0.01) - shifted(-0.01)) / 0.02
            };
            let expected: f64 = (0..3).map(derivative).sum();
            worst = worst.max((found - expected).abs());
        }
        println!("{prediction}: {worst:.1e}");
        assert!(worst < TRACE, "{prediction}: {worst:e}");
        let draws: Vec<f64> = (0..400)
            .map(|k| field(Trace::Hutchinson(Key::new(k, "signs")), prediction).eps_and_trace(&z, 3, 0.7).1[0])
            .collect();
        let mean = Estimate::of(&draws);
        let score = score(&mean, trace[0]);
        assert!(score < REJECT, "{prediction}: {mean:?} against {}", trace[0]);
    }
}
