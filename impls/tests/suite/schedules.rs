//! Schedules and weightings against 50-digit golden values (`fixtures/schedules/generate.py`).

use elbow_impls::Weighting;
use elbow_impls::schedule::{GaussianSchedule, LogSnr, MaskedSchedule};
use serde_json::Value;

use crate::flat;

/// Relative tolerance; measured: 1.7e-14 for the geometric schedule near t = 1 (alpha = e^-20 multiplies the error
/// of its exponent by 20), 8e-15 for the EDM weighting, below 3e-15 for all else.
const TOLERANCE: f64 = 5e-14;

/// The largest error of `function` over the golden times, relative to the value or to `scale` where that is larger.
fn worst(times: &[f64], golden: &[f64], scale: f64, function: impl Fn(f64) -> f64) -> f64 {
    assert_eq!(times.len(), golden.len());
    let error = |(&t, &g): (&f64, &f64)| (function(t) - g).abs() / g.abs().max(scale);
    times.iter().zip(golden).map(error).fold(0.0, f64::max)
}

fn agrees(name: &str, times: &[f64], table: &Value, quantity: &str, function: &dyn Fn(f64) -> f64) {
    // A log-SNR crosses zero: its error is measured against 1.
    let scale = if quantity == "log_snr" { 1.0 } else { f64::MIN_POSITIVE };
    let error = worst(times, &flat(&table[quantity]), scale, function);
    assert!(error < TOLERANCE, "{name} {quantity}: relative error {error:e}");
}

#[test]
fn masked_schedules_agree_with_golden_values_to_both_ends() {
    let golden = crate::golden("schedules/golden.json");
    let times = flat(&golden["times"]);
    assert!(times.contains(&1e-9) && times.contains(&(1.0 - 1e-9)));
    for (name, table) in golden["masked"].as_object().expect("schedules") {
        let schedule: MaskedSchedule = name.parse().expect("a known schedule");
        let check = |quantity: &str, function: &dyn Fn(f64) -> f64| agrees(name, &times, table, quantity, function);
        check("alpha", &|t| schedule.alpha(t));
        check("mask_probability", &|t| schedule.mask_probability(t));
        check("alpha_prime", &|t| schedule.alpha_prime(t));
        check("log_snr", &|t| schedule.log_snr(t));
        check("elbo_weight", &|t| schedule.elbo_weight(t));
    }
}

#[test]
fn gaussian_schedules_agree_with_golden_values() {
    let golden = crate::golden("schedules/golden.json");
    let times = flat(&golden["times"]);
    for (name, table) in golden["gaussian"].as_object().expect("schedules") {
        let schedule = match name.as_str() {
            "fixed-linear" => GaussianSchedule::FixedLinear { gamma_min: -6.0, gamma_max: 5.0 },
            other => other.parse().expect("a known schedule"),
        };
        let check = |quantity: &str, function: &dyn Fn(f64) -> f64| agrees(name, &times, table, quantity, function);
        check("alpha", &|t| schedule.alpha(t));
        check("sigma", &|t| schedule.sigma(t));
        check("log_snr", &|t| schedule.log_snr(t));
        check("minus_log_snr_prime", &|t| schedule.gamma_prime(t));
    }
    for (name, row) in golden["gaussian_simple"].as_object().expect("schedules") {
        let schedule: GaussianSchedule = name.parse().expect("a known schedule");
        let error = worst(&times, &flat(row), f64::MIN_POSITIVE, |t| Weighting::Simple.at(&schedule, t));
        assert!(error < TOLERANCE, "simple under {name}: relative error {error:e}");
    }
}

#[test]
fn weightings_agree_with_golden_values() {
    let golden = crate::golden("schedules/golden.json");
    let times = flat(&golden["times"]);
    for (schedule_name, table) in golden["weights"].as_object().expect("schedules") {
        let schedule: MaskedSchedule = schedule_name.parse().expect("a known schedule");
        for (name, row) in table.as_object().expect("weightings") {
            let weighting: Weighting = name.parse().expect("a known weighting");
            let w_tilde = worst(&times, &flat(&row["w_tilde"]), f64::MIN_POSITIVE, |t| weighting.at(&schedule, t));
            let ce = worst(&times, &flat(&row["ce_weight"]), f64::MIN_POSITIVE, |t| weighting.ce_weight(&schedule, t));
            assert!(w_tilde < TOLERANCE && ce < TOLERANCE, "{name} under {schedule_name}: {w_tilde:e}, {ce:e}");
        }
    }
}

#[test]
fn witness_swapped_edm_and_iddpm_labels_are_rejected() {
    let golden = crate::golden("schedules/golden.json");
    let times = flat(&golden["times"]);
    let row = flat(&golden["weights"]["linear"]["edm"]["w_tilde"]);
    assert!(worst(&times, &row, f64::MIN_POSITIVE, |t| Weighting::Iddpm.at(&MaskedSchedule::Linear, t)) > 0.1);
}

#[test]
fn witness_naive_cosine_loses_its_digits_near_one() {
    let golden = crate::golden("schedules/golden.json");
    let times = flat(&golden["times"]);
    let row = flat(&golden["masked"]["cosine"]["alpha"]);
    let naive = |t: f64| 1.0 - (std::f64::consts::FRAC_PI_2 * (1.0 - t)).cos();
    assert!(worst(&times, &row, f64::MIN_POSITIVE, naive) > 1e-3);
}

/// Schedules of both families by name.
fn schedules<const M: usize, const G: usize>(masked: [&str; M], gaussian: [&str; G]) -> Vec<Box<dyn LogSnr>> {
    let masked =
        masked.map(|name| Box::new(name.parse::<MaskedSchedule>().expect("a known schedule")) as Box<dyn LogSnr>);
    let gaussian = gaussian.map(|name| Box::new(name.parse::<GaussianSchedule>().expect("a known schedule")) as _);
    masked.into_iter().chain(gaussian).collect()
}

#[test]
fn time_of_log_snr_inverts_log_snr() {
    let masked = ["linear", "cosine", "poly:2", "poly:0.5", "geometric", "loglinear"];
    for schedule in schedules(masked, ["vdm", "cosine", "ot", "fixed-linear:-6:5"]) {
        for t in (1..200).map(|k| f64::from(k) / 200.0) {
            let back = schedule.time_of_log_snr(schedule.log_snr(t));
            assert!((back - t).abs() < 1e-12, "{schedule}: {t} came back as {back}");
        }
    }
}

#[test]
fn monotone_flags_agree_with_the_weights_themselves() {
    let grid: Vec<f64> = (1..2000).map(|k| f64::from(k) / 2000.0).collect();
    let grows = |w: &dyn Fn(f64) -> f64| grid.windows(2).all(|p| w(p[1]) >= w(p[0]) * (1.0 - 1e-12));
    for schedule in schedules(["linear", "cosine", "poly:2", "geometric", "loglinear"], ["vdm", "cosine", "ot"]) {
        for weighting in Weighting::ALL {
            let is_monotone = grows(&|t| weighting.at(&*schedule, t));
            assert_eq!(weighting.is_monotone(&*schedule), is_monotone, "{weighting}, {schedule}");
        }
    }
}

#[test]
fn cascade_weights_telescope_and_tell_bounds_from_others() {
    for weighting in Weighting::ALL {
        let weights = weighting.cascade_weights(&MaskedSchedule::LogLinear, 40);
        let last = weighting.at(&MaskedSchedule::LogLinear, 1.0);
        assert!((weights.iter().sum::<f64>() - last).abs() <= 1e-12 * last.abs().max(1.0), "{weighting}");
        let negative = weights.iter().any(|w| *w < -1e-12);
        assert_eq!(negative, !weighting.is_monotone(&MaskedSchedule::LogLinear), "{weighting}");
    }
}

#[test]
fn names_round_trip_and_bad_names_are_refused() {
    for weighting in Weighting::ALL {
        assert_eq!(weighting.to_string().parse::<Weighting>().expect("known"), weighting);
    }
    for bad in ["", "elb", "sigmoid", "sigmoid:", "sigmoid:nan", "p2:-1", "elbo:2", "poly"] {
        assert!(bad.parse::<Weighting>().is_err(), "{bad:?}");
    }
    for bad in ["poly", "poly:0", "poly:-2", "poly:inf", "cosin"] {
        assert!(bad.parse::<MaskedSchedule>().is_err(), "{bad:?}");
    }
}
