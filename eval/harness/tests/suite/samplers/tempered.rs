//! Every sampler of tokens at a temperature: its law is that of the same sampler of the tempered denoiser.

use burn::tensor::{Tensor, TensorData};
use elbow_base::Silent;
use elbow_harness::denoisers::table_denoiser;
use elbow_harness::sampling::{Request, draw};
use elbow_impls::Key;
use elbow_impls::any_order::{first_hitting, one_by_one};
use elbow_impls::autoregressive::left_to_right;
use elbow_impls::d3pm::{D3pmUniform, ReverseKernel, absorbing_ancestral, uniform_ancestral};
use elbow_impls::genmd4::{powers, vector_ancestral};
use elbow_impls::maskgit::confidence_decoding;
use elbow_impls::md4::{Grid, ancestral};
use elbow_impls::mdlm::ancestral_cached;
use elbow_impls::network::{TableDenoiser, TokenDenoiser};
use elbow_impls::sampler_state::{Predictor, Samples};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::tempering::Tempering;
use elbow_impls::train::Settings;
use elbow_theory::masked::Enumeration;
use elbow_theory::masked::sampler_law::{any_order_law, sampler_law};

use super::laws::{absorbing_law, confident_law, left_to_right_law, pair_rows, uniform_law, vector_law};
use super::others::{causal, with_mask};
use super::{Bench, DRAWS, follows, rejects};

const TAU: f64 = 0.6;
const STEPS: usize = 3;
/// Mass on the mask of the denoiser of absorbing D3PM.
const MASS: f64 = 0.4;

/// A change of a distribution of the denoiser.
type Change<'a> = &'a dyn Fn(&[f64]) -> Vec<f64>;
type Draw = fn(&Bench, Tempering) -> Samples;
type Law = fn(&Bench, Change) -> Vec<f64>;

fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / total).collect()
}

/// p^(1/tau): by powers of probabilities, where samplers divide logits.
fn power(p: &[f64], tau: f64) -> Vec<f64> {
    normalised(p.iter().map(|p| p.powf(1.0 / tau)).collect())
}

/// The bench with a changed denoiser.
fn changed(bench: &Bench, change: Change) -> Bench {
    let rows: Vec<f64> = bench.all.probabilities().chunks(bench.toy.states).flat_map(change).collect();
    let all = Enumeration::with_probabilities(&bench.toy, &rows).expect("full support");
    let table = table_denoiser(&all, &bench.device);
    Bench { toy: bench.toy.clone(), all, table, device: bench.device.clone() }
}

fn at(temperature: f64) -> Tempering {
    Tempering { temperature, ..Tempering::NONE }
}

fn uniform_grid() -> Vec<f64> {
    (0..=STEPS).map(|i| i as f64 / STEPS as f64).collect()
}

fn grid_law(bench: &Bench, change: Change) -> Vec<f64> {
    sampler_law(&changed(bench, change).all, &MaskedSchedule::Linear, &uniform_grid())
}

fn with_powers(bench: &Bench) -> TableDenoiser {
    let theta: Vec<f32> = (0..bench.toy.states).map(|v| v as f32 - 0.5).collect();
    bench.table.clone().with_schedule(Tensor::from_data(TensorData::new(theta, [bench.toy.states]), &bench.device))
}

fn draw_uniform(bench: &Bench, kernel: ReverseKernel, predictor: impl Fn(Predictor) -> Predictor) -> Samples {
    let table = TableDenoiser::new(2, 2, &pair_rows(), &bench.device);
    let objective = D3pmUniform { schedule: MaskedSchedule::Linear, steps: None, kernel, hybrid_ce_weight: 0.0 };
    let (predictor, key) = (predictor(Predictor::new(&table, &bench.device)), Key::new(7, "tempered"));
    uniform_ancestral(predictor, &objective, STEPS, [DRAWS, 2], &key, &bench.device).expect("samples")
}

fn pair_law(bench: &Bench, kernel: ReverseKernel, change: Change) -> Vec<f64> {
    let rows = pair_rows();
    uniform_law(bench, STEPS, kernel, |_, pattern, n| change(&rows[pattern][2 * n..2 * n + 2]))
}

/// Each sampler with its exact law.
const SAMPLERS: [(&str, Draw, Law); 10] = [
    (
        "ancestral",
        |bench, tempering| {
            let predictor = bench.predictor().tempered(tempering);
            ancestral(predictor, &MaskedSchedule::Linear, Grid::Uniform, STEPS, bench.masks()).expect("samples")
        },
        grid_law,
    ),
    (
        "cached",
        |bench, tempering| {
            ancestral_cached(bench.predictor().tempered(tempering), STEPS, bench.masks()).expect("samples")
        },
        grid_law,
    ),
    (
        "first-hitting",
        |bench, tempering| first_hitting(bench.predictor().tempered(tempering), bench.masks()).expect("samples"),
        |bench, change| any_order_law(&changed(bench, change).all),
    ),
    (
        "one-by-one",
        |bench, tempering| one_by_one(bench.predictor().tempered(tempering), bench.masks()).expect("samples"),
        |bench, change| any_order_law(&changed(bench, change).all),
    ),
    (
        "confidence",
        |bench, tempering| {
            confidence_decoding(bench.predictor().tempered(tempering), 2, 1.0, bench.masks()).expect("samples")
        },
        |bench, change| confident_law(bench, &changed(bench, change), 1.0),
    ),
    (
        "vector",
        |bench, tempering| {
            let table = with_powers(bench);
            let predictor = Predictor::new(&table, &bench.device).tempered(tempering);
            vector_ancestral(predictor, Grid::Uniform, STEPS, bench.masks()).expect("samples")
        },
        |bench, change| vector_law(&changed(bench, change), STEPS, &powers(&with_powers(bench)).expect("a schedule")),
    ),
    (
        "d3pm-absorbing",
        |bench, tempering| {
            let denoiser = with_mask(&bench.table, MASS);
            let predictor = Predictor::new(&denoiser, &bench.device).tempered(tempering);
            absorbing_ancestral(predictor, STEPS, bench.masks()).expect("samples")
        },
        |bench, change| absorbing_law(&changed(bench, change), STEPS, MASS),
    ),
    (
        "d3pm-uniform",
        |bench, tempering| draw_uniform(bench, ReverseKernel::D3pm, |predictor| predictor.tempered(tempering)),
        |bench, change| pair_law(bench, ReverseKernel::D3pm, change),
    ),
    (
        "d3pm-uniform, mixture",
        |bench, tempering| draw_uniform(bench, ReverseKernel::Mixture, |predictor| predictor.tempered(tempering)),
        |bench, change| pair_law(bench, ReverseKernel::Mixture, change),
    ),
    (
        "left-to-right",
        |bench, tempering| {
            let causal = causal(&bench.table);
            left_to_right(Predictor::new(&causal, &bench.device).tempered(tempering), bench.masks()).expect("samples")
        },
        |bench, change| left_to_right_law(&changed(bench, change)),
    ),
];

/// The toys' sizes differ: the uniform process has two values.
fn bench_of(name: &str) -> Bench {
    Bench::new(if name.starts_with("d3pm-uniform") { "example-a" } else { "example-b" })
}

#[test]
fn a_temperature_gives_every_sampler_the_law_of_the_tempered_denoiser() {
    for (name, draw, law) in SAMPLERS {
        println!("{name}");
        let bench = bench_of(name);
        for tau in [TAU, 1.0 / TAU] {
            let samples = draw(&bench, at(tau));
            follows(&bench, &samples, &law(&bench, &|p| power(p, tau)));
            rejects(&bench, &samples, &law(&bench, &|p| p.to_vec()));
            rejects(&bench, &samples, &law(&bench, &|p| power(p, 1.0 / tau)));
            // The temperature after the softmax: probabilities taken for logits.
            rejects(&bench, &samples, &law(&bench, &|p| normalised(p.iter().map(|p| (p / tau).exp()).collect())));
        }
    }
}

#[test]
fn the_limits_of_every_change_are_one_sampler_of_most_probable_values() {
    let single = [at(0.0), Tempering { top_k: Some(1), ..at(1.0) }, Tempering { nucleus: 1e-9, ..at(1.0) }];
    for (name, draw, _) in SAMPLERS {
        let bench = bench_of(name);
        let [cold, first, thin] = single.map(|tempering| draw(&bench, tempering).tokens.ids().to_vec());
        assert!(cold == first && cold == thin, "{name}");
        let all = Tempering { top_k: Some(bench.toy.states), ..at(1.0) };
        assert_eq!(draw(&bench, all).tokens.ids(), draw(&bench, at(1.0)).tokens.ids(), "{name}: nothing is cut");
    }
}

#[test]
fn a_greedy_tail_takes_the_most_probable_values_in_the_last_step_alone() {
    // The first of equals.
    let most = |p: &[f64]| {
        let best = p.iter().position(|x| p.iter().all(|y| y <= x));
        (0..p.len()).map(|value| f64::from(u8::from(Some(value) == best))).collect::<Vec<f64>>()
    };
    let bench = Bench::new("example-b");
    let law = bench.evolve(3, 2, |i, from, n| {
        if from[n] != 3 {
            return (0..4).map(|d| f64::from(u8::from(d == from[n]))).collect();
        }
        let mu = bench.mu(from, n);
        if i == 1 {
            [most(&mu), vec![0.0]].concat()
        } else {
            [mu.iter().map(|p| p / 2.0).collect(), vec![0.5]].concat()
        }
    });
    let drawn = |tail| {
        let predictor = bench.predictor().with_greedy_tail(tail);
        ancestral(predictor, &MaskedSchedule::Linear, Grid::Uniform, 2, bench.masks()).expect("samples")
    };
    follows(&bench, &drawn(true), &law);
    rejects(&bench, &drawn(false), &law);

    let (bench, rows) = (Bench::new("example-a"), pair_rows());
    let law = uniform_law(&bench, STEPS, ReverseKernel::D3pm, |i, pattern, n| {
        let mu = &rows[pattern][2 * n..2 * n + 2];
        if i == 1 { most(mu) } else { mu.to_vec() }
    });
    let drawn = |tail| draw_uniform(&bench, ReverseKernel::D3pm, |predictor| predictor.with_greedy_tail(tail));
    follows(&bench, &drawn(true), &law);
    rejects(&bench, &drawn(false), &law);
}

#[test]
fn a_request_reaches_the_draws_of_every_kind_of_model() {
    let bench = Bench::new("example-b");
    let denoiser: &dyn TokenDenoiser = &bench.table;
    for preset in ["md4-digits", "mdlm-digits", "maskgit-digits", "any-order-digits", "d3pm-uniform-digits"] {
        let settings = Settings::resolve(preset, &[]).expect("a preset");
        let drawn = |tempering| {
            let request = Request { tempering, ..Request::new(&settings, denoiser, 400, 2, 1) };
            draw(&bench.device, &settings, denoiser, &request, &Silent).expect("samples").tokens.ids().to_vec()
        };
        let plain = drawn(Tempering::NONE);
        let others = [at(TAU), Tempering { top_k: Some(2), ..at(1.0) }, Tempering { nucleus: 0.5, ..at(1.0) }];
        for tempering in others {
            let ids = drawn(tempering);
            let visible = preset != "d3pm-uniform-digits";
            // The table's rows of visible tokens are even, which no temperature changes.
            assert!(ids != plain || (!visible && tempering == at(TAU)), "{preset}: {tempering:?}");
        }
    }
    let any_order = Settings::resolve("any-order-digits", &[]).expect("a preset");
    let request = Request { tempering: at(TAU), ..Request::new(&any_order, denoiser, DRAWS, 2, 1) };
    let samples = draw(&bench.device, &any_order, denoiser, &request, &Silent).expect("samples");
    follows(&bench, &samples, &any_order_law(&changed(&bench, &|p| power(p, TAU)).all));
}
