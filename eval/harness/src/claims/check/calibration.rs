//! Verdicts of simulated claims whose truth is known: an interval of 95 % misses it in one of twenty, for every kind of number
//! that decides a claim.

use burn::tensor::Device;
use elbow_base::{Estimate, Key, Silent};
use elbow_impls::DiffusionModel;
use elbow_impls::any_order::K_DCE;
use elbow_impls::data::InMemory;
use elbow_impls::key::categorical;
use elbow_reports::record::Verdict;
use elbow_theory::masked::{Enumeration, any_order_nll};
use elbow_theory::{DenoiserKind, Toy};
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::statistics::{chi_square, log_variance_ratio, paired_bits};
use crate::claims::judge::judge;
use crate::claims::{Expect, Outcome, Relation};
use crate::denoisers::table_denoiser;
use crate::likelihood::{BoundEstimation, ratio};

const CLAIMS: u64 = 1000;
const CONFIDENCE: f64 = 0.95;
/// Three standard errors of a share of 1,000 claims that is 0.05 in truth.
const TOLERANCE: f64 = 0.0207;

/// The random numbers of one claim.
struct Draws(Key, u64);

impl Draws {
    fn key(&mut self) -> Key {
        self.1 += 1;
        self.0.fold(self.1)
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.key().rng())
    }

    /// A code length: never negative, skewed to the right; its mean is 4.
    fn nats(&mut self) -> f64 {
        (0..4).map(|_| -> f64 { Exp1.sample(&mut self.key().rng()) }).sum()
    }

    fn many(&mut self, count: usize, one: impl Fn(&mut Self) -> f64) -> Vec<f64> {
        (0..count).map(|_| one(self)).collect()
    }
}

fn expect(relation: Relation, value: f64) -> Expect {
    Expect { relation, value, tolerance: 0.0, why: String::new() }
}

fn outcome(found: Estimate) -> Outcome {
    Outcome::estimated("x", found, "1", "units")
}

/// The share of simulated claims with this verdict.
fn share(verdict: Verdict, expect: &Expect, simulate: impl Fn(&mut Draws) -> Outcome) -> f64 {
    let one = |claim| judge(&simulate(&mut Draws(Key::new(claim, "calibration"), 0)), expect, CONFIDENCE).0 == verdict;
    (0..CLAIMS).filter(|&claim| one(claim)).count() as f64 / CLAIMS as f64
}

/// The share of claims that the number is `truth`, which are refuted although they are true.
fn missed(truth: f64, simulate: impl Fn(&mut Draws) -> Estimate) -> f64 {
    share(Verdict::Refuted, &expect(Relation::Equals, truth), |draws| outcome(simulate(draws)))
}

#[track_caller]
fn assert_calibrated(kind: &str, missed: f64) {
    println!("{kind}: {missed}");
    assert!((missed - 0.05).abs() <= TOLERANCE, "{kind}: {missed} of true claims are refuted, not 0.05");
}

#[test]
fn means_of_few_trainings_and_of_many_sequences() {
    assert_calibrated("five trainings", missed(0.0, |draws| Estimate::of(&draws.many(5, Draws::normal))));
    assert_calibrated("100 sequences", missed(4.0, |draws| Estimate::of(&draws.many(100, Draws::nats))));
    // Witness: the quantile of the normal law with five units, as if n were large.
    let normal = |draws: &mut Draws| Estimate { n: 1_000_000, ..Estimate::of(&draws.many(5, Draws::normal)) };
    assert!(missed(0.0, normal) > 0.05 + 2.0 * TOLERANCE);
}

#[test]
fn paired_differences() {
    // Ten pairs that share most of what makes them differ; 2 nats of 2 / ln 2 tokens are a bit per token.
    let pair = |draws: &mut Draws, count: usize| {
        let shared = draws.many(count, |draws| 5.0 * draws.normal());
        let noisy =
            |draws: &mut Draws, by: f64| -> Vec<f64> { shared.iter().map(|s| s + by + draws.normal()).collect() };
        [noisy(draws, 2.0), noisy(draws, 0.0)]
    };
    let difference = |draws: &mut Draws| {
        let [a, b] = pair(draws, 10);
        paired_bits(&a, &b, 2)
    };
    assert_calibrated("paired difference", missed(std::f64::consts::LOG2_E, difference));
    // Witness: two means as if they were independent.
    let unpaired = |draws: &mut Draws| {
        let [a, b] = pair(draws, 10).map(|side| Estimate::of(&side));
        Estimate { value: a.value - b.value, standard_error: a.standard_error.hypot(b.standard_error), n: 10 }
    };
    assert!(missed(2.0, unpaired) < 0.05 - TOLERANCE);
}

#[test]
fn totals_over_totals() {
    // Windows of 20 to 59 tokens at 4 nats per token.
    let windows = |draws: &mut Draws| -> (Vec<f64>, Vec<f64>) {
        let size = |draws: &mut Draws| 20.0 + (10.0 * draws.nats()).min(39.0).floor();
        let sizes = draws.many(60, size);
        (sizes.iter().map(|size| 4.0 * size + size.sqrt() * draws.normal() * 4.0).collect(), sizes)
    };
    let total = |draws: &mut Draws| {
        let (nats, sizes) = windows(draws);
        ratio(&nats, &sizes)
    };
    assert_calibrated("nats of all over tokens of all", missed(4.0, total));
    // Witness: the error of the total alone, as if the sizes were the same.
    let total_alone = |draws: &mut Draws| {
        let (nats, sizes) = windows(draws);
        let tokens = sizes.iter().sum::<f64>() / sizes.len() as f64;
        Estimate { value: ratio(&nats, &sizes).value, ..Estimate::of(&nats).scaled(1.0 / tokens) }
    };
    assert!(missed(4.0, total_alone) < 0.05 - TOLERANCE);
}

#[test]
fn laws_of_samplers_by_chi_square() {
    let law = [0.4, 0.3, 0.15, 0.1, 0.05];
    let score = |draws: &mut Draws, drawn: &[f64; 5]| {
        let mut counts = [0; 5];
        let mut rng = draws.key().rng();
        (0..200).for_each(|_| counts[categorical(&mut rng, drawn)] += 1);
        chi_square(&counts, &law)
    };
    let blocks = |draws: &mut Draws, drawn| Estimate::of(&draws.many(40, |draws| score(draws, drawn)));
    assert_calibrated("mean chi-square", missed(1.0, |draws| blocks(draws, &law)));
    // Witness: a sampler of another law is refuted in nearly all claims.
    assert!(missed(1.0, |draws| blocks(draws, &[0.33, 0.3, 0.2, 0.12, 0.05])) > 0.9);
}

#[test]
fn ratios_of_variances() {
    let two = |draws: &mut Draws| {
        let [a, b] = [3.0, 1.0].map(|scale| Estimate::of(&draws.many(60, |draws| scale * draws.normal())));
        log_variance_ratio(&a, &b)
    };
    assert_calibrated("ln of a ratio of variances", missed(9f64.ln(), two));
    // Witness: the error of one of both.
    let one = |draws: &mut Draws| Estimate { standard_error: (2f64 / 59.0).sqrt(), ..two(draws) };
    assert!(missed(9f64.ln(), one) > 0.05 + 2.0 * TOLERANCE);
}

#[test]
fn the_worst_of_several() {
    let worst = |draws: &mut Draws, truths: [f64; 4]| {
        let rivals = truths.map(|truth| (String::new(), Estimate::of(&draws.many(8, |draws| truth + draws.normal()))));
        Outcome::worst_of(&rivals, CONFIDENCE, |_| String::new(), "1", "units").expect("four numbers")
    };
    let at_most = expect(Relation::AtMost, 0.0);
    // All four are at the limit: the claim is true, and the one chosen after looking is refuted too seldom to matter.
    let refuted = share(Verdict::Refuted, &at_most, |draws| worst(draws, [0.0; 4]));
    // One is just above the limit and the others far below: the claim is false, and verified in one of forty.
    let verified = share(Verdict::Verified, &at_most, |draws| worst(draws, [1e-9, -9.0, -9.0, -9.0]));
    println!("worst of four: {refuted} refuted, {verified} verified");
    assert!(refuted <= 0.025 + TOLERANCE && (verified - 0.025).abs() <= TOLERANCE, "{refuted} {verified}");
    // Witness: without the correction for the choice.
    let chosen = |draws: &mut Draws| Outcome { rivals: 1, ..worst(draws, [0.0; 4]) };
    assert!(share(Verdict::Refuted, &at_most, chosen) > 0.025 + TOLERANCE);
}

/// The whole way of a bound: sequences of a toy, random masks, the estimator, the verdict.
#[test]
fn bounds_of_a_model() {
    let outcomes = vec![(vec![0, 0, 1], 0.4), (vec![0, 1, 0], 0.25), (vec![1, 1, 1], 0.2), (vec![1, 0, 0], 0.15)];
    let toy = Toy { states: 2, length: 3, outcomes, denoiser: DenoiserKind::Tempered { temperature: 2.0, floor: 0.1 } };
    let (all, device) = (Enumeration::new(&toy).expect("small"), Device::flex());
    let table = table_denoiser(&all, &device);
    let bound = |draws: &mut Draws| {
        let data = InMemory::new("toy", 2, toy.draw(60, &draws.key()));
        let model = DiffusionModel::Tokens(&K_DCE, &table);
        let estimation = BoundEstimation::new(model, &data, 2, draws.key().number());
        estimation.run(&device, &Silent).expect("a bound").nats
    };
    let exact = any_order_nll(&all);
    assert_calibrated("bound of a model", missed(exact, bound));
    // Witness: another number, by a standard error and a half.
    let error = bound(&mut Draws(Key::new(0, "calibration"), 0)).standard_error;
    assert!(missed(exact + 1.5 * error, bound) > 0.05 + 2.0 * TOLERANCE);
}
