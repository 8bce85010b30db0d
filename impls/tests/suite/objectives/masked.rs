//! Masked diffusion with one schedule for all values, and left to right.

use elbow_impls::any_order::{AnyOrder, DceForm, K_DCE, k_dce_draws};
use elbow_impls::autoregressive::Autoregressive;
use elbow_impls::maskgit::{MaskGit, MaskRates, Normaliser};
use elbow_impls::md4::Md4;
use elbow_impls::mdlm::{Mdlm, Protocol};
use elbow_impls::network::{TokenDenoiser, to_f64_vec};
use elbow_impls::objective::{BoundTerms, TokenObjective};
use elbow_impls::schedule::{LogSnr, MaskedSchedule};
use elbow_impls::{Key, Weighting};
use serde_json::Value;

use super::{Fixed, Golden, agrees, error, flat, rejects, text};

#[test]
fn md4_in_continuous_time_with_every_weighting() {
    let golden = Golden::load();
    let times = golden.times();
    let loss = |schedule: &MaskedSchedule, weighting: &Weighting| {
        golden.loss(&Md4::new(schedule.clone(), weighting.clone()), "logits", &times)
    };
    for (name, prefix) in [("md4-continuous", ""), ("md4-continuous-clipped", "md4:")] {
        for case in golden.cases(name) {
            let schedule: MaskedSchedule = format!("{prefix}{}", text(case, "schedule")).parse().expect("a schedule");
            let md4 = Md4::new(schedule.clone(), Weighting::Elbo);
            agrees(&format!("{name} {schedule}"), &loss(&schedule, &Weighting::Elbo), &case["per_sequence"]);
            let corruption = golden.masked("masked", &times).into();
            let terms = md4.nelbo_of(&golden.logits("logits"), &corruption).expect("a bound");
            let diffusion: Vec<f64> = terms.iter().map(|terms| terms.diffusion).collect();
            agrees(&format!("{name} {schedule}, the bound"), &diffusion, &case["per_sequence"]);
            if !prefix.is_empty() {
                agrees("reconstruction", &[terms[0].reconstruction], &case["reconstruction"]);
                agrees("prior", &[terms[0].prior], &case["prior_exact"]);
            }
        }
    }
    for case in golden.cases("md4-weighted") {
        let schedule: MaskedSchedule = text(case, "schedule").parse().expect("a schedule");
        let weighting: Weighting = text(case, "weighting").parse().expect("a weighting");
        agrees(&format!("{schedule} {weighting}"), &loss(&schedule, &weighting), &case["per_sequence"]);
    }
    // w/t^w in place of w/t, and a cosine derivative without its factor: mistakes of public codes.
    for (mistake, schedule) in
        [("md4-poly-rate", MaskedSchedule::Poly(2.0)), ("cosine-derivative", MaskedSchedule::Cosine)]
    {
        rejects(mistake, &loss(&schedule, &Weighting::Elbo), &golden.witness(mistake)["per_sequence"]);
    }
}

#[test]
fn md4_in_discrete_time() {
    let golden = Golden::load();
    for case in golden.cases("md4-finite") {
        let clipped = case["eps"].as_f64() > Some(0.0);
        let name = format!("{}{}", if clipped { "md4:" } else { "" }, text(case, "schedule"));
        let schedule: MaskedSchedule = name.parse().expect("a schedule");
        let steps = case["steps"].as_u64().expect("steps") as u32;
        let md4 = Md4 { steps: Some(steps), ..Md4::new(schedule.clone(), Weighting::Elbo) };
        let times: Vec<f64> = golden.times().iter().map(|&u| md4.time(u)).collect();
        assert!(error(&times, &flat(&case["times_used"])) < 1e-15);
        let what = format!("{schedule} T = {steps}");
        agrees(&what, &golden.loss(&md4, "logits", &times), &case["per_sequence"]);
        let bound = md4.nelbo_of(&golden.logits("logits"), &golden.masked("masked", &times).into()).expect("a bound");
        let bound: Vec<f64> = bound.iter().map(|terms| terms.diffusion).collect();
        agrees(&format!("{what}, the bound"), &bound, &case["per_sequence"]);
        let continuous = golden.loss(&Md4::new(schedule.clone(), Weighting::Elbo), "logits", &times);
        // T xi is r under the linear schedule.
        if schedule == MaskedSchedule::Cosine && steps <= 100 {
            rejects("continuous time", &continuous, &case["per_sequence"]);
        }
    }
}

#[test]
fn mdlm_subs_times_and_importance() {
    let golden = Golden::load();
    let times = golden.times();
    let published = Mdlm { protocol: Protocol::Published };
    let found = golden.loss(&published, "logits", &times);
    let case = golden.case("mdlm-subs");
    agrees("mdlm-subs", &found, &case["per_sequence"]);
    agrees("mdlm batch", &[found.iter().sum::<f64>() / published.divisor(&golden.batch())], &case["batch"]);
    // Zero masking probabilities: with a logit for the mask the loss is the same. Kept, it is another.
    agrees("zero mask", &golden.loss(&published, "logits_with_mask", &times), &case["per_sequence"]);
    let wider = Fixed { values: 6, ..golden.logits("logits_with_mask") };
    let corruption = golden.masked("masked", &times).into();
    let kept = to_f64_vec(published.loss_of(&wider, &corruption).expect("a loss"));
    rejects("mass on the mask", &kept, &case["per_sequence"]);
    // Carry-over unmasking: without it, visible tokens cost something.
    rejects("no carry-over", &found, &golden.case("mdlm-no-carry-over")["per_sequence"]);
    let drawn: Vec<f64> =
        times.iter().enumerate().map(|(i, u)| published.time(((u + i as f64) / 6.0).fract())).collect();
    agrees("mdlm-times", &drawn, &golden.case("mdlm-times")["times_used"]);
    // ln(1 - alpha) uniform: the weight is the length of its interval.
    let importance = Mdlm { protocol: Protocol::Importance };
    let (low, high) = (importance.time(0.0), importance.time(1.0));
    assert!((importance.weight(0.5) - (high / low).ln()).abs() < 1e-12 && high == 1.0);
    let steps = Md4 { steps: Some(100), ..Md4::new(MaskedSchedule::Linear, Weighting::Elbo) };
    let at: Vec<f64> = times.iter().map(|&u| steps.time(u)).collect();
    agrees("mdlm-finite", &golden.loss(&steps, "logits", &at), &golden.case("mdlm-finite")["per_sequence"]);
}

#[test]
fn maskgit_smoothing_normalisers_and_rates() {
    let golden = Golden::load();
    let times = golden.times();
    let counts: Vec<usize> = golden.masked("masked", &times).targets.counts().collect();
    let maskgit = |case: &Value, normaliser| {
        let label_smoothing = case["smoothing"].as_f64().expect("a share");
        let objective = MaskGit { rates: MaskRates::Cosine, normaliser, label_smoothing };
        let losses = golden.loss(&objective, "logits", &times);
        let batch = losses.iter().sum::<f64>() / objective.divisor_of(&counts);
        (losses, batch, label_smoothing)
    };
    for case in golden.cases("maskgit-per-row") {
        let (rows, batch, smoothing) = maskgit(case, Normaliser::PerRow);
        agrees("per row", &rows, &case["per_sequence"]);
        agrees("mean of rows", &[batch], &case["batch"]);
        if smoothing > 0.0 {
            rejects("0.9 on the true value", &rows, &golden.witness("maskgit-smoothing")["per_sequence"]);
        }
    }
    for case in golden.cases("maskgit-global") {
        let (sums, batch, _) = maskgit(case, Normaliser::Global);
        agrees("global, sums", &sums, &case["masked_sums"]);
        agrees("global", &[batch], &case["batch"]);
        rejects("the other normaliser", &[maskgit(case, Normaliser::PerRow).1], &case["batch"]);
    }
    let rates = golden.case("mask-rates");
    for (law, name) in [
        (MaskRates::Cosine, "cosine"),
        (MaskRates::Uniform, "uniform"),
        (MaskRates::TruncatedNormal, "truncated-normal"),
    ] {
        let found: Vec<f64> = golden.times().iter().map(|&u| law.rate(u)).collect();
        agrees(name, &found, &rates[name]);
    }
}

#[test]
fn radd_forms_and_the_autoregressive_loss() {
    let golden = Golden::load();
    let times = golden.times();
    let loss = |form| golden.loss(&AnyOrder { form }, "logits", &times);
    let (lambda, k) = (loss(DceForm::LambdaDce), loss(DceForm::KDce));
    agrees("lambda-dce", &lambda, &golden.case("lambda-dce")["per_sequence"]);
    agrees("k-dce", &k, &golden.case("k-dce")["per_sequence"]);
    rejects("k for lambda", &k, &golden.case("lambda-dce")["per_sequence"]);
    rejects("lambda for k", &lambda, &golden.case("k-dce")["per_sequence"]);
    assert_eq!((AnyOrder::count(1e-9, 7), AnyOrder::count(0.5, 7), AnyOrder::count(1.0 - 1e-16, 7)), (1, 4, 7));
    let case = golden.cases("t-dce").find(|case| case["noise"] == "loglinear").expect("log-linear");
    agrees("t-dce", &loss(DceForm::TDce(MaskedSchedule::LogLinear)), &case["per_sequence"]);
    let nats = to_f64_vec(
        Autoregressive
            .loss(&golden.logits("logits"), &golden.batch(), &Key::new(0, "none"), &golden.device)
            .expect("a loss"),
    );
    agrees("ar", &nats, &golden.case("autoregressive")["per_sequence"]);
}

#[test]
fn draws_that_share_an_order_vary_less() {
    let sums = |terms: elbow_impls::Result<Vec<BoundTerms>>| -> Vec<f64> {
        terms.expect("a bound").iter().map(BoundTerms::sum).collect()
    };
    // The logits are the same whatever is masked: the bound is the sum of all costs, and what varies is which tokens are scored.
    const KEYS: u64 = 400;
    let golden = Golden::load();
    let (logits, batch) = (golden.logits("logits"), golden.batch());
    let exact: Vec<f64> = sums(Autoregressive.nelbo(&logits, &batch, &Key::new(0, "none"), &golden.device));
    let u: Vec<Vec<f64>> = (0..7).map(|draw| vec![(f64::from(draw) + 0.5) / 7.0; batch.len()]).collect();
    // Mean and variance of the average over the draws, in units of the exact bound, and over its sequences.
    let moments = |averages: &dyn Fn(&Key) -> Vec<elbow_impls::Result<Vec<BoundTerms>>>| {
        let average = |key: u64| {
            let draws: Vec<Vec<f64>> = averages(&Key::new(key, "masks")).into_iter().map(sums).collect();
            let row = |row: usize| draws.iter().map(|sums| sums[row]).sum::<f64>() / 7.0 / exact[row];
            (0..batch.len()).map(row).collect::<Vec<f64>>()
        };
        let all: Vec<f64> = (0..KEYS).flat_map(average).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (mean, all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64)
    };
    let draws = |key: &Key| -> Vec<_> {
        let z = k_dce_draws(logits.values(), batch.clone(), u.clone(), key, &golden.device);
        z.map(|z| K_DCE.nelbo_of(&logits, &z?)).collect()
    };
    let shared = moments(&draws);
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
    let fixed = moments(&|_| draws(&Key::new(0, "masks")));
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
