//! Gaussian diffusion on toys against independent quadrature (`fixtures/gaussian/generate.py`), and bad toys.

use elbow_base::Silent;
use elbow_process::Weighting;
use elbow_theory::Cascade;
use elbow_theory::gaussian::{GaussianToy, cascade, noise_augmented_nelbo, weighted_loss};
use serde_json::Value;

use crate::fixture::{fixture, golden, worst};

/// Largest error allowed, relative above 1, in one dimension and in two; measured 3e-15 and 1e-14.
const ONE: f64 = 2e-14;
const TWO: f64 = 1e-13;
/// The same of KL(q || p~(i)), which is propagated on grids; measured 2e-12.
const GRID: f64 = 1e-11;

fn toy(name: &str) -> GaussianToy {
    GaussianToy::load(&fixture(&format!("gaussian/{name}.json"))).expect("a toy")
}

fn run(name: &str, schedule: &str, steps: usize, weighting: &str) -> Cascade {
    let weighting: Weighting = weighting.parse().expect("known");
    cascade(&toy(name), &schedule.parse().expect("known"), steps, &weighting, &Silent).expect("computed")
}

#[test]
fn every_run_agrees_with_independent_quadrature() {
    let golden = golden("gaussian");
    let mut largest = [0f64; 3];
    let mut check = |context: String, kind: usize, error: f64| {
        assert!(error <= [ONE, TWO, GRID][kind], "{context} is off by {error:e}");
        largest[kind] = largest[kind].max(error);
    };
    for (name, toy_runs) in golden.as_object().expect("toys") {
        let kind = usize::from(toy_runs["dimension"] == 2);
        for one in toy_runs["runs"].as_array().expect("runs") {
            let (schedule, steps) = (one["schedule"].as_str().expect("given"), one["steps"].as_u64().expect("given"));
            let ours = run(name, schedule, steps as usize, "elbo");
            let context = |field: &str| format!("{name} {schedule} {steps}: {field}");
            let fields = [
                ("elbo", &ours.elbo),
                ("gap", &ours.gap),
                ("kernel_mismatch", &ours.kernel_mismatch),
                ("kl_step", &ours.kl_step),
                ("decoder", &ours.decoder),
            ];
            for (field, values) in fields {
                check(context(field), kind, worst(&context(field), values, &one[field]));
            }
            if !ours.data_model_kl.is_empty() && !one["data_model_kl"].is_null() {
                let field = context("data_model_kl");
                check(field.clone(), 2, worst(&field, &ours.data_model_kl, &one["data_model_kl"]));
            }
            let scalars = [("entropy", ours.entropy, &toy_runs["entropy"]), ("prior", ours.prior, &one["prior"])];
            for (field, value, expected) in scalars {
                check(context(field), kind, worst(field, &[value], &Value::Array(vec![expected.clone()])));
            }
            let mut continuous = vec![("elbo", ours.neg_elbo_continuous, &one["neg_elbo_continuous"])];
            for (weighting, expected) in one["weighted_continuous"].as_object().expect("weightings") {
                let (schedule, w) = (schedule.parse().expect("known"), weighting.parse().expect("known"));
                continuous.push((weighting, weighted_loss(&toy(name), &schedule, &w).value, expected));
            }
            for (field, value, expected) in continuous {
                let field = context(&format!("continuous, {field}"));
                check(field.clone(), kind, worst(&field, &[value], &Value::Array(vec![expected.clone()])));
            }
            if let Some(augmented) = one.get("augmented_nelbo") {
                let values = noise_augmented_nelbo(&toy(name), &schedule.parse().expect("known"), steps as usize);
                let values = values.expect("one dimension");
                check(context("augmented_nelbo"), kind, worst("augmented", &values, augmented));
            }
            let rounding = [ONE, TWO][kind] * ours.elbo[0].abs().clamp(1.0, 1e9);
            assert!(ours.theorem1_residual <= rounding, "{}: {:e}", context("Theorem 1"), ours.theorem1_residual);
        }
    }
    println!("largest errors: {largest:?}");
}

/// The printed example, to its eight decimals, and the bound by number of steps.
#[test]
fn worked_example_as_printed() {
    let ours = run("atoms", "fixed-linear:-6:5", 4, "elbo");
    let elbo = [-5.52145628, -3.54797601, -0.73594279, -0.61336750, -0.61087579];
    let gap = [1.97348027, 2.81203322, 0.12257529, 0.00249171];
    assert!(ours.elbo.iter().zip(elbo).all(|(a, b)| (a - b).abs() < 6e-9), "{:?}", ours.elbo);
    assert!(ours.gap.iter().zip(gap).all(|(a, b)| (a - b).abs() < 6e-9), "{:?}", ours.gap);
    let by_steps = [(1, 103.026108), (2, 52.772642), (8, 3.509581), (16, 3.013877), (32, 2.844212), (64, 2.773300)];
    for (steps, expected) in by_steps {
        let found = -run("atoms", "fixed-linear:-6:5", steps, "elbo").elbo[0];
        assert!((found - expected).abs() < 6e-7, "T = {steps}: {found}");
    }
}

#[test]
fn bad_toys_get_a_clear_error() {
    let refused = |text: &str| GaussianToy::parse(text).expect_err(text).to_string();
    let exact = r#""denoiser": {"kind": "exact"}"#;
    assert!(refused(&format!(r#"{{"atoms": [[0, 0.4]], {exact}}}"#)).contains("sum to 0.4"));
    assert!(refused(&format!(r#"{{"atoms": [[0, 0.5], [0, 0.5]], {exact}}}"#)).contains("two atoms at 0"));
    assert!(refused(&format!(r#"{{"atoms": [[0, 1.5], [1, -0.5]], {exact}}}"#)).contains("weight 1.5"));
    assert!(refused(&format!(r#"{{{exact}}}"#)).contains("either atoms or mixture"));
    assert!(refused(r#"{"atoms": [[0, 1]]}"#).contains("denoiser"));
    let mixture =
        |mean: &str, std: &str| format!(r#"{{"mixture": [{{"mean": {mean}, "std": {std}, "weight": 1}}], {exact}}}"#);
    assert!(refused(&mixture("[1, 2, 3]", "1")).contains("3 numbers"));
    assert!(refused(&mixture("0", "0")).contains("std 0"));
    assert!(GaussianToy::parse(&mixture("0", "0.5")).is_ok());
    let mixed =
        r#"{"mixture": [{"mean": [0, 1], "std": 1, "weight": 1}], "denoiser": {"kind": "atoms", "atoms": [[0, 1]]}}"#;
    assert!(refused(mixed).contains("2 dimensions, denoiser of 1"));
}
