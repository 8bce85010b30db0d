//! The exact theory against brute-force joint matrices (`fixtures/cascade/generate.py`), the printed worked
//! examples, a walk over all sets, bad toys, and size.

use std::time::Instant;

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::masked::{Enumeration, cascade, neg_elbo, weighted_loss};
use elbow_theory::{Alphabet, Cascade, Toy};
use serde_json::Value;

use crate::fixture::fixture;

/// Largest absolute error allowed against the brute force; measured below 2e-15.
const EXACT: f64 = 1e-14;
/// Continuous limits against 40-digit quadrature in t; measured below 1e-14.
const CONTINUOUS: f64 = 5e-14;

fn toy(name: &str) -> Enumeration {
    let toy = Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("a valid toy");
    Enumeration::new(&toy).expect("full support")
}

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("cascade/golden.json")).expect("bundled")).expect("valid")
}

pub fn run(all: &Enumeration, schedule: &str, steps: usize, weighting: &str) -> Cascade {
    let weighting: Weighting = weighting.parse().expect("known");
    cascade(all, &schedule.parse().expect("known"), steps, &weighting).expect("small")
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
    let golden = golden();
    let toys = golden["toys"].as_object().unwrap_or_else(|| golden.as_object().expect("an object"));
    let mut compared = 0;
    for (name, expected) in toys {
        let Some(cascades) = expected["cascades"].as_array() else { continue };
        let all = toy(name);
        for one in cascades {
            let schedule = one["schedule"].as_str().expect("a schedule");
            let steps = one["steps"].as_u64().expect("steps") as usize;
            let ours = run(&all, schedule, steps, "sigmoid:0");
            let at = |field: &str| format!("{name} {schedule} {steps} {field}");
            assert_close(&at("elbo"), &ours.elbo, &one["elbo"], EXACT);
            assert_close(&at("gap"), &ours.gap, &one["gap"], EXACT);
            assert_close(&at("factorization"), &ours.factorization, &one["factorization"], EXACT);
            assert_close(&at("kl_step"), &ours.kl_step, &one["kl_step"], EXACT);
            assert_close(&at("decoder"), &ours.decoder, &one["decoder"], EXACT);
            assert_close(&at("data_model_kl"), &ours.data_model_kl, &one["data_model_kl"], EXACT);
            assert!((ours.prior - one["prior"].as_f64().expect("prior")).abs() < EXACT, "{}", at("prior"));
            assert!(ours.theorem1_residual < EXACT && ours.theorem2_residual < EXACT, "{}", at("theorems"));
            compared += 1;
        }
        let scalar = |field: &str| expected[field].as_f64().expect("a number");
        assert!((all.entropy() - scalar("entropy")).abs() < EXACT);
        let linear = run(&all, "linear", 1, "elbo");
        assert!(
            (linear.any_order_ar_nll.expect("masked") - scalar("any_order_ar_nll")).abs() < EXACT,
            "{name} any order"
        );
        assert!((linear.neg_elbo_continuous - scalar("neg_elbo_continuous")).abs() < CONTINUOUS, "{name} continuous");
        for (schedule, weightings) in expected["weighted_continuous"].as_object().expect("schedules") {
            for (weighting, value) in weightings.as_object().expect("weightings") {
                let ours = run(&all, schedule, 1, weighting).weighted_continuous;
                let error = (ours - value.as_f64().expect("a number")).abs();
                assert!(error < CONTINUOUS, "{name} {schedule} {weighting}: off by {error:e}");
            }
        }
    }
    assert_eq!(compared, 42, "seven toys, six cascades each");
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
        let all = toy(name);
        let check = |schedule: &MaskedSchedule, weighting: &str, exact: f64| {
            let ours = weighted_loss(&all, schedule, &weighting.parse().expect("known"));
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

#[test]
fn witness_midpoint_rule_in_t_is_wrong_for_flow_matching() {
    let (a, b) = (1.4067053584, 1.2037658669);
    let n = 200_000;
    let midpoint: f64 = (0..n)
        .map(|i| {
            let t = (f64::from(i) + 0.5) / f64::from(n);
            (t * t * a + t * (1.0 - t) * b) / (t * (1.0 - t)).sqrt() / f64::from(n)
        })
        .sum();
    let exact = weighted_loss(&toy("example-a"), &MaskedSchedule::Linear, &Weighting::FlowMatching);
    assert!((midpoint - exact).abs() > 1e-3, "{midpoint} {exact}");
}

#[test]
fn witness_a_gap_against_the_posterior_mean_alone_is_not_the_gap() {
    // The KL of the factors, without their total correlation, is not g_i: Theorem 1 needs the joint.
    let ours = run(&toy("example-a"), "linear", 4, "elbo");
    let factors_only: Vec<f64> = ours.gap.iter().zip(&ours.factorization).map(|(g, tc)| g - tc).collect();
    let residual = (0..4).map(|i| (ours.elbo[i + 1] - ours.elbo[i] - factors_only[i]).abs()).fold(0.0, f64::max);
    assert!(residual > 1e-3);
}

#[test]
fn the_bound_shrinks_where_the_pointwise_one_may_not() {
    let golden = golden();
    let toys = golden["toys"].as_object().unwrap_or_else(|| golden.as_object().expect("an object"));
    for name in toys.keys().filter(|name| fixture(&format!("toys/{name}.json")).exists()) {
        for schedule in ["linear", "cosine", "poly:3", "geometric", "loglinear"] {
            let ours = run(&toy(name), schedule, 6, "elbo");
            assert!(ours.gap.iter().zip(&ours.factorization).all(|(g, tc)| *g >= tc - 1e-14 && *tc >= -1e-14));
            for (kl, elbo) in ours.data_model_kl.iter().zip(&ours.elbo) {
                assert!(*kl <= -ours.entropy - elbo + 1e-12, "{name} {schedule}");
            }
        }
    }
}

#[test]
fn the_continuous_bound_does_not_depend_on_the_schedule() {
    let all = toy("four-bits");
    let linear = neg_elbo(&all, &MaskedSchedule::Linear);
    for schedule in [MaskedSchedule::Cosine, MaskedSchedule::Poly(3.0), MaskedSchedule::Poly(0.5)] {
        assert!((neg_elbo(&all, &schedule) - linear).abs() < 1e-12);
    }
    // Witness: a reweighted loss that is tied to the schedule does depend on it.
    let simple = |schedule| weighted_loss(&all, &schedule, &Weighting::Simple);
    assert!((simple(MaskedSchedule::Linear) - simple(MaskedSchedule::Cosine)).abs() > 0.05);
}

#[test]
fn the_largest_toys_take_less_than_ten_seconds_and_larger_ones_are_refused() {
    let file = |states: usize, length: usize| {
        // A chain: each digit repeats the one before with some probability.
        let words = states.pow(length as u32);
        let weight = |mut w: usize| {
            let (mut p, mut last) = (1.0, 0);
            for _ in 0..length {
                p *= if w % states == last { 2.0 } else { 1.0 };
                last = w % states;
                w /= states;
            }
            p
        };
        let total: f64 = (0..words).map(weight).sum();
        let entry = |w: usize| {
            let word: String =
                (0..length).map(|n| char::from(b'0' + (w / states.pow(n as u32) % states) as u8)).collect();
            format!("{word:?}: {}", weight(w) / total)
        };
        let data: Vec<String> = (0..words).map(entry).collect();
        let denoiser = r#"{"kind": "tempered", "temperature": 1.3, "floor": 0.01}"#;
        format!(r#"{{"states": {states}, "length": {length}, "data": {{{}}}, "denoiser": {denoiser}}}"#, data.join(","))
    };
    for (states, length) in [(9, 6), (5, 8), (2, 11), (1, 17)] {
        let clock = Instant::now();
        let all =
            Enumeration::new(&Toy::parse(&file(states, length), Alphabet::Masked).expect("valid")).expect("support");
        let ours = run(&all, "cosine", 10, "sigmoid:1");
        let seconds = clock.elapsed().as_secs_f64();
        println!(
            "{states}^{length}: {seconds:.2} s, residuals {:e} {:e}",
            ours.theorem1_residual, ours.theorem2_residual
        );
        assert!(seconds < 10.0, "({states} + 1)^{length} took {seconds:.1} s");
        assert!(ours.theorem1_residual < 1e-11 && ours.theorem2_residual < 1e-11);
    }
    for (states, length, size, limit) in [(3, 12, "16777216", "4000000"), (1, 20, "3486784401", "250000000")] {
        let file =
            format!(r#"{{"states": {states}, "length": {length}, "data": {{}}, "denoiser": {{"kind": "exact"}}}}"#);
        let refused = Toy::parse(&file, Alphabet::Masked).expect_err("too large");
        assert!(refused.what.contains(size) && refused.advice.contains(limit), "{refused}");
    }
}

#[test]
fn bad_toys_get_a_clear_error() {
    let table = |entries: &str| {
        format!(
            r#"{{"states": 2, "length": 2, "data": {{"00": 0.5, "11": 0.5}}, "denoiser": {{"kind": "table", "entries": {{{entries}}}}}}}"#
        )
    };
    let data =
        |data: &str| format!(r#"{{"states": 2, "length": 2, "data": {{{data}}}, "denoiser": {{"kind": "exact"}}}}"#);
    let full = r#""??": [[0.5,0.5],[0.5,0.5]], "?0": [[1,0],[1,0]], "?1": [[0,1],[1,0]], "0?": [[1,0],[1,0]]"#;
    let cases = [
        (data(r#""00": 0.5, "11": 0.4"#), "sum to 0.9"),
        (data(r#""00": 0.5, "12": 0.5"#), "unknown digit '2'"),
        (data(r#""00": 0.5, "111": 0.5"#), "3 digits"),
        (data(r#""00": 0.5, "00": 0.5"#), "listed twice"),
        (data(r#""00": 1.5, "11": -0.5"#), "probability 1.5"),
        (data(r#""00": NaN, "11": 0.5"#), "not a toy"),
        (data(r#""00": 1e999, "11": 0.5"#), "not a toy"),
        (data(""), "sum to 0"),
        (table(full), r#""1?" is missing"#),
        (table(&format!(r#"{full}, "1?": [[1,0],[1,0]]"#)), "gives probability 0 to value 1"),
        (table(&format!(r#"{full}, "1?": [[1,0],[0.5,0.6]]"#)), "position 2"),
        (table(&format!(r#"{full}, "1?": [[1,0]]"#)), "1 rows"),
        (table(&format!(r#"{full}, "??": [[1,0],[0,1]]"#)), "listed twice"),
        (table(&format!(r#"{full}, "11": [[1,0],[0,1]]"#)), "no '?'"),
        (r#"{"states": 2, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exakt"}}"#.into(), "exakt"),
        (r#"{"states": 2, "states": 3, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exact"}}"#.into(), "duplicate"),
        (r#"{"states": 11, "length": 2, "data": {"00": 1}, "denoiser": {"kind": "exact"}}"#.into(), "states = 11"),
        (r#"{"states": 2, "length": 0, "data": {"": 1}, "denoiser": {"kind": "exact"}}"#.into(), "length = 0"),
        (r#"{"states": 2, "length": 1, "data": {"0": 1}, "denoiser": {"kind": "tempered", "temperature": 0, "floor": 0}}"#.into(), "temperature"),
        (r#"{"states": 2, "length": 1, "data": {"0": 1}, "denoiser": {"kind": "exact"}, "colour": 1}"#.into(), "colour"),
    ];
    for (text, expected) in cases {
        let error =
            Toy::parse(&text, Alphabet::Masked).and_then(|toy| Enumeration::new(&toy).map(|_| ())).expect_err(&text);
        assert_eq!(error.kind, elbow_base::Kind::Input);
        assert!(error.what.contains(expected), "{expected:?} is not in {error}");
    }
}

/// With weights that are all non-negative, sum w_i L^(i) / sum w_i is an average of bounds: it lies between the worst
/// and the best. The weights of a non-monotone weighting, read the same way, give a number outside.
#[test]
fn witness_the_weights_of_a_non_monotone_weighting_are_no_average_of_bounds() {
    for name in ["example-a", "example-b", "three-tokens"] {
        let all = toy(name);
        let inside = |weighting: &str| {
            let c = run(&all, "loglinear", 16, weighting);
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

/// The slides print alpha' / (1 - alpha) and (1 - alpha) / alpha', both negative: taken literally the loss is minus the
/// bound, and the simple weighting is below zero.
#[test]
fn witness_the_slides_signs_are_rejected() {
    let all = toy("example-a");
    let schedule = MaskedSchedule::Cosine;
    let bound = neg_elbo(&all, &schedule);
    assert!(bound > all.entropy());
    assert!(-bound < all.entropy(), "the slide's sign: below the entropy");
    for t in [0.1, 0.5, 0.9] {
        let slide = (1.0 - schedule.alpha(t)) / schedule.alpha_prime(t);
        assert!(slide < 0.0 && (Weighting::Simple.at(&schedule, t) + slide).abs() < 1e-12, "t = {t}");
    }
}
