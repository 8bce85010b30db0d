//! Masked diffusion with one schedule for all values, and left to right.

use impls::Key;
use impls::any_order::{AnyOrder, K_DCE, k_dce_draws};
use impls::autoregressive::Autoregressive;
use impls::corruption::{numbers, row_sums};
use impls::maskgit::{MaskGit, MaskRates, Normaliser};
use impls::md4::Md4;
use impls::mdlm::{Mdlm, Protocol};
use impls::objective::{Objective, Terms};
use impls::schedule::{LogSnr, MaskedSchedule};
use serde_json::Value;

use super::{Golden, TOLERANCE, agrees, error, flat, rejects, text, weighted};

#[test]
fn md4_in_continuous_time_with_every_weighting() {
    let golden = Golden::load();
    let (cost, times) = (golden.hidden_cost(), flat(golden.input("times")));
    for (name, prefix) in [("md4-continuous", ""), ("md4-continuous-clipped", "md4:")] {
        for case in golden.cases(name) {
            let schedule: MaskedSchedule = format!("{prefix}{}", text(case, "schedule")).parse().expect("a schedule");
            agrees(
                &format!("{name} {schedule}"),
                &weighted(&cost, |t| schedule.elbo_weight(t), &times),
                &case["per_sequence"],
            );
            if !prefix.is_empty() {
                let terms = Md4::new(schedule, impls::Weighting::Elbo).nelbo(
                    &golden.logits("logits"),
                    &golden.batch(),
                    &Key::new(0, "any"),
                    &golden.device,
                );
                agrees("reconstruction", &[terms[0].reconstruction], &case["reconstruction"]);
                agrees("prior", &[terms[0].prior], &case["prior_exact"]);
            }
        }
    }
    for case in golden.cases("md4-weighted") {
        let schedule: MaskedSchedule = text(case, "schedule").parse().expect("a schedule");
        let weighting: impls::Weighting = text(case, "weighting").parse().expect("a weighting");
        let found = weighted(&cost, |t| weighting.ce_weight(&schedule, t), &times);
        agrees(&format!("{schedule} {weighting}"), &found, &case["per_sequence"]);
    }
    // w/t^w in place of w/t, and a cosine derivative without its factor: mistakes of public codes.
    let poly = MaskedSchedule::Poly(2.0);
    rejects(
        "md4-poly-rate",
        &weighted(&cost, |t| poly.elbo_weight(t), &times),
        &golden.witness("md4-poly-rate")["per_sequence"],
    );
    let cosine = weighted(&cost, |t| MaskedSchedule::Cosine.elbo_weight(t), &times);
    rejects("cosine-derivative", &cosine, &golden.witness("cosine-derivative")["per_sequence"]);
}

#[test]
fn md4_in_discrete_time() {
    let golden = Golden::load();
    let (logits, batch) = (golden.logits("logits"), golden.batch());
    for case in golden.cases("md4-finite") {
        let clipped = case["eps"].as_f64() > Some(0.0);
        let name = format!("{}{}", if clipped { "md4:" } else { "" }, text(case, "schedule"));
        let schedule: MaskedSchedule = name.parse().expect("a schedule");
        let steps = case["steps"].as_u64().expect("steps") as u32;
        let md4 = Md4 { steps: Some(steps), ..Md4::new(schedule, impls::Weighting::Elbo) };
        let times: Vec<f64> = batch.u.iter().map(|&u| md4.time(u)).collect();
        assert!(error(&times, &flat(&case["times_used"])) < 1e-15);
        // The weight is private: a loss with the same masks as the cross-entropy beside it gives it away.
        let key = Key::new(1, "masks");
        let bound: Vec<f64> = md4.nelbo(&logits, &batch, &key, &golden.device).iter().map(|t| t.diffusion).collect();
        let plain = Md4 { weighting: impls::Weighting::Elbo, ..md4 }.loss(&logits, &batch, &key, &golden.device);
        assert!(error(&numbers(plain), &bound) < TOLERANCE);
        let found = weighted(&golden.hidden_cost(), |t| md4.step_weight(t), &times);
        agrees(&format!("{schedule} T = {steps}"), &found, &case["per_sequence"]);
    }
}

#[test]
fn mdlm_subs_times_and_importance() {
    let golden = Golden::load();
    let (cost, times) = (golden.hidden_cost(), flat(golden.input("times")));
    let published = Mdlm { protocol: Protocol::Published };
    let found = weighted(&cost, |t| published.weight(t), &times);
    let case = golden.case("mdlm-subs");
    agrees("mdlm-subs", &found, &case["per_sequence"]);
    agrees("mdlm batch", &[found.iter().sum::<f64>() / 42.0], &case["batch"]);
    // The mask's logit is dropped: with it, the cost is another.
    let with_mask = golden.logits("logits_with_mask");
    let hidden = golden.corrupted("masked");
    agrees("zero mask", &numbers(row_sums(hidden.cross_entropies(&with_mask))), &Value::from(cost.clone()));
    let drawn: Vec<f64> =
        times.iter().enumerate().map(|(i, u)| published.time(((u + i as f64) / 6.0).fract())).collect();
    agrees("mdlm-times", &drawn, &golden.case("mdlm-times")["times_used"]);
    // ln(1 - alpha) uniform: the weight is the length of its interval.
    let importance = Mdlm { protocol: Protocol::Importance };
    let (low, high) = (importance.time(0.0), importance.time(1.0));
    assert!((importance.weight(0.5) - (high / low).ln()).abs() < 1e-12 && high == 1.0);
    let case = golden.case("mdlm-finite");
    let steps = Md4 { steps: Some(100), ..Md4::new(MaskedSchedule::Linear, impls::Weighting::Elbo) };
    let at: Vec<f64> = times.iter().map(|&u| steps.time(u)).collect();
    agrees("mdlm-finite", &weighted(&cost, |t| steps.step_weight(t), &at), &case["per_sequence"]);
}

#[test]
fn maskgit_smoothing_normalisers_and_rates() {
    let golden = Golden::load();
    let (logits, hidden) = (golden.logits("logits"), golden.corrupted("masked"));
    let counts: Vec<f64> = [2.0, 0.0, 4.0, 5.0, 5.0, 7.0].to_vec();
    let sums = |smoothing: f64| {
        let maskgit = MaskGit { rates: MaskRates::Cosine, normaliser: Normaliser::PerRow, label_smoothing: smoothing };
        numbers(row_sums(
            hidden.tokens.only(maskgit.smoothed(hidden.log_mu(&logits), &hidden.tokens.ids(&golden.device))),
        ))
    };
    for case in golden.cases("maskgit-per-row") {
        let smoothing = case["smoothing"].as_f64().expect("a share");
        let rows: Vec<f64> =
            sums(smoothing).iter().zip(&counts).map(|(s, k)| if *k > 0.0 { s / k } else { 0.0 }).collect();
        agrees("per row", &rows, &case["per_sequence"]);
        agrees("mean of rows", &[rows.iter().sum::<f64>() / 6.0], &case["batch"]);
        if smoothing > 0.0 {
            rejects("0.9 on the true value", &rows, &golden.witness("maskgit-smoothing")["per_sequence"]);
        }
    }
    for case in golden.cases("maskgit-global") {
        let total = sums(case["smoothing"].as_f64().expect("a share")).iter().sum::<f64>();
        agrees("global", &[total / 23.0], &case["batch"]);
    }
    let rates = golden.case("mask-rates");
    for (law, name) in [
        (MaskRates::Cosine, "cosine"),
        (MaskRates::Uniform, "uniform"),
        (MaskRates::TruncatedNormal, "truncated-normal"),
    ] {
        let found: Vec<f64> = flat(golden.input("times")).iter().map(|&u| law.rate(u)).collect();
        agrees(name, &found, &rates[name]);
    }
}

#[test]
fn radd_forms_and_the_autoregressive_loss() {
    let golden = Golden::load();
    let (cost, times) = (golden.hidden_cost(), flat(golden.input("times")));
    agrees("lambda-dce", &weighted(&cost, |t| 1.0 / t, &times), &golden.case("lambda-dce")["per_sequence"]);
    let counts = [2.0, f64::NAN, 4.0, 5.0, 5.0, 7.0];
    let k_dce: Vec<f64> = cost.iter().zip(counts).map(|(cost, k)| cost * 7.0 / k).collect();
    agrees("k-dce", &k_dce, &golden.case("k-dce")["per_sequence"]);
    assert_eq!((AnyOrder::count(1e-9, 7), AnyOrder::count(0.5, 7), AnyOrder::count(1.0 - 1e-16, 7)), (1, 4, 7));
    let case = golden.cases("t-dce").find(|case| case["noise"] == "loglinear").expect("log-linear");
    let loglinear = MaskedSchedule::LogLinear;
    agrees("t-dce", &weighted(&cost, |t| loglinear.elbo_weight(t), &times), &case["per_sequence"]);
    let nats = Autoregressive.nelbo(&golden.logits("logits"), &golden.batch(), &Key::new(0, "none"), &golden.device);
    let nats: Vec<f64> = nats.iter().map(|terms| terms.diffusion).collect();
    agrees("ar", &nats, &golden.case("autoregressive")["per_sequence"]);
}

#[test]
fn draws_that_share_an_order_vary_less() {
    // The answer is the same whatever is hidden: the bound is the sum of all costs, and what varies is which tokens are scored.
    const KEYS: u64 = 400;
    let golden = Golden::load();
    let (logits, batch) = (golden.logits("logits"), golden.batch());
    let exact: Vec<f64> =
        Autoregressive.nelbo(&logits, &batch, &Key::new(0, "none"), &golden.device).iter().map(Terms::sum).collect();
    let u: Vec<Vec<f64>> = (0..7).map(|draw| vec![(f64::from(draw) + 0.5) / 7.0; batch.len()]).collect();
    // Mean and variance of the average over the draws, in units of the exact bound, and over its sequences.
    let moments = |averages: &dyn Fn(&Key) -> Vec<Vec<Terms>>| {
        let average = |key: u64| {
            let draws = averages(&Key::new(key, "masks"));
            let row = |row: usize| draws.iter().map(|terms| terms[row].sum()).sum::<f64>() / 7.0 / exact[row];
            (0..batch.len()).map(row).collect::<Vec<f64>>()
        };
        let all: Vec<f64> = (0..KEYS).flat_map(average).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (mean, all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64)
    };
    let shared = moments(&|key| k_dce_draws(&logits, &batch, &u, key, &golden.device).collect());
    let apart = moments(&|key| {
        let draw =
            |(draw, u): (usize, &Vec<f64>)| K_DCE.nelbo(&logits, &batch.at(u), &key.fold(draw as u64), &golden.device);
        u.iter().enumerate().map(draw).collect()
    });
    println!("{shared:?} {apart:?}");
    for (mean, variance) in [shared, apart] {
        assert!((mean - 1.0).abs() < 4.0 * (variance / (KEYS * batch.len() as u64) as f64).sqrt(), "{mean} {variance}");
    }
    assert!(shared.1 < 0.8 * apart.1, "{shared:?} {apart:?}");
    // Witness: one order for all keys has another mean.
    let fixed = moments(&|_| k_dce_draws(&logits, &batch, &u, &Key::new(0, "masks"), &golden.device).collect());
    assert!((fixed.0 - 1.0).abs() > 8.0 * (apart.1 / (KEYS * batch.len() as u64) as f64).sqrt(), "{fixed:?}");
}

#[test]
fn clipped_schedules_are_consistent() {
    for name in ["md4:linear", "md4:cosine", "md4:poly:2", "md4:poly:0.5"] {
        let schedule: MaskedSchedule = name.parse().expect("a schedule");
        assert_eq!(schedule.to_string(), name);
        assert!((schedule.mask_probability(0.0) - 1e-4).abs() < 1e-18 && (schedule.alpha(1.0) - 1e-4).abs() < 1e-18);
        for t in [0.01, 0.3, 0.5, 0.9] {
            assert!((schedule.alpha(t) + schedule.mask_probability(t) - 1.0).abs() < 1e-15);
            assert!((schedule.time_of_log_snr(schedule.log_snr(t)) - t).abs() < 1e-12, "{name} {t}");
            let slope = (schedule.alpha(t + 1e-6) - schedule.alpha(t - 1e-6)) / 2e-6;
            assert!((slope - schedule.alpha_prime(t)).abs() < 1e-8, "{name} {t}");
            let simple = schedule.simple_weight(schedule.log_snr(t)) * schedule.elbo_weight(t);
            assert!((simple - 1.0).abs() < 1e-9, "{name} {t}: {simple}");
        }
    }
}
