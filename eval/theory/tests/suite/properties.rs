//! Random toys, denoisers, schedules and weightings: every identity of the theory, over at least a thousand draws.

use elbow_base::Silent;
use elbow_process::Weighting;
use elbow_process::schedule::{GaussianSchedule, MaskedSchedule, VectorSchedule};
use elbow_theory::discrete::{DiscreteModel, Forward, ReverseParameterization, token_step};
use elbow_theory::masked::estimators::{SetSums, ao_arm};
use elbow_theory::masked::published_losses::{md4_in_time, mdlm, score_entropy_difference};
use elbow_theory::masked::{self, Enumeration};
use elbow_theory::{Alphabet, Cascade, DenoiserKind, Toy, discrete, gaussian};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Draws of each property.
const CASES: u32 = 1000;
/// Largest error of an identity, relative to the largest term.
const TOLERANCE: f64 = 1e-9;

/// Runs a property on draws that are the same every time.
fn hold<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(strategy, property).expect("holds");
}

/// Positive weights made a distribution.
fn normalised(weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

fn words(symbols: usize, length: usize) -> impl Iterator<Item = Vec<u8>> {
    let digit = move |number: usize, place: usize| (number / symbols.pow(place as u32) % symbols) as u8;
    (0..symbols.pow(length as u32)).map(move |number| (0..length).rev().map(|place| digit(number, place)).collect())
}

/// A toy with some outcomes left out and a random table for every pattern of the alphabet.
fn toy(alphabet: Alphabet) -> impl Strategy<Value = Toy> {
    let shape =
        prop_oneof![Just((2usize, 1usize)), Just((2, 2)), Just((2, 3)), Just((3, 2)), Just((4, 1)), Just((3, 1))];
    shape.prop_flat_map(move |(states, length)| {
        let outcomes = prop::collection::vec(prop_oneof![1 => Just(0.0), 4 => 0.01..1.0f64], states.pow(length as u32));
        let symbols = if alphabet == Alphabet::Masked { states + 1 } else { states };
        let rows = prop::collection::vec(0.02..1.0f64, symbols.pow(length as u32) * length * states);
        let possible = outcomes.prop_filter("some outcome", |w| w.iter().sum::<f64>() > 0.0);
        (possible, rows).prop_map(move |(weights, rows)| {
            let probabilities = normalised(&weights);
            let outcomes = words(states, length).zip(probabilities).filter(|(_, p)| *p > 0.0).collect();
            let table = words(symbols, length).zip(rows.chunks(length * states));
            let masked = |word: &Vec<u8>| alphabet == Alphabet::Values || word.contains(&(states as u8));
            let entries = table.filter(|(word, _)| masked(word)).map(|(word, rows)| {
                let rows = rows.chunks(states).map(normalised).collect();
                (word, rows)
            });
            Toy { states, length, outcomes, denoiser: DenoiserKind::Table(entries.collect()) }
        })
    })
}

fn schedule() -> impl Strategy<Value = MaskedSchedule> {
    prop_oneof![
        Just(MaskedSchedule::Linear),
        Just(MaskedSchedule::Cosine),
        Just(MaskedSchedule::Geometric),
        Just(MaskedSchedule::LogLinear),
        (0.3..3.0f64).prop_map(MaskedSchedule::Poly),
    ]
}

fn weighting() -> impl Strategy<Value = Weighting> {
    prop_oneof![
        Just(Weighting::Elbo),
        (-3.0..3.0f64).prop_map(Weighting::Sigmoid),
        Just(Weighting::FlowMatching),
        Just(Weighting::Simple),
        Just(Weighting::Iddpm),
        Just(Weighting::Edm(0.5)),
        (0.2..2.0f64).prop_map(Weighting::P2),
        (0.5..10.0f64).prop_map(Weighting::MinSnr),
        Just(Weighting::Snr),
        Just(Weighting::Indi),
    ]
}

/// Theorems 1 and 2, non-negative gaps, the KL bound, the unavoidable part, and the signs of the weights.
fn theorems(c: &Cascade) -> Result<(), TestCaseError> {
    let scale = c.elbo.iter().filter(|l| l.is_finite()).fold(1.0, |m: f64, l| m.max(l.abs()));
    prop_assert!(c.theorem1_residual <= TOLERANCE * scale, "Theorem 1: {:e}", c.theorem1_residual);
    let heaviest = c.w_tilde.iter().fold(1.0, |m: f64, w| m.max(*w));
    let second = c.theorem2_residual / heaviest;
    prop_assert!(second.is_nan() || second <= TOLERANCE * scale, "Theorem 2: {:e}", second);
    prop_assert!(c.theorem2_residual.is_finite() || !c.notes.is_empty(), "an unexplained null");
    prop_assert!(c.gap.iter().all(|g| *g >= -1e-12 * scale), "gaps {:?}", c.gap);
    let floor = if c.kernel_mismatch.is_empty() { &c.factorization } else { &c.kernel_mismatch };
    prop_assert!(c.gap.iter().zip(floor).all(|(g, f)| g.is_infinite() || *g >= f - 1e-10 * scale));
    for (elbo, kl) in c.elbo.iter().zip(&c.data_model_kl) {
        prop_assert!(-c.entropy - elbo - kl >= -1e-8 * scale, "KL bound: {elbo} {kl}");
    }
    prop_assert!(c.slack.is_none_or(|slack| slack.is_nan() || slack >= -1e-8 * scale), "slack {:?}", c.slack);
    let negative = c.cascade_weights.iter().any(|w| *w < -1e-12 * heaviest);
    prop_assert!(!(c.monotone && negative), "a monotone weighting with a negative w_i");
    Ok(())
}

/// Whether two numbers agree, relative above 1.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * b.abs().max(1.0)
}

#[test]
fn masked_diffusion() {
    hold(CASES, &(toy(Alphabet::Masked), schedule(), weighting(), 1..6usize), |(toy, schedule, weighting, steps)| {
        let enumeration = Enumeration::new(&toy).expect("full support");
        let c = masked::cascade(&enumeration, &schedule, steps, &weighting).expect("small");
        theorems(&c)?;
        // Schedules that start at alpha(0) = 1 and end at alpha(1) = 0 give the any-order bound.
        if matches!(schedule, MaskedSchedule::Linear | MaskedSchedule::Cosine | MaskedSchedule::Poly(_)) {
            let any_order = c.any_order_ar_nll.expect("masked");
            prop_assert!(close(c.neg_elbo_continuous, any_order));
            prop_assert!(close(md4_in_time(&enumeration, &schedule), any_order));
            prop_assert!(close(c.elbo[steps], -c.entropy), "the last bound");
        }
        Ok(())
    });
}

#[test]
fn published_forms_of_the_masked_bound() {
    hold(CASES, &(toy(Alphabet::Masked), schedule()), |(toy, schedule)| {
        let enumeration = Enumeration::new(&toy).expect("full support");
        let log_linear = masked::weighted_loss(&enumeration, &MaskedSchedule::LogLinear, &Weighting::Elbo);
        prop_assert!(close(mdlm(&enumeration), log_linear), "MDLM");
        let (sums, any_order) = (SetSums::new(&enumeration), masked::any_order_nll(&enumeration));
        let orders = ao_arm(&enumeration).mean;
        for mean in [sums.k_dce().mean, sums.one_token().mean, orders, sums.lambda_dce(1e-13).mean] {
            prop_assert!(close(mean, any_order), "estimators");
        }
        prop_assert!(score_entropy_difference(&enumeration, &schedule, 0.4) <= TOLERANCE, "score entropy");
        Ok(())
    });
}

#[test]
fn the_general_engine_on_the_absorbing_transition_is_masked_diffusion() {
    hold(CASES, &(toy(Alphabet::Masked), schedule(), 1..6usize), |(toy, schedule, steps)| {
        let enumeration = Enumeration::new(&toy).expect("full support");
        let c = masked::cascade(&enumeration, &schedule, steps, &Weighting::Elbo).expect("small");
        let forward = Forward::absorbing(toy.states, schedule);
        let model = DiscreteModel::new(&toy, &forward, ReverseParameterization::D3pm).expect("small");
        let general = discrete::cascade(&model, steps, &Weighting::Elbo, &Silent).expect("finite");
        prop_assert!(c.elbo.iter().zip(&general.elbo).all(|(a, b)| close(*a, *b)), "bounds");
        prop_assert!(close(general.neg_elbo_continuous, c.neg_elbo_continuous), "limit");
        Ok(())
    });
}

#[test]
fn uniform_diffusion() {
    let strategy = (toy(Alphabet::Values), schedule(), weighting(), 1..5usize, any::<bool>());
    hold(CASES, &strategy, |(toy, schedule, weighting, steps, mixture)| {
        let forward = Forward::uniform(toy.states, schedule);
        transition(toy, &forward, &weighting, steps, mixture)
    });
}

#[test]
fn random_transitions() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jump.json");
    let jump = prop::collection::vec(0.1..1.0f64, 16);
    let strategy = (toy(Alphabet::Values), schedule(), weighting(), 1..5usize, any::<bool>(), jump);
    // A matrix exponential at every node of the continuous limit: fewer draws.
    hold(CASES / 4, &strategy, |(toy, schedule, weighting, steps, mixture, jump)| {
        let rows = (0..toy.states).map(|from| normalised(&jump[from * toy.states..][..toy.states]));
        let text = serde_json::json!({ "jump": rows.collect::<Vec<_>>() }).to_string();
        std::fs::write(&path, text).expect("written");
        let forward = Forward::load(&path, toy.states, schedule).expect("a transition");
        transition(toy, &forward, &weighting, steps, mixture)
    });
}

/// The theorems with a random denoiser; with the exact one, what it leaves.
fn transition(
    toy: Toy,
    forward: &Forward,
    weighting: &Weighting,
    steps: usize,
    mixture: bool,
) -> Result<(), TestCaseError> {
    let parameterization = if mixture { ReverseParameterization::Mixture } else { ReverseParameterization::D3pm };
    let model = DiscreteModel::new(&toy, forward, parameterization).expect("small");
    theorems(&discrete::cascade(&model, steps, weighting, &Silent).expect("finite"))?;
    let exact = Toy { denoiser: DenoiserKind::Exact, ..toy };
    let model = DiscreteModel::new(&exact, forward, ReverseParameterization::Mixture).expect("small");
    let best = discrete::cascade(&model, steps, &Weighting::Elbo, &Silent).expect("finite");
    // The exact denoiser leaves the total correlation alone, and in continuous time nothing but the ends.
    prop_assert!(best.gap.iter().zip(&best.factorization).all(|(g, tc)| (g - tc).abs() <= TOLERANCE));
    prop_assert!((best.neg_elbo_continuous + best.elbo[steps]).abs() <= TOLERANCE * best.entropy.max(1.0));
    Ok(())
}

#[test]
fn generalised_masked_diffusion() {
    let powers = prop::collection::vec(0.3..4.0f64, 4);
    hold(CASES, &(toy(Alphabet::Masked), powers, weighting(), 1..5usize), |(toy, powers, weighting, steps)| {
        let schedule = VectorSchedule::new(powers[..toy.states].to_vec());
        let forward = Forward::vector(schedule.clone());
        let model = DiscreteModel::new(&toy, &forward, ReverseParameterization::Mixture).expect("small");
        theorems(&discrete::cascade(&model, steps, &weighting, &Silent).expect("finite"))?;
        let DenoiserKind::Table(rows) = &toy.denoiser else { unreachable!("a table") };
        let mu = &rows[0].1[0];
        for x in 0..toy.states {
            let times = ((steps - 1) as f64 / 5.0, steps as f64 / 5.0);
            let published = discrete::genmd4::step_cost(&schedule, mu, x, times);
            let general = token_step(&forward, ReverseParameterization::Mixture, mu, (x, toy.states), (steps, 5));
            prop_assert!((published - general).abs() <= TOLERANCE * published.max(1.0), "{published} {general}");
            prop_assert!(discrete::genmd4::cost_rate(&schedule, mu, x, times.1) >= -1e-12);
        }
        Ok(())
    });
}

#[test]
fn gaussian_diffusion() {
    let atoms = |most: usize| {
        let atom = (-1.5..1.5f64, 0.05..1.0f64);
        prop::collection::vec(atom, 1..=most)
    };
    let law = |mixture: bool, parts: Vec<(f64, f64)>, std: f64| {
        let weights = normalised(&parts.iter().map(|(_, w)| *w).collect::<Vec<_>>());
        let component = |((mean, _), weight): (&(f64, f64), f64)| gaussian::Component {
            weight,
            mean: [*mean, 0.0],
            std: if mixture { std } else { 0.0 },
        };
        gaussian::Mixture { dimensions: 1, components: parts.iter().zip(weights).map(component).collect() }
    };
    let ends = (-5.0..-2.0f64, 2.0..5.0f64);
    let strategy = (any::<bool>(), atoms(3), atoms(2), 0.1..0.6f64, ends, weighting(), 1..4usize);
    hold(CASES, &strategy, |(mixture, data, denoiser, std, (gamma_min, gamma_max), weighting, steps)| {
        let toy = gaussian::GaussianToy { data: law(mixture, data, std), denoiser: law(mixture, denoiser, 1.3 * std) };
        let schedule = GaussianSchedule::FixedLinear { gamma_min, gamma_max };
        let c = gaussian::cascade(&toy, &schedule, steps, &weighting, &Silent).expect("computed");
        theorems(&c)?;
        let augmented = gaussian::noise_augmented_nelbo(&toy, &schedule, steps).expect("one dimension");
        for (i, nelbo) in augmented.iter().enumerate() {
            let sigma = schedule.sigma(i as f64 / steps as f64);
            let entropy = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * sigma * sigma).ln();
            let loss = c.prior + c.kl_step[i..].iter().sum::<f64>();
            prop_assert!((nelbo - entropy - loss).abs() <= TOLERANCE * loss.max(1.0), "Kingma and Gao, i = {}", i + 1);
        }
        let forms = gaussian::loss_parameterisations(&toy, &schedule, 0.3, 0.6);
        let agree =
            |values: &[f64]| values.iter().all(|v| (v - values[0]).abs() <= TOLERANCE * values[0].abs().max(1e-6));
        prop_assert!(agree(&forms.continuous) && agree(&forms.finite), "forms {forms:?}");
        Ok(())
    });
}
