//! General discrete diffusion against brute force over explicit joint matrices (`fixtures/discrete/generate.py`).

use elbow_base::Silent;
use elbow_process::Weighting;
use elbow_process::schedule::{LogSnr, MaskedSchedule, VectorSchedule};
use elbow_theory::discrete::{DiscreteModel, Forward, ReverseParameterization, cascade, gaps, token_integrand};
use elbow_theory::masked;
use elbow_theory::{Alphabet, Cascade, Toy};
use serde_json::Value;

use crate::fixture::{fixture, golden, worst};

/// Largest error allowed against the brute force, relative above 1; measured 3e-15, and 5e-14 for
/// the badly conditioned mixtures that start at alpha(0) < 1.
const EXACT: f64 = 1e-13;
/// Continuous limits against Gauss-Legendre quadrature with extended precision; measured 2e-15.
const CONTINUOUS: f64 = 1e-14;

/// The forward process that a run of the fixture names.
fn forward(run: &Value, values: usize) -> Forward {
    let schedule = run["schedule"].as_str().unwrap_or("linear").parse().expect("a schedule");
    match &run["transition"] {
        Value::String(name) if name == "uniform" => Forward::uniform(values, schedule),
        Value::String(_) => Forward::absorbing(values, schedule),
        other => match other.get("vector").and_then(Value::as_array) {
            Some(powers) => Forward::vector(VectorSchedule::new(powers.iter().filter_map(Value::as_f64).collect())),
            None => {
                let file = fixture("discrete").join(other["file"].as_str().expect("a file"));
                Forward::load(&file, values, schedule).expect("a transition")
            }
        },
    }
}

fn run(one: &Value, weighting: &Weighting) -> Cascade {
    let path = fixture(&format!("{}.json", one["toy"].as_str().expect("a toy")));
    let forward = forward(one, Toy::states_of(&path).expect("a toy"));
    let toy = Toy::load(&path, forward.alphabet()).expect("a toy");
    let parameterization: ReverseParameterization =
        one["parameterization"].as_str().expect("given").parse().expect("known");
    let model = DiscreteModel::new(&toy, &forward, parameterization).expect("small");
    cascade(&model, one["steps"].as_u64().expect("steps") as usize, weighting, &Silent).expect("finite")
}

#[test]
fn every_cascade_agrees_with_brute_force() {
    let golden = golden("discrete");
    let runs = golden["runs"].as_array().expect("runs");
    let (mut exact, mut continuous) = (0f64, 0f64);
    for one in runs {
        let name = format!("{} {} {} {}", one["toy"], one["transition"], one["parameterization"], one["schedule"]);
        let ours = run(one, &Weighting::Elbo);
        let fields = [
            ("elbo", &ours.elbo),
            ("gap", &ours.gap),
            ("factorization", &ours.factorization),
            ("kl_step", &ours.kl_step),
            ("decoder", &ours.decoder),
            ("data_model_kl", &ours.data_model_kl),
        ];
        for (field, values) in fields {
            let error = worst(field, values, &one[field]);
            assert!(error <= EXACT, "{name}: {field} is off by {error:e}");
            exact = exact.max(error);
        }
        assert!((ours.prior - one["prior"].as_f64().expect("prior")).abs() <= EXACT, "{name}: prior");
        match one["neg_elbo_continuous"].as_f64() {
            Some(expected) => {
                let error = (ours.neg_elbo_continuous - expected).abs();
                assert!(error <= CONTINUOUS, "{name}: {} off by {error:e}", ours.neg_elbo_continuous);
                continuous = continuous.max(error);
            }
            None => assert!(!ours.neg_elbo_continuous.is_finite(), "{name}: {}", ours.neg_elbo_continuous),
        }
        assert!(ours.theorem1_residual < EXACT, "{name}: Theorem 1 {:e}", ours.theorem1_residual);
        assert!(ours.theorem2_residual < EXACT, "{name}: Theorem 2 {:e}", ours.theorem2_residual);
    }
    println!("{} cascades: exact {exact:e}, continuous {continuous:e}", runs.len());
    assert!(runs.len() >= 35);
}

/// The printed values of the uniform integrand, to their six digits, and the fixture's to all of them.
#[test]
fn uniform_integrand_as_printed() {
    let forward = Forward::uniform(3, MaskedSchedule::Linear);
    let printed = [
        (0.3, [0.275011, 3.398033, 2.627332]),
        (0.6, [0.245165, 0.737448, 0.553091]),
        (0.9, [0.123197, 0.109545, 0.083294]),
    ];
    for (t, expected) in printed {
        for (z, expected) in expected.into_iter().enumerate() {
            let level = MaskedSchedule::Linear.log_snr(t);
            let per_level = token_integrand(&forward, ReverseParameterization::D3pm, &[0.5, 0.3, 0.2], (0, z), level);
            // d(-lambda) / dt = 1 / (t (1 - t)) for the linear schedule.
            assert!((per_level / (t * (1.0 - t)) - expected).abs() < 5e-7, "t = {t}, z = {z}");
        }
    }
}

#[test]
fn absorbing_is_the_masked_enumeration_and_so_is_a_vector_of_equal_schedules() {
    for name in ["example-a", "example-b", "three-tokens", "four-bits", "uniform-three"] {
        let toy = Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("a toy");
        let enumeration = crate::fixture::toy(name);
        let weighting = Weighting::Sigmoid(1.0);
        for schedule in [MaskedSchedule::Linear, MaskedSchedule::LogLinear, MaskedSchedule::Poly(2.0)] {
            let expected = masked::cascade(&enumeration, &schedule, 5, &weighting).expect("small");
            let mut forwards = vec![Forward::absorbing(toy.states, schedule.clone())];
            if let MaskedSchedule::Poly(w) = schedule {
                forwards.push(Forward::vector(VectorSchedule::new(vec![w; toy.states])));
            }
            for forward in forwards {
                for parameterization in [ReverseParameterization::D3pm, ReverseParameterization::Mixture] {
                    let model = DiscreteModel::new(&toy, &forward, parameterization).expect("small");
                    let ours = cascade(&model, 5, &weighting, &Silent).expect("finite");
                    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < EXACT);
                    let context = format!("{name} {schedule} {forward} {parameterization}");
                    assert!(close(&ours.elbo, &expected.elbo), "{context}");
                    assert!(close(&ours.gap, &expected.gap), "{context}");
                    assert!(close(&ours.data_model_kl, &expected.data_model_kl), "{context}");
                    assert!((ours.neg_elbo_continuous - expected.neg_elbo_continuous).abs() < EXACT, "{context}");
                    assert!((ours.weighted_continuous - expected.weighted_continuous).abs() < EXACT, "{context}");
                }
            }
        }
    }
}

/// With the true posteriors the mixture makes the true reverse kernel of one token; D3PM's counts the token's own
/// evidence twice. A checker that confuses the two would see no difference on masked diffusion.
#[test]
fn witness_d3pm_with_posteriors_is_not_the_optimal_kernel() {
    let text = r#"{"states": 3, "length": 1, "data": {"0": 0.5, "1": 0.3, "2": 0.2}, "denoiser": {"kind": "exact"}}"#;
    let toy = Toy::parse(text, Alphabet::Values).expect("a toy");
    let forward = Forward::uniform(3, MaskedSchedule::Linear);
    let gap = |parameterization| {
        let model = DiscreteModel::new(&toy, &forward, parameterization).expect("small");
        let gaps = gaps(&model, 4).expect("any number of steps");
        assert_eq!(cascade(&model, 4, &Weighting::Elbo, &Silent).expect("finite").gap, gaps);
        gaps.iter().sum::<f64>()
    };
    assert!(gap(ReverseParameterization::Mixture).abs() < 1e-15);
    assert!(gap(ReverseParameterization::D3pm) > 0.01);
    // Without the token's own evidence (for one token: the data's law, whatever z) D3PM's is optimal too.
    let rows = r#"[[0.5, 0.3, 0.2]]"#;
    let table = format!(r#"{{"kind": "table", "entries": {{"0": {rows}, "1": {rows}, "2": {rows}}}}}"#);
    let apart = Toy::parse(&text.replace(r#"{"kind": "exact"}"#, &table), Alphabet::Values).expect("a toy");
    let model = DiscreteModel::new(&apart, &forward, ReverseParameterization::D3pm).expect("small");
    assert!(cascade(&model, 4, &Weighting::Elbo, &Silent).expect("finite").gap.iter().sum::<f64>().abs() < 1e-15);
}

#[test]
fn bad_transitions_get_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("q.json");
    let refused = |text: &str| {
        std::fs::write(&path, text).expect("written");
        Forward::load(&path, 2, MaskedSchedule::Linear).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(refused(r#"{"jump": [[0.5, 0.6], [0.5, 0.5]]}"#).contains("row 1"));
    assert!(refused(r#"{"jump": [[1.0]]}"#).contains("1 rows for a toy of 2 values"));
    assert!(refused(r#"{"steps": []}"#).contains("at least one"));
    assert!(refused(r#"{"jumps": [[1.0]]}"#).contains("unknown variant"));
    assert!(refused(r#"{"jump": [[0.5, 0.5], [1.5, -0.5]]}"#).contains("row 2"));
    std::fs::write(&path, r#"{"steps": [[[0.9, 0.1], [0.1, 0.9]]]}"#).expect("written");
    let forward = Forward::load(&path, 2, MaskedSchedule::Linear).expect("valid");
    assert!(forward.check_steps(2).is_err() && forward.check_steps(1).is_ok());
    // Given steps have no continuous time.
    let mu = [0.5, 0.5];
    assert!(token_integrand(&forward, ReverseParameterization::D3pm, &mu, (0, 1), 0.0).is_nan());
}
