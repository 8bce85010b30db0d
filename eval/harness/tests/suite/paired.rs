//! Differences of two bounds against exact numbers: their mean, the coverage of their interval, and what pairing saves.

use burn::tensor::Device;
use elbow_base::Silent;
use elbow_harness::denoisers::table_denoiser;
use elbow_harness::likelihood::{BoundEstimation, Estimate, Estimator, PairedBound, PairedEstimation};
use elbow_impls::data::{Dataset, InMemory};
use elbow_impls::md4::Md4;
use elbow_impls::network::TableDenoiser;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::weighting::Weighting;
use elbow_impls::{DiffusionModel, Key};
use elbow_theory::masked::{Enumeration, any_order_nll};
use elbow_theory::{Alphabet, Toy};

use crate::fixture::{REJECT, agrees, fixture};

const SEEDS: u64 = 400;
const SEQUENCES: usize = 96;

/// A toy with two denoisers, and their exact any-order bounds in nats.
struct Pair {
    toy: Toy,
    tables: [TableDenoiser; 2],
    exact: [f64; 2],
}

impl Pair {
    fn new() -> Self {
        let text = std::fs::read_to_string(fixture("toys/example-a.json")).expect("bundled");
        let folder = tempfile::tempdir().expect("a folder");
        let with = |denoiser: serde_json::Value| {
            let mut toy: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            toy["denoiser"] = denoiser;
            let path = folder.path().join("toy.json");
            std::fs::write(&path, toy.to_string()).expect("a file");
            let toy = Toy::load(&path, Alphabet::Masked).expect("a toy");
            let all = Enumeration::new(&toy).expect("full support");
            (table_denoiser(&all, &Device::flex()), any_order_nll(&all), toy)
        };
        let (a, exact_a, toy) = with(serde_json::json!({ "kind": "exact" }));
        let (b, exact_b, _) = with(serde_json::json!({ "kind": "tempered", "temperature": 2.0, "floor": 0.05 }));
        Self { toy, tables: [a, b], exact: [exact_a, exact_b] }
    }

    fn data(&self, seed: u64) -> InMemory {
        InMemory::new("draws", 2, self.toy.draw(SEQUENCES, &Key::new(seed, "data")))
    }

    /// A - B on these data, by the objective's own draws of two per sequence.
    fn difference(&self, data: &dyn Dataset, estimator: Estimator, seed: u64, swapped: bool) -> PairedBound {
        let md4 = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
        let models = self.tables.each_ref().map(|table| {
            let model = DiffusionModel::Tokens(&md4, table);
            BoundEstimation { estimator, ..BoundEstimation::new(model, data, 2, seed) }
        });
        let [a, b] = models;
        let models = if swapped { [b, a] } else { [a, b] };
        PairedEstimation { models, target: None }.run(&Device::flex(), &Silent).expect("a difference")
    }
}

/// Mean and variance.
fn moments(numbers: &[f64]) -> (f64, f64) {
    let mean = Estimate::of(numbers);
    (mean.value, mean.standard_error.powi(2) * numbers.len() as f64)
}

#[test]
fn the_interval_covers_the_exact_difference_as_often_as_it_says() {
    let pair = Pair::new();
    let exact = pair.exact[0] - pair.exact[1];
    let found: Vec<Estimate> =
        (0..SEEDS).map(|seed| pair.difference(&pair.data(seed), Estimator::Auto, seed, false).nats).collect();
    let values: Vec<f64> = found.iter().map(|estimate| estimate.value).collect();
    agrees("A - B", &Estimate::of(&values), exact);
    let covers = |estimate: &&Estimate| {
        let (low, high) = estimate.interval(0.95);
        (low..=high).contains(&exact)
    };
    let coverage = found.iter().filter(covers).count() as f64 / SEEDS as f64;
    let variance = found.iter().map(|estimate| estimate.standard_error.powi(2)).sum::<f64>() / SEEDS as f64;
    let ratio = variance / moments(&values).1;
    println!("coverage {coverage}, mean square of the errors over the variance {ratio}");
    // Four standard errors of a share of 95 %, and of a variance of normal numbers.
    assert!((coverage - 0.95).abs() < 4.0 * (0.95 * 0.05 / SEEDS as f64).sqrt(), "{coverage}");
    assert!((ratio - 1.0).abs() < 4.0 * (2.0 / SEEDS as f64).sqrt(), "{ratio}");
    // Witness: the errors of independent bounds cover far too much.
    let independent = pair.difference(&pair.data(0), Estimator::Auto, 0, false);
    let (paired, apart) = (independent.bits_per_dim.standard_error, independent.independent_standard_error);
    assert!(apart > 1.5 * paired, "{apart} {paired}");
    assert!((independent.variance_ratio.expect("some variance") - (apart / paired).powi(2)).abs() < 1e-9);
}

#[test]
fn both_models_are_asked_about_the_same_noise() {
    let (pair, data) = (Pair::new(), Pair::new().data(0));
    for estimator in [Estimator::Auto, Estimator::Objective] {
        let one = pair.difference(&data, estimator, 3, false);
        assert_eq!((one.shared_inputs, one.nats.n), (1.0, SEQUENCES as u64));
        let other = pair.difference(&data, estimator, 3, true);
        assert_eq!((other.nats.value, other.nats.standard_error), (-one.nats.value, one.nats.standard_error));
        // Each bound is the one that is measured alone.
        let md4 = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
        let model = DiffusionModel::Tokens(&md4, &pair.tables[1]);
        let alone = BoundEstimation { estimator, ..BoundEstimation::new(model, &data, 2, 3) };
        let alone = alone.run(&Device::flex(), &Silent).expect("a bound");
        assert_eq!(alone.nats, one.b.nats);
        let difference = one.a.nats.value - one.b.nats.value;
        assert!((difference - one.nats.value).abs() < 1e-12, "{difference} {}", one.nats.value);
    }
    // On fixed data all variance is that of the noise: common noise has less.
    let paired: Vec<f64> =
        (0..SEEDS).map(|seed| pair.difference(&data, Estimator::Objective, seed, false).nats.value).collect();
    let apart: Vec<f64> = (0..SEEDS)
        .map(|seed| {
            let a = pair.difference(&data, Estimator::Objective, seed, false).a.nats.value;
            a - pair.difference(&data, Estimator::Objective, seed + SEEDS, false).b.nats.value
        })
        .collect();
    let [(_, common), (_, own)] = [moments(&paired), moments(&apart)];
    println!("variance with common noise {common:e}, with noise of their own {own:e}");
    assert!(own > 2.0 * common, "witness: {own} {common}");
}

#[test]
fn other_schedules_share_a_part_of_the_noise() {
    let (pair, data) = (Pair::new(), Pair::new().data(1));
    let schedules =
        [MaskedSchedule::Linear, MaskedSchedule::Cosine].map(|schedule| Md4::new(schedule, Weighting::Elbo));
    let models = [0, 1].map(|i| {
        let model = DiffusionModel::Tokens(&schedules[i], &pair.tables[i]);
        BoundEstimation { estimator: Estimator::Objective, ..BoundEstimation::new(model, &data, 8, 0) }
    });
    let found = PairedEstimation { models, target: None }.run(&Device::flex(), &Silent).expect("a difference");
    assert!(found.shared_inputs > 0.5 && found.shared_inputs < 1.0, "{}", found.shared_inputs);
    assert!(((found.nats.value - (pair.exact[0] - pair.exact[1])) / found.nats.standard_error).abs() < REJECT);
}

#[test]
fn sequences_are_taken_until_the_difference_has_its_error() {
    let pair = Pair::new();
    let data = InMemory::new("draws", 2, pair.toy.draw(4000, &Key::new(0, "data")));
    let md4 = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
    let models =
        || pair.tables.each_ref().map(|table| BoundEstimation::new(DiffusionModel::Tokens(&md4, table), &data, 2, 0));
    let until = |target| {
        let found = PairedEstimation { models: models(), target: Some(target) }.run(&Device::flex(), &Silent);
        found.expect("a difference")
    };
    let found = until(0.02);
    assert!(found.bits_per_dim.standard_error <= 0.02 && found.nats.n < 4000, "{:?}", found.bits_per_dim);
    assert!(found.target.expect("asked for").reached && !until(1e-6).target.expect("asked for").reached);
}
