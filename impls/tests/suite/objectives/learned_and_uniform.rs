//! A learned schedule for each value, and D3PM.

use burn::tensor::{Tensor, TensorData};
use impls::corruption::{Corrupted, numbers, row_sums};
use impls::d3pm::{Absorbing, Kernel, Uniform};
use impls::genmd4::GenMd4;
use impls::network::{Denoiser, Input, ids_tensor};
use impls::schedule::MaskedSchedule;
use serde_json::Value;

use super::{Fixed, Golden, TOLERANCE, agrees, error, flat, rejects, text};

#[test]
fn genmd4_loss_surrogate_and_gradients() {
    let golden = Golden::load();
    let device = golden.device.clone().autodiff();
    let on = |name: &str| Fixed {
        logits: Tensor::<3>::from_data(golden.logits(name).logits.into_data(), &device).require_grad(),
        values: 5,
    };
    let case = golden.cases("genmd4").find(|case| case["eps"].as_f64() == Some(0.0)).expect("unclipped");
    let theta: Vec<f32> = flat(golden.input("theta")).into_iter().map(|x| x as f32).collect();
    let theta = Tensor::<1>::from_data(TensorData::new(theta, [5]), &device).require_grad();
    let times = flat(golden.input("times"));
    // Two masks, and two answers of the denoiser, which saw different things.
    let (first, second) = (on("logits"), on("logits_2"));
    let w = burn::tensor::activation::softplus(theta.clone(), 1.0);
    let corrupted = ["masked", "masked_2"].map(|masks| golden.corrupted(masks));
    let losses = |logits: &Fixed, z: &Corrupted| {
        let cost = numbers(GenMd4::cost(logits, z, &w));
        cost.iter().zip(&times).map(|(cost, t)| cost / t).collect::<Vec<_>>()
    };
    let (l1, l2) = (losses(&first, &corrupted[0]), losses(&second, &corrupted[1]));
    agrees("genmd4 z1", &l1, &case["per_sequence"]);
    agrees("genmd4 z2", &l2, &case["per_sequence_2"]);
    // The surrogate takes one denoiser; this one answers by what it is asked about.
    let both = TwoFaced { first, second, masks: corrupted[0].input.z.clone() };
    let surrogate = GenMd4::surrogate(&both, [&corrupted[0], &corrupted[1]], &times, &theta);
    let mean: Vec<f64> = l1.iter().zip(&l2).map(|(a, b)| 0.5 * (a + b)).collect();
    assert!(error(&numbers(surrogate.clone()), &mean) < TOLERANCE, "its value is the loss");
    let gradients = surrogate.mean().backward();
    let theta_gradient: Vec<f64> = theta.grad(&gradients).expect("reached").into_data().iter::<f64>().collect();
    agrees("gradient of theta", &theta_gradient, &case["gradient_theta"]);
    let logits = both.first.logits.grad(&gradients).expect("reached").into_data();
    agrees("gradient of the logits", &logits.iter::<f64>().collect::<Vec<_>>(), &case["gradient_logits_1"]);
}

/// Two fixed answers, told apart by the masks.
struct TwoFaced {
    first: Fixed,
    second: Fixed,
    masks: Tensor<2, burn::tensor::Int>,
}

impl Denoiser for TwoFaced {
    fn values(&self) -> usize {
        5
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let same = input.z.clone().into_data() == self.masks.clone().into_data();
        if same { self.first.logits.clone() } else { self.second.logits.clone() }
    }
}

#[test]
fn d3pm_absorbing_with_mass_on_the_mask() {
    let golden = Golden::load();
    let hidden = golden.corrupted("masked");
    let costs = |logits: &str, steps: u32, index: &[u32]| {
        let d3pm = Absorbing { steps, hybrid: 0.0 };
        numbers(row_sums(d3pm.costs(&golden.logits(logits), &hidden, index).0))
    };
    let index = |case: &Value| flat(&case["index"]).into_iter().map(|i| i as u32).collect::<Vec<_>>();
    for name in ["d3pm-absorbing", "d3pm-absorbing-first-step"] {
        for case in golden.cases(name) {
            let steps = case["steps"].as_u64().expect("steps") as u32;
            agrees(
                &format!("{name} T = {steps}"),
                &costs("logits_with_mask", steps, &index(case)),
                &case["per_sequence"],
            );
        }
    }
    let case = golden.cases("d3pm-absorbing").find(|case| case["steps"] == 100).expect("T = 100");
    let found = costs("logits_with_mask", 100, &index(case));
    rejects("alpha_s = t - dt", &found, &golden.witness("d3pm-absorbing-alpha-s")["per_sequence"]);
    // Without mass on the mask it is MD4's finite loss.
    let times = flat(golden.input("times"));
    let d3pm = Absorbing { steps: 100, hybrid: 0.0 };
    let steps: Vec<u32> = times.iter().map(|&u| d3pm.step(u)).collect();
    agrees("no mass", &costs("logits", 100, &steps), &golden.case("mdlm-finite")["per_sequence"]);
}

#[test]
fn d3pm_uniform_in_both_kernels_and_continuous_time() {
    let golden = Golden::load();
    let ids = |name: &str| {
        let ids: Vec<u32> = flat(golden.input(name)).into_iter().map(|id| id as u32).collect();
        ids_tensor(&ids, 7, &golden.device)
    };
    let (z, x) = (ids("z_uniform"), ids("x"));
    let mu = burn::tensor::activation::softmax(golden.logits("logits").logits, 2);
    let u = flat(golden.input("times"));
    let costs = |steps: Option<u32>, kernel: Kernel| {
        let d3pm = Uniform { schedule: MaskedSchedule::Linear, steps, kernel, hybrid: 0.0 };
        let (cost, cross_entropy) = d3pm.costs(mu.clone(), &z, &x, &d3pm.ends(&u));
        (numbers(row_sums(cost)), numbers(row_sums(cross_entropy)))
    };
    for case in golden.cases("d3pm-uniform") {
        let kernel: Kernel = text(case, "form").parse().expect("a kernel");
        agrees(&format!("d3pm-uniform {kernel}"), &costs(Some(10), kernel).0, &case["per_sequence"]);
        let other = if kernel == Kernel::D3pm { Kernel::Mixture } else { Kernel::D3pm };
        rejects("the other kernel", &costs(Some(10), other).0, &case["per_sequence"]);
    }
    let hybrid = golden.case("d3pm-hybrid");
    agrees("cross-entropy", &costs(Some(10), Kernel::D3pm).1, &hybrid["cross_entropy"]);
    agrees("continuous", &costs(None, Kernel::D3pm).0, &golden.case("d3pm-uniform-continuous")["per_sequence"]);
}
