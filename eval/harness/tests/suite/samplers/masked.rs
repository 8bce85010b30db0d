//! Samplers of masked diffusion with one schedule for all values.

use std::sync::Mutex;

use elbow_base::Silent;
use elbow_harness::sampling::{Request, draw};
use elbow_impls::any_order::{first_hitting, one_by_one};
use elbow_impls::d3pm::absorbing_ancestral;
use elbow_impls::maskgit::confidence_decoding;
use elbow_impls::md4::{Grid, ancestral};
use elbow_impls::mdlm::ancestral_cached;
use elbow_impls::network::{Input, TokenDenoiser, to_f64_vec};
use elbow_impls::sampler_state::{Predictor, Samples};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::Settings;
use elbow_theory::masked::sampler_law::{any_order_law, sampler_law};

use super::laws::confident_law;
use super::{Bench, DRAWS, FnDenoiser, follows, rejects};

#[test]
fn ancestral_steps_have_the_chains_law() {
    for toy in ["example-a", "three-tokens"] {
        let bench = Bench::new(toy);
        for (schedule, grid, steps) in [
            (MaskedSchedule::Linear, Grid::Uniform, 3),
            (MaskedSchedule::Linear, Grid::Cosine, 4),
            (MaskedSchedule::Cosine, Grid::Uniform, 4),
        ] {
            let times: Vec<f64> = (0..=steps).map(|i| grid.time(i, steps)).collect();
            let samples = ancestral(bench.predictor(), &schedule, grid, steps, bench.masks()).expect("samples");
            follows(&bench, &samples, &sampler_law(&bench.all, &schedule, &times));
        }
        let one =
            ancestral(bench.predictor(), &MaskedSchedule::Linear, Grid::Uniform, 1, bench.masks()).expect("samples");
        rejects(&bench, &one, &any_order_law(&bench.all));
    }
}

#[test]
fn the_cached_sampler_has_the_chains_law_and_counts_its_evaluations() {
    let bench = Bench::new("three-tokens");
    let steps = 4;
    let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
    let samples = ancestral_cached(bench.predictor(), steps, bench.masks()).expect("samples");
    follows(&bench, &samples, &sampler_law(&bench.all, &MaskedSchedule::Linear, &times));
    // One evaluation at the start, and one after each step that changed something and left masks.
    assert!(samples.evaluations.iter().all(|&n| (1..=3).contains(&n)));
    let many = ancestral_cached(bench.predictor(), 200, bench.masks()).expect("samples");
    assert!(many.nfe() <= 3.0 && many.nfe() > 2.9, "{} evaluations for three tokens", many.nfe());
    // A network that sees the time is evaluated where a token is revealed, at that step's time.
    let timed =
        FnDenoiser { values: bench.toy.states, sees_time: true, logits: |input: &Input| bench.table.logits(input) };
    let evaluated = ancestral_cached(Predictor::new(&timed, &bench.device), 200, bench.masks()).expect("samples");
    assert!(evaluated.nfe() <= 3.0 && evaluated.nfe() > 2.9, "{} evaluations for three tokens", evaluated.nfe());
    assert_eq!(evaluated.tokens.ids(), many.tokens.ids(), "a step that reveals nothing changes nothing");
}

#[test]
fn one_by_one_and_first_hitting_have_the_any_order_law() {
    for toy in ["example-a", "three-tokens"] {
        let bench = Bench::new(toy);
        let law = any_order_law(&bench.all);
        let length = bench.toy.length as u64;
        let random = one_by_one(bench.predictor(), bench.masks()).expect("samples");
        follows(&bench, &random, &law);
        let hitting = first_hitting(bench.predictor(), bench.masks()).expect("samples");
        follows(&bench, &hitting, &law);
        assert!(hitting.evaluations.iter().all(|&n| n == length), "exactly as many evaluations as tokens");
        assert!(random.evaluations.iter().all(|&n| n == length));
        assert_eq!(random.network_calls, length);
    }
}

#[test]
fn a_denoiser_that_is_no_network_is_drawn_from_like_one() {
    let bench = Bench::new("example-a");
    let denoiser: &dyn TokenDenoiser = &bench.table;
    let drawn = |preset: &str| {
        let settings = Settings::resolve(preset, &[]).expect("a preset");
        let request = Request { steps: 1000, ..Request::new(&settings, denoiser, 4000, 2, 1) };
        draw(&bench.device, &settings, denoiser, &request, &Silent)
    };
    follows(&bench, &drawn("any-order-digits").expect("samples"), &any_order_law(&bench.all));
    let error = drawn("vdm-digits").expect_err("it reads no points").to_string();
    assert!(error.contains("a denoiser of tokens"), "{error}");
}

#[test]
fn a_network_is_evaluated_at_the_times_that_it_was_trained_at() {
    // On any grid of the sampler: half of the tokens masked is t = 1/2 under the linear schedule, and 1/3 under the
    // cosine schedule, whose mask probability is sin(pi t / 2).
    let bench = Bench::new("example-a");
    let times_of = |draw: &dyn Fn(Predictor)| {
        let times = Mutex::default();
        draw(Predictor::new(&watched(&bench, &times), &bench.device).trained_under(MaskedSchedule::Cosine));
        times.into_inner().expect("one thread")
    };
    let at = |times: &[Vec<f64>], call: usize, exact: f64| {
        assert!(
            times[call].iter().all(|t| (t - exact).abs() < 1e-6),
            "{:?} where {exact} was expected",
            times[call][0]
        );
    };
    let one = times_of(&|predictor| drop(one_by_one(predictor, bench.masks()).expect("samples")));
    at(&one, 0, 1.0);
    at(&one, 1, 1.0 / 3.0);
    let grid = times_of(&|predictor| {
        drop(ancestral(predictor, &MaskedSchedule::Linear, Grid::Uniform, 2, bench.masks()).expect("samples"));
    });
    at(&grid, 1, 1.0 / 3.0);
    at(&times_of(&|predictor| drop(ancestral_cached(predictor, 2, bench.masks()).expect("samples"))), 0, 1.0);
    at(
        &times_of(&|predictor| drop(confidence_decoding(predictor, 2, 1.0, bench.masks()).expect("samples"))),
        1,
        1.0 / 3.0,
    );
}

/// The table as a denoiser that sees the time, and records it at every evaluation.
fn watched<'a>(bench: &'a Bench, times: &'a Mutex<Vec<Vec<f64>>>) -> impl TokenDenoiser + 'a {
    let logits = |input: &Input| {
        times.lock().expect("one thread").push(to_f64_vec(input.time.clone()));
        bench.table.logits(input)
    };
    FnDenoiser { values: bench.toy.states, sees_time: true, logits }
}

#[test]
fn first_hitting_times_have_the_law_of_the_process() {
    // With N tokens the mask probability at the first event is u^(1/N), of mean N/(N + 1), and each later one has its
    // own factor: at the second event the mean is N/(N + 1) (N - 1)/N.
    let bench = Bench::new("three-tokens");
    let times = Mutex::default();
    first_hitting(Predictor::new(&watched(&bench, &times), &bench.device), bench.masks()).expect("samples");
    let times = times.into_inner().expect("one thread");
    assert_eq!(times.len(), 3);
    let mean = |t: &[f64]| t.iter().sum::<f64>() / t.len() as f64;
    for (found, exact) in times.iter().map(|t| mean(t)).zip([0.75, 0.5, 0.25]) {
        assert!((found - exact).abs() < 5.0 * 0.25 / (DRAWS as f64).sqrt(), "{found} where {exact} was expected");
    }
}

#[test]
fn confident_values_first_has_its_closed_form() {
    // Two tokens, two rounds: both are drawn, one is kept. With temperature s (the rest of it at r = 1/2) the first is
    // kept with probability sigmoid((ln p1(a) - ln p2(b)) / s): a difference of Gumbels is logistic.
    let bench = Bench::new("example-a");
    let temperature = 1.0;
    let law = confident_law(&bench, &bench, temperature);
    let samples = confidence_decoding(bench.predictor(), 2, temperature, bench.masks()).expect("samples");
    follows(&bench, &samples, &law);
    assert!(samples.evaluations.iter().all(|&n| n == 2));
    rejects(&bench, &confidence_decoding(bench.predictor(), 2, 100.0, bench.masks()).expect("samples"), &law);
}

#[test]
fn rounds_that_keep_nothing_do_not_call_the_network() {
    let bench = Bench::new("three-tokens");
    for steps in [1, 2, 3, 53, 500] {
        let samples = confidence_decoding(bench.predictor(), steps, 4.5, bench.masks()).expect("samples");
        let most = steps.min(bench.toy.length) as u64;
        assert!(samples.evaluations.iter().all(|&n| n == most), "{steps} rounds: NFE {}", samples.nfe());
        assert_eq!(samples.network_calls, most, "{steps} rounds");
    }
}

#[test]
fn an_answer_that_is_no_number_stops_every_sampler_and_names_the_step() {
    let bench = Bench::new("example-a");
    // The first answer is a distribution, the second is not: with NaN, and with nothing possible.
    for wrong in [f64::NAN, f64::NEG_INFINITY] {
        let calls = Mutex::new(0);
        let logits = |input: &Input| {
            let mut calls = calls.lock().expect("one thread");
            *calls += 1;
            if *calls == 1 {
                bench.table.logits(input)
            } else {
                bench.table.logits(input).mul_scalar(0.0).add_scalar(wrong)
            }
        };
        let denoiser = FnDenoiser { values: 2, sees_time: true, logits };
        let predictor = || Predictor::new(&denoiser, &bench.device);
        let linear = MaskedSchedule::Linear;
        let draws: [&dyn Fn() -> elbow_impls::Result<Samples>; 5] = [
            &|| ancestral(predictor(), &linear, Grid::Uniform, 2, bench.masks()),
            &|| ancestral_cached(predictor(), 2, bench.masks()),
            &|| one_by_one(predictor(), bench.masks()),
            &|| confidence_decoding(predictor(), 2, 4.5, bench.masks()),
            &|| absorbing_ancestral(predictor(), 2, bench.masks()),
        ];
        for (number, draw) in draws.iter().enumerate() {
            *calls.lock().expect("one thread") = 0;
            let error = draw().map(|samples| samples.nfe()).expect_err("no number").to_string();
            assert!(error.contains("step 2: the network answered"), "{number}: {error}");
        }
    }
}

#[test]
fn known_tokens_stay_and_condition_the_rest() {
    let bench = Bench::new("example-a");
    let masks = || bench.masks().with_known(&[vec![None, Some(1)]]);
    let mut law = vec![0.0; 9];
    for a in 0..2u32 {
        law[bench.all.number(&[a, 1])] = bench.mu(&[2, 1], 0)[a as usize];
    }
    let linear = MaskedSchedule::Linear;
    let made = [
        ancestral(bench.predictor(), &linear, Grid::Cosine, 7, masks()).expect("samples"),
        ancestral_cached(bench.predictor(), 7, masks()).expect("samples"),
        first_hitting(bench.predictor(), masks()).expect("samples"),
        one_by_one(bench.predictor(), masks()).expect("samples"),
        confidence_decoding(bench.predictor(), 7, 4.5, masks()).expect("samples"),
        absorbing_ancestral(bench.predictor(), 7, masks()).expect("samples"),
    ];
    for samples in &made {
        assert!(samples.tokens.rows().all(|row| row[1] == 1));
        follows(&bench, samples, &law);
    }
    assert!(made[3].evaluations.iter().all(|&n| n == 1));
    rejects(&bench, &one_by_one(bench.predictor(), bench.masks()).expect("samples"), &law);
}

#[test]
fn ancestral_evaluations_are_those_that_were_needed() {
    // A step of a linear schedule on a uniform grid reveals something of N masks at step i with probability that sums
    // to T (1 - (1 - 1/T)^N) over the steps.
    let bench = Bench::new("three-tokens");
    for steps in [2usize, 5, 20] {
        let samples = ancestral(bench.predictor(), &MaskedSchedule::Linear, Grid::Uniform, steps, bench.masks())
            .expect("samples");
        let t = steps as f64;
        let exact = t * (1.0 - (1.0 - 1.0 / t).powi(bench.toy.length as i32));
        let error = 2.0 / (DRAWS as f64).sqrt();
        assert!((samples.nfe() - exact).abs() < 4.0 * error, "{} where {exact} was expected", samples.nfe());
        assert!(samples.network_calls <= steps as u64);
    }
}
