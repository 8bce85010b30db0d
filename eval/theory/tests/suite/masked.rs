//! Masked diffusion against brute-force joint matrices (`fixtures/cascade/generate.py`), printed worked examples and
//! closed forms.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::masked::estimators::SetSums;
use elbow_theory::masked::{neg_elbo, weighted_loss};
use elbow_theory::quadrature::integrate;
use serde_json::Value;

use crate::fixture::{golden, run, toy};

/// Largest absolute error allowed against the brute force; measured below 2e-15.
const EXACT: f64 = 1e-14;
/// Continuous limits against 40-digit quadrature in t; measured below 1e-14.
const CONTINUOUS: f64 = 5e-14;

/// The toys of the golden values, with their numbers.
fn golden_toys() -> Vec<(String, Value)> {
    let golden = golden("cascade");
    let toys = golden["toys"].as_object().unwrap_or_else(|| golden.as_object().expect("an object"));
    let toys = toys.iter().filter(|(_, numbers)| numbers["cascades"].is_array());
    toys.map(|(name, numbers)| (name.clone(), numbers.clone())).collect()
}

fn assert_close(name: &str, ours: &[f64], golden: &Value, tolerance: f64) {
    let golden: Vec<f64> = golden.as_array().expect(name).iter().map(|v| v.as_f64().expect(name)).collect();
    assert_eq!(ours.len(), golden.len(), "{name}");
    for (i, (a, b)) in ours.iter().zip(&golden).enumerate() {
        assert!((a - b).abs() <= tolerance, "{name}[{i}]: {a} against {b}, off by {:e}", (a - b).abs());
    }
}

#[test]
fn every_cascade_agrees_with_brute_force() {
    let mut compared = 0;
    for (name, expected) in golden_toys() {
        let enumeration = toy(&name);
        for one in expected["cascades"].as_array().expect("cascades") {
            let schedule = one["schedule"].as_str().expect("a schedule");
            let steps = one["steps"].as_u64().expect("steps") as usize;
            let ours = run(&enumeration, schedule, steps, "sigmoid:0");
            let at = |field: &str| format!("{name} {schedule} {steps} {field}");
            assert_close(&at("elbo"), &ours.elbo, &one["elbo"], EXACT);
            assert_close(&at("gap"), &ours.gap, &one["gap"], EXACT);
            assert_close(&at("factorization"), &ours.factorization, &one["factorization"], EXACT);
            assert_close(&at("kl_step"), &ours.kl_step, &one["kl_step"], EXACT);
            assert_close(&at("decoder"), &ours.decoder, &one["decoder"], EXACT);
            assert_close(&at("data_model_kl"), &ours.data_model_kl, &one["data_model_kl"], EXACT);
            let golden = |field: &str| one[field][0].as_f64().expect("a number");
            let slack = -golden("elbo") - expected["entropy"].as_f64().expect("H") - golden("data_model_kl");
            assert!((ours.slack.expect("small") - slack).abs() < EXACT, "{}", at("slack"));
            assert!((ours.prior - one["prior"].as_f64().expect("prior")).abs() < EXACT, "{}", at("prior"));
            assert!(ours.theorem1_residual < EXACT && ours.theorem2_residual < EXACT, "{}", at("theorems"));
            compared += 1;
        }
    }
    assert_eq!(compared, 42, "seven toys, six cascades each");
}

#[test]
fn every_continuous_limit_agrees_with_quadrature_in_time() {
    for (name, expected) in golden_toys() {
        let enumeration = toy(&name);
        let scalar = |field: &str| expected[field].as_f64().expect("a number");
        assert!((enumeration.entropy() - scalar("entropy")).abs() < EXACT);
        let linear = run(&enumeration, "linear", 1, "elbo");
        let any_order = linear.any_order_ar_nll.expect("masked");
        assert!((any_order - scalar("any_order_ar_nll")).abs() < EXACT, "{name} any order");
        assert!((linear.neg_elbo_continuous - scalar("neg_elbo_continuous")).abs() < CONTINUOUS, "{name} continuous");
        for (schedule, weightings) in expected["weighted_continuous"].as_object().expect("schedules") {
            for (weighting, value) in weightings.as_object().expect("weightings") {
                let ours = run(&enumeration, schedule, 1, weighting).weighted_continuous;
                let error = (ours - value.as_f64().expect("a number")).abs();
                assert!(error < CONTINUOUS, "{name} {schedule} {weighting}: off by {error:e}");
            }
        }
    }
}

#[test]
fn worked_example_a_as_printed() {
    let ours = run(&toy("example-a"), "linear", 4, "sigmoid:0");
    let elbo = [-1.3306030491, -1.3207593040, -1.3090199185, -1.2953848924, -1.2798542258];
    let gap = [0.009843745055, 0.011739385557, 0.013635026059, 0.015530666561];
    let kl = [0.0311920338, 0.0188223437, 0.0090377223, 0.0024601667, 0.0];
    for (a, b) in ours.elbo.iter().zip(elbo).chain(ours.data_model_kl.iter().zip(kl)) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    for (a, b) in ours.gap.iter().zip(gap) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    assert!(ours.factorization.iter().all(|tc| (tc - 0.005394038858).abs() < 1e-12));
    assert!((ours.weighted_elbo_sum - -1.3139417910).abs() < 1e-10);
    assert!((ours.neg_elbo_continuous - 1.3052356126).abs() < 1e-10);
    assert!((ours.any_order_ar_nll.expect("masked") - 1.3052356126).abs() < 1e-10);
}

#[test]
fn closed_forms_of_the_two_token_losses() {
    // A = sum of cross-entropies with everything masked, B = with the other token visible (examples A and B).
    let examples = [("example-a", 1.4067053584, 1.2037658669), ("example-b", 2.2209522616, 1.7352393566)];
    let (pi, linear, cosine) = (std::f64::consts::PI, MaskedSchedule::Linear, MaskedSchedule::Cosine);
    for (name, a, b) in examples {
        let enumeration = toy(name);
        let check = |schedule: &MaskedSchedule, weighting: &str, exact: f64| {
            let ours = weighted_loss(&enumeration, schedule, &weighting.parse().expect("known"));
            assert!((ours - exact).abs() < 1e-9, "{name} {weighting}: {ours} {exact}");
        };
        for schedule in [&linear, &cosine] {
            check(schedule, "elbo", (a + b) / 2.0);
            check(schedule, "sigmoid:0", a / 3.0 + b / 6.0);
            check(schedule, "fm", 3.0 * pi / 8.0 * a + pi / 8.0 * b);
            check(schedule, "iddpm", pi / 8.0 * (a + b));
        }
        check(&linear, "simple", a / 3.0 + b / 6.0);
        check(&cosine, "simple", a / 2.0 + (2.0 / pi - 0.5) * b);
    }
}

/// The same integral in t, where flow matching is singular at both ends: the panels do not converge, and say so.
#[test]
fn witness_quadrature_in_t_is_wrong_for_flow_matching() {
    let enumeration = toy("example-a");
    let (schedule, weighting) = (MaskedSchedule::Linear, Weighting::FlowMatching);
    let sums = SetSums::new(&enumeration);
    let in_t = integrate(0.0, 1.0, &mut |t| {
        let (alpha, masked) = (schedule.alpha(t), schedule.mask_probability(t));
        weighting.ce_weight(&schedule, t) * (alpha * masked * sums.loss[1] + masked * masked * sums.loss[2])
    });
    let exact = weighted_loss(&enumeration, &schedule, &weighting);
    assert!((in_t.value - exact).abs() > 1e-4, "{in_t:?} {exact}");
    assert!(in_t.error > 1e-4, "{in_t:?}");
}

#[test]
fn the_bound_shrinks_where_the_pointwise_one_may_not() {
    for (name, _) in golden_toys() {
        for schedule in ["linear", "cosine", "poly:3", "geometric", "loglinear"] {
            let ours = run(&toy(&name), schedule, 6, "elbo");
            assert!(ours.gap.iter().zip(&ours.factorization).all(|(g, tc)| *g >= tc - 1e-14 && *tc >= -1e-14));
            for (kl, elbo) in ours.data_model_kl.iter().zip(&ours.elbo) {
                assert!(*kl <= -ours.entropy - elbo + 1e-12, "{name} {schedule}");
            }
        }
    }
}

#[test]
fn the_continuous_bound_does_not_depend_on_the_schedule() {
    let enumeration = toy("four-bits");
    let linear = neg_elbo(&enumeration, &MaskedSchedule::Linear);
    for schedule in [MaskedSchedule::Cosine, MaskedSchedule::Poly(3.0), MaskedSchedule::Poly(0.5)] {
        assert!((neg_elbo(&enumeration, &schedule) - linear).abs() < 1e-12);
    }
    // Witness: a reweighted loss that is tied to the schedule does depend on it.
    let simple = |schedule| weighted_loss(&enumeration, &schedule, &Weighting::Simple);
    assert!((simple(MaskedSchedule::Linear) - simple(MaskedSchedule::Cosine)).abs() > 0.05);
}

/// With weights that are all non-negative, sum w_i L^(i) / sum w_i is an average of bounds: it lies between the worst
/// and the best. The weights of a non-monotone weighting, read the same way, give a number outside.
#[test]
fn witness_the_weights_of_a_non_monotone_weighting_are_no_average_of_bounds() {
    for name in ["example-a", "example-b", "three-tokens"] {
        let enumeration = toy(name);
        let inside = |weighting: &str| {
            let c = run(&enumeration, "loglinear", 16, weighting);
            let average = c.weighted_elbo_sum / c.cascade_weights.iter().sum::<f64>();
            (c.monotone, average >= c.elbo[0] - 1e-12 && average <= c.elbo[15] + 1e-12)
        };
        for weighting in ["elbo", "sigmoid:0", "sigmoid:2", "fm", "simple", "snr", "indi"] {
            assert_eq!(inside(weighting), (true, true), "{name} {weighting}");
        }
        for weighting in ["iddpm", "edm", "p2:1", "min-snr:5"] {
            assert_eq!(inside(weighting), (false, false), "{name} {weighting}");
        }
    }
}
