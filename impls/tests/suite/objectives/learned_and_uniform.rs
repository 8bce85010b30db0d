//! A learned schedule per value, and D3PM.

use burn::tensor::{Tensor, TensorData};
use elbow_impls::corruption::{Corruption, MaskedBatch};
use elbow_impls::d3pm::{D3pmAbsorbing, D3pmUniform, ReverseKernel};
use elbow_impls::genmd4::GenMd4;
use elbow_impls::network::{Input, to_f64_vec};
use elbow_impls::objective::TokenObjective;
use elbow_impls::schedule::MaskedSchedule;

use super::{Golden, TOLERANCE, agrees, error, flat, ids, rejects, text};
use crate::FnTokens;

#[test]
fn genmd4_loss_surrogate_and_gradients() {
    let golden = Golden::load();
    let device = golden.device.clone().autodiff();
    let on = |name: &str| Tensor::<3>::from_data(golden.logits(name).logits.into_data(), &device).require_grad();
    let case = golden.cases("genmd4").find(|case| case["eps"].as_f64() == Some(0.0)).expect("unclipped");
    let theta: Vec<f32> = flat(golden.input("theta")).into_iter().map(|x| x as f32).collect();
    let theta = Tensor::<1>::from_data(TensorData::new(theta, [5]), &device).require_grad();
    let times = flat(golden.input("times"));
    // Two draws of masks, with logits of their own.
    let (first, second, masks) = (on("logits"), on("logits_2"), golden.masked("masked", &times).input.z.into_data());
    let answer = |input: &Input| if input.z.to_data() == masks { first.clone() } else { second.clone() };
    let both = FnTokens { values: 5, logits: answer, theta: Some(theta.clone()) };
    let draw = |masks: &str| golden.masked(masks, &times);
    for (masks, field) in [("masked", "per_sequence"), ("masked_2", "per_sequence_2")] {
        let terms = GenMd4.nelbo_of(&both, &draw(masks).into()).expect("a bound");
        let found: Vec<f64> = terms.iter().map(|terms| terms.diffusion).collect();
        agrees(&format!("genmd4 {masks}"), &found, &case[field]);
    }
    let pair = Corruption { second: Some(draw("masked_2")), ..draw("masked").into() };
    let surrogate = GenMd4.loss_of(&both, &pair).expect("two draws");
    let mean: Vec<f64> =
        flat(&case["per_sequence"]).iter().zip(flat(&case["per_sequence_2"])).map(|(a, b)| 0.5 * (a + b)).collect();
    assert!(error(&to_f64_vec(surrogate.clone()), &mean) < TOLERANCE, "its value is the loss");
    assert!(GenMd4.loss_of(&both, &draw("masked").into()).is_err(), "one draw has no surrogate");
    let gradients = surrogate.mean().backward();
    agrees("gradient of theta", &to_f64_vec(theta.grad(&gradients).expect("reached")), &case["gradient_theta"]);
    let logits = first.grad(&gradients).expect("reached");
    agrees("gradient of the logits", &to_f64_vec(logits), &case["gradient_logits_1"]);
}

#[test]
fn d3pm_absorbing_with_mass_on_the_mask() {
    let golden = Golden::load();
    let loss = |logits: &str, steps: u32, index: &[f64]| {
        let times: Vec<f64> = index.iter().map(|i| i / f64::from(steps)).collect();
        golden.loss(&D3pmAbsorbing { steps, hybrid_ce_weight: 0.0 }, logits, &times)
    };
    for name in ["d3pm-absorbing", "d3pm-absorbing-first-step"] {
        for case in golden.cases(name) {
            let steps = case["steps"].as_u64().expect("steps") as u32;
            let found = loss("logits_with_mask", steps, &flat(&case["index"]));
            agrees(&format!("{name} T = {steps}"), &found, &case["per_sequence"]);
        }
    }
    let case = golden.cases("d3pm-absorbing").find(|case| case["steps"] == 100).expect("T = 100");
    let found = loss("logits_with_mask", 100, &flat(&case["index"]));
    rejects("alpha_s = t - dt", &found, &golden.witness("d3pm-absorbing-alpha-s")["per_sequence"]);
    // Without mass on the mask it is MD4's finite loss.
    let d3pm = D3pmAbsorbing { steps: 100, hybrid_ce_weight: 0.0 };
    let index: Vec<f64> = golden.times().iter().map(|&u| f64::from(d3pm.step(u))).collect();
    agrees("no mass", &loss("logits", 100, &index), &golden.case("mdlm-finite")["per_sequence"]);
}

#[test]
fn d3pm_uniform_in_both_kernels_and_continuous_time() {
    let golden = Golden::load();
    let z = ids(golden.input("z_uniform"));
    let loss = |steps: Option<u32>, kernel: ReverseKernel, hybrid_ce_weight: f64| {
        let d3pm = D3pmUniform { schedule: MaskedSchedule::Linear, steps, kernel, hybrid_ce_weight };
        let times: Vec<f64> = golden.times().iter().map(|&u| d3pm.time(u)).collect();
        let z = MaskedBatch::predicting_all(&golden.batch(), &z, &times, 5, &golden.device).expect("data values");
        d3pm.loss_of(&golden.logits("logits"), &z.into()).map(to_f64_vec)
    };
    let known = |steps, kernel, weight| loss(steps, kernel, weight).expect("a loss");
    for case in golden.cases("d3pm-uniform") {
        let kernel: ReverseKernel = text(case, "form").parse().expect("a kernel");
        agrees(&format!("d3pm-uniform {kernel}"), &known(Some(10), kernel, 0.0), &case["per_sequence"]);
        let other = match kernel {
            ReverseKernel::D3pm => ReverseKernel::Mixture,
            ReverseKernel::Mixture => ReverseKernel::D3pm,
        };
        rejects("the other kernel", &known(Some(10), other, 0.0), &case["per_sequence"]);
    }
    let hybrid = golden.case("d3pm-hybrid");
    let weight = hybrid["coefficient"].as_f64().expect("a number");
    agrees("hybrid", &known(Some(10), ReverseKernel::D3pm, weight), &hybrid["per_sequence"]);
    rejects("no cross-entropy", &known(Some(10), ReverseKernel::D3pm, 0.0), &hybrid["per_sequence"]);
    let continuous = golden.case("d3pm-uniform-continuous");
    agrees("continuous", &known(None, ReverseKernel::D3pm, 0.0), &continuous["per_sequence"]);
    let error = loss(None, ReverseKernel::Mixture, 0.0).expect_err("no finite bound").to_string();
    assert!(error.contains("mixture"), "{error}");
}
