//! VDM with learned ends: the whole bound, and its gradient, against golden values of JAX (`fixtures/gaussian-objectives`).

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Float, Tensor, TensorData};
use elbow_impls::Weighting;
use elbow_impls::gaussian::{Gaussian, GaussianCorruption, Prediction};
use elbow_impls::network::{Input, to_f64_vec};

use super::gaussian::{Case, agrees, decoder, golden};
use crate::FnPoints;

/// Largest relative error of a gradient through single-precision tensors. Measured: 9.4e-7.
const TOLERANCE_GRADIENT: f64 = 9e-6;

/// F(z, gamma) = 0.3 tanh(z) - 0.1 z sigmoid(-gamma).
fn output(input: &Input<Float>) -> Tensor<2> {
    // The time at which VDM's schedule has this gamma.
    let gamma = input.time.clone().mul_scalar(18.3).add_scalar(-13.3);
    let z = input.z.clone();
    z.clone().tanh().mul_scalar(0.3) - z * sigmoid(gamma.neg()).unsqueeze_dim::<2>(1).mul_scalar(0.1)
}

/// VDM with learned ends; the initial ones are not read.
fn learned(steps: Option<u32>) -> Gaussian {
    let schedule = "fixed-linear:-6:5".parse().expect("a schedule");
    Gaussian { steps, learned: true, ..Gaussian::new(schedule, Weighting::Elbo, Prediction::Eps) }
}

#[test]
fn the_learned_loss_is_the_whole_bound_in_any_number_of_steps() {
    let device = Device::flex();
    for case in golden().into_iter().map(Case::new) {
        let number = |name: &str| case.golden[name].as_f64().expect("a number");
        let (gamma_min, gamma_max) = (number("gamma_min"), number("gamma_max"));
        let theta = vec![gamma_min as f32, (gamma_max - gamma_min).ln() as f32];
        let theta = Tensor::<1>::from_data(TensorData::new(theta, [2]), &device);
        let denoiser = case.fixed(Some(theta));
        let to_bits = 1.0 / (case.batch.x.length() as f64 * std::f64::consts::LN_2);
        for (steps, name) in [(None, "continuous"), (Some(4), "4"), (Some(1000), "1000")] {
            let found = to_f64_vec(learned(steps).loss_of(&denoiser, &case.corruption()).expect("learned ends"));
            let bits: Vec<f64> = found.iter().map(|nats| nats * to_bits).collect();
            agrees(&format!("learned, T = {steps:?}"), &bits, &case.golden["bits_per_dim"][name], TOLERANCE_GRADIENT);
        }
    }
}

#[test]
fn the_learned_ends_have_the_gradient_of_jax() {
    let device = Device::flex().autodiff();
    for case in golden().into_iter().map(Case::new) {
        for golden in case.golden["gradient"].as_array().expect("two ranges") {
            let number = |name: &str| golden[name].as_f64().expect("a number");
            let start = vec![number("gamma_min") as f32, number("slope") as f32];
            let theta = Tensor::<1>::from_data(TensorData::new(start, [2]), &device).require_grad();
            let denoiser = FnPoints { values: decoder(&case.golden).values, output, theta: Some(theta.clone()) };
            let corruption = GaussianCorruption { device: device.clone(), ..case.corruption() };
            let loss = learned(None).loss_of(&denoiser, &corruption).expect("learned ends").sum();
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let gradient = to_f64_vec(theta.grad(&loss.backward()).expect("it depends on theta"));
            let relative = |a: f64, b: f64| (a - b).abs() / b.abs().max(1.0);
            let errors = [
                relative(value, number("value")),
                relative(gradient[0], number("by_gamma_min")),
                relative(gradient[1], number("by_slope")),
            ];
            println!("{errors:?}");
            assert!(errors.iter().all(|error| *error < TOLERANCE_GRADIENT), "{errors:?}");
            // Witness: the ends shape more than the diffusion term.
            assert!(relative(gradient[1], golden["terms_by_slope"]["diffusion"].as_f64().expect("a part")) > 1e-4);
        }
    }
}
