//! The loss code that trains the networks against exact numbers, with witnesses that must be rejected.

use elbow_harness::likelihood::Estimate;
use elbow_impls::Key;
use elbow_impls::md4::Md4;
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::weighting::Weighting;
use elbow_theory::masked::weighted_loss;

use crate::fixture::{Bench, REJECT, score};

const BATCHES: usize = 300;
const BATCH: usize = 128;

impl Bench {
    /// Means of the batches, each sequence's loss multiplied by `spoil(t)`.
    fn means(&self, objective: &Md4, sampling: TimeSampling, spoil: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..BATCHES as u64)
            .map(|b| {
                let key = |purpose| Key::new(7, purpose).fold(b);
                let x = self.toy.draw(BATCH, &key("data"));
                let times = sampling.draw(BATCH, &key("times"));
                let batch = Batch::new(x, times.clone());
                let loss =
                    objective.loss(&self.table, &batch, &key("masks"), &self.device).expect("a loss").into_data();
                loss.iter::<f64>().zip(&times).map(|(l, &t)| l * spoil(t)).sum::<f64>() / BATCH as f64
            })
            .collect()
    }

    /// Distance of the mean from the exact loss in standard errors.
    fn score(&self, objective: &Md4, means: &[f64]) -> f64 {
        score(&Estimate::of(means), weighted_loss(&self.all, &objective.schedule, &objective.weighting))
    }
}

#[test]
fn every_weighting_of_the_loss_has_its_exact_value_as_mean() {
    for toy in ["example-a", "three-tokens"] {
        let bench = Bench::new(toy);
        for schedule in [MaskedSchedule::Linear, MaskedSchedule::Cosine] {
            for weighting in Weighting::ALL {
                let objective = Md4::new(schedule.clone(), weighting.clone());
                let score = bench.score(&objective, &bench.means(&objective, TimeSampling::Stratified, |_| 1.0));
                assert!(score < REJECT, "{toy} {schedule} {weighting}: {score} standard errors");
            }
        }
    }
}

#[test]
fn the_nelbo_terms_have_the_exact_bound_as_mean() {
    let bench = Bench::new("example-a");
    let objective = Md4::new(MaskedSchedule::Linear, Weighting::Simple);
    let draws: Vec<f64> = (0..BATCHES as u64)
        .map(|b| {
            let key = |purpose| Key::new(9, purpose).fold(b);
            let x = bench.toy.draw(BATCH, &key("data"));
            let times = TimeSampling::Stratified.draw(BATCH, &key("times"));
            let terms = objective.nelbo(&bench.table, &Batch::new(x, times), &key("masks"), &bench.device);
            let terms = terms.expect("a bound");
            assert!(terms.iter().all(|t| (t.reconstruction, t.prior) == (0.0, 0.0)));
            terms.iter().map(BoundTerms::sum).sum::<f64>() / BATCH as f64
        })
        .collect();
    let estimate = Estimate::of(&draws);
    // The bound is the ELBO's although the objective trains with another weighting.
    let exact = weighted_loss(&bench.all, &objective.schedule, &Weighting::Elbo);
    assert!(score(&estimate, exact) < REJECT);
    let reweighted = weighted_loss(&bench.all, &objective.schedule, &objective.weighting);
    assert!(score(&estimate, reweighted) > 50.0, "witness: the loss is no bound");
}

#[test]
fn stratified_times_have_the_smaller_variance() {
    let bench = Bench::new("example-a");
    let objective = Md4::new(MaskedSchedule::Linear, Weighting::Simple);
    let error = |sampling| Estimate::of(&bench.means(&objective, sampling, |_| 1.0)).standard_error;
    let (stratified, rotated, independent) =
        (error(TimeSampling::Stratified), error(TimeSampling::Rotated), error(TimeSampling::Independent));
    assert!(stratified < 0.9 * independent, "{stratified} {independent}");
    assert!(rotated < 0.9 * independent, "{rotated} {independent}");
}

#[test]
fn witness_wrong_weights_are_rejected() {
    let bench = Bench::new("example-a");
    type Spoil = fn(f64) -> f64;
    let wrong: [(&str, Weighting, Spoil); 4] = [
        ("the cosine schedule's weight on linear masks", Weighting::Elbo, |t| {
            t * MaskedSchedule::Cosine.elbo_weight(t)
        }),
        ("no weight", Weighting::Elbo, |t| t),
        ("the ELBO's weight in place of simple's", Weighting::Simple, |t| 1.0 / t),
        ("w~ applied twice", Weighting::Sigmoid(2.0), |t| Weighting::Sigmoid(2.0).at(&MaskedSchedule::Linear, t)),
    ];
    for (what, weighting, spoil) in wrong {
        let objective = Md4::new(MaskedSchedule::Linear, weighting);
        let score = bench.score(&objective, &bench.means(&objective, TimeSampling::Stratified, spoil));
        assert!(score > REJECT, "{what} was accepted: {score} standard errors");
    }
}
