//! Mistakes of public codes, one test each.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::corruption::MaskedBatch;
use elbow_impls::d3pm::{D3pmAbsorbing, D3pmUniform, ReverseKernel};
use elbow_impls::data::Tokens;
use elbow_impls::md4::{Grid, Md4};
use elbow_impls::mdlm::{Mdlm, Protocol};
use elbow_impls::network::{Input, TokenDenoiser, to_f64_vec};
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{Key, Weighting};

use crate::FnTokens;

/// The same logits at every position; the last may be the mask's.
fn constant(values: usize, logits: impl Into<Vec<f32>>) -> impl TokenDenoiser {
    let logits = logits.into();
    let outputs = logits.len();
    let row = TensorData::new(logits, [1, 1, outputs]);
    let logits = move |input: &Input| {
        let [batch, length] = input.z.dims();
        Tensor::<3>::from_data(row.clone(), &input.z.device()).expand([batch, length, outputs])
    };
    FnTokens { values, logits, theta: None }
}

fn uniform(steps: Option<u32>, kernel: ReverseKernel) -> D3pmUniform {
    D3pmUniform { schedule: MaskedSchedule::Linear, steps, kernel, hybrid_ce_weight: 0.0 }
}

fn batch(ids: &[u32], length: usize, u: &[f64]) -> Batch {
    Batch::new(Tokens::new(ids.to_vec(), length), u.to_vec())
}

fn bits(terms: &[BoundTerms]) -> Vec<f64> {
    terms.iter().map(BoundTerms::sum).collect()
}

#[test]
fn rotated_times_are_as_many_as_the_sequences() {
    // arange(0, 1, 1/B) has B + 1 points for these B in single or double precision.
    for n in [25, 29, 31, 49, 98, 103, 512, 1000] {
        let times = TimeSampling::Rotated.draw(n, &Key::new(0, "times"));
        assert_eq!(times.len(), n);
        assert!(times.iter().all(|t| (0.0..1.0).contains(t) && *t > 0.0));
    }
}

#[test]
fn every_step_of_discrete_time_is_drawn_and_the_first_is_finite() {
    // Times mapped into [1e-3, 1] before rounding up never give t = 1/1000; and at t = dt the formula with the mask's
    // mass divides 0 by 0.
    let device = Device::flex();
    for steps in [1u32, 10, 1000] {
        let d3pm = D3pmAbsorbing { steps, hybrid_ce_weight: 0.0 };
        let u = TimeSampling::Stratified.draw(steps as usize, &Key::new(1, "times"));
        let mut drawn: Vec<u32> = u.iter().map(|&u| d3pm.step(u)).collect();
        drawn.sort_unstable();
        assert!(drawn.into_iter().eq(1..=steps), "T = {steps}");
    }
    let with_mask = constant(3, [0.1, 0.2, 0.3, 2.0]);
    let plain = constant(3, [0.1, 0.2, 0.3]);
    let first = batch(&[0, 1, 2, 0], 4, &[1e-12]);
    let key = Key::new(2, "masks");
    let md4 = Md4 { steps: Some(100), ..Md4::new(MaskedSchedule::Linear, Weighting::Elbo) };
    let found = [
        D3pmAbsorbing { steps: 100, hybrid_ce_weight: 0.0 }.nelbo(&with_mask, &first, &key, &device),
        md4.nelbo(&plain, &first, &key, &device),
        uniform(Some(100), ReverseKernel::D3pm).nelbo(&plain, &first, &key, &device),
    ]
    .map(|terms| terms.expect("a bound"));
    assert!(found.iter().flatten().all(|terms| terms.sum().is_finite()), "{found:?}");
}

#[test]
fn a_visible_token_costs_nothing_even_where_the_network_excludes_it() {
    // 0 times infinity is not 0: multiplying by the mask does not remove an infinite cost.
    let device = Device::flex();
    let certain = constant(2, [0.0, f32::NEG_INFINITY]);
    let data = batch(&[1, 0], 2, &[0.5]);
    let cost = |masked: [bool; 2]| {
        let z = MaskedBatch::new(&data, &[0.5], 2, masked.to_vec(), &device).expect("data values");
        to_f64_vec(z.cross_entropy(&certain))
    };
    assert_eq!(cost([false, true]), [0.0]);
    assert_eq!(cost([true, false]), [f64::INFINITY], "witness: a masked one does cost");
}

#[test]
fn the_network_puts_no_mass_on_the_mask() {
    // A large logit of the mask must not change the loss under SUBS; kept, it would.
    let device = Device::flex();
    let data = batch(&[0, 1, 2, 1], 4, &[0.7]);
    let cost = |mask: f32| {
        let denoiser = constant(3, [0.3, -0.2, 0.1, mask]);
        let objectives: [&dyn TokenObjective; 2] =
            [&Mdlm { protocol: Protocol::Exact }, &D3pmAbsorbing { steps: 10, hybrid_ce_weight: 0.0 }];
        objectives.map(|o| bits(&o.nelbo(&denoiser, &data, &Key::new(3, "masks"), &device).expect("a bound")))
    };
    let ([low, kept_low], [high, kept_high]) = (cost(-5.0), cost(8.0));
    assert!((low[0] - high[0]).abs() < 1e-4, "{low:?} {high:?}");
    assert!((kept_low[0] - kept_high[0]).abs() > 1.0, "witness: D3PM keeps the mass ({kept_low:?} {kept_high:?})");
}

#[test]
fn the_mask_is_no_data_value() {
    let masked = |ids: &[u32]| MaskedBatch::new(&batch(ids, 2, &[0.5]), &[0.5], 3, vec![false, false], &Device::flex());
    let error = masked(&[0, 3]).err().expect("3 is the mask's id").to_string();
    assert!(error.contains("token 3 is no data value"), "{error}");
    assert!(masked(&[0, 2]).is_ok(), "witness: 2 is the last value");
}

#[test]
fn the_published_interval_is_a_mean_and_not_the_integral() {
    // MDLM reports the mean of the integrand over [1e-3, 1]; the integral is 0.999 of it, and (0, 1e-3] is left out.
    let (published, exact) = (Mdlm { protocol: Protocol::Published }, Mdlm { protocol: Protocol::Exact });
    assert_eq!((published.time(0.0), published.time(1.0)), (1e-3, 1.0));
    assert_eq!((exact.time(1e-9), exact.time(0.5)), (1e-9, 0.5));
    let denoiser = constant(4, [0.0; 4]);
    let data = batch(&[0, 1, 2, 3], 4, &[0.5]);
    let prior = |objective: Mdlm| {
        objective.nelbo(&denoiser, &data, &Key::new(5, "masks"), &Device::flex()).expect("a bound")[0].prior
    };
    assert_eq!(prior(published), 0.0);
    // The exact protocol adds the prior of the thousandth that stays visible at t = 1.
    assert!((prior(exact) - 1e-3 * 4.0 * 4f64.ln()).abs() < 1e-12);
}

#[test]
fn a_probability_that_underflows_is_no_nan() {
    // Without an auxiliary loss its infinite cross-entropy must not become 0 times infinity.
    let device = Device::flex();
    let certain = constant(3, [0.0, -300.0, -300.0]);
    let data = batch(&[1, 2, 0, 1], 4, &[0.01]);
    for (kernel, steps) in
        [(ReverseKernel::D3pm, None), (ReverseKernel::D3pm, Some(10)), (ReverseKernel::Mixture, Some(10))]
    {
        let uniform = uniform(steps, kernel);
        let terms = uniform.nelbo(&certain, &data, &Key::new(8, "noise"), &device).expect("a bound");
        assert!(terms[0].sum().is_finite() && terms[0].sum() > 0.0, "{kernel} {steps:?}: {terms:?}");
        let loss = to_f64_vec(uniform.loss(&certain, &data, &Key::new(8, "noise"), &device).expect("a loss"));
        assert!(loss[0].is_finite(), "{kernel} {steps:?}: {loss:?}");
    }
}

#[test]
fn the_cosine_grid_under_the_cosine_schedule_warps_twice() {
    let (linear, cosine) = (MaskedSchedule::Linear, MaskedSchedule::Cosine);
    for i in 1..10 {
        let warped = linear.alpha(Grid::Cosine.time(i, 10));
        assert!((warped - cosine.alpha(Grid::Uniform.time(i, 10))).abs() < 1e-15);
        assert!((warped - cosine.alpha(Grid::Cosine.time(i, 10))).abs() > 1e-4, "witness: twice is once at {i}");
    }
}

#[test]
fn costs_over_the_number_of_masks_are_not_the_bound() {
    // The mean of (sum of CE / t) / masks is about twice the bound per token for a uniform network: 1/t per row with a mask.
    let denoiser = constant(4, [0.0; 4]);
    let (device, n, length) = (Device::flex(), 4096, 8);
    let u = TimeSampling::Stratified.draw(n, &Key::new(6, "times"));
    let data = batch(&vec![0; n * length], length, &u);
    let key = Key::new(7, "masks");
    let terms =
        Md4::new(MaskedSchedule::Linear, Weighting::Elbo).nelbo(&denoiser, &data, &key, &device).expect("a bound");
    let bound = bits(&terms).iter().sum::<f64>() / (n * length) as f64;
    assert!((bound / 4f64.ln() - 1.0).abs() < 0.05, "a uniform network's bound is ln V a token: {bound}");
    // Each row's cost is masks * ln 4, so that its number of masks can be read off.
    let masks = |(terms, t): (&BoundTerms, &f64)| (terms.diffusion * t / 4f64.ln()).round();
    let total: f64 = terms.iter().zip(&u).map(masks).sum();
    let wrong = bits(&terms).iter().sum::<f64>() / total;
    assert!((wrong / bound - 2.0).abs() < 0.1, "{wrong} {bound}");
}
