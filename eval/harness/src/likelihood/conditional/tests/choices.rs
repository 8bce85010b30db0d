//! Rankings.

use super::*;

#[test]
fn a_ranking_errs_no_more_often_than_it_states() {
    const ERROR: f64 = 0.1;
    const RUNS: u64 = 150;
    let (toy, all, table) = toy(8);
    // Two targets of one prompt that are hard to tell apart, and one that is not.
    let prompt = toy.outcomes[0].0[..1].to_vec();
    let mut known: Vec<(f64, Vec<u32>)> = (toy.outcomes.iter().enumerate())
        .filter(|(_, (word, _))| word[..1] == prompt[..])
        .map(|(x, (word, _))| (-conditional_any_order_nll(&all, x, 1, 0b1111_1110), ids(&word[1..])))
        .collect();
    known.sort_by(|a, b| b.0.total_cmp(&a.0));
    let gap = |at: &usize| known[*at].0 - known[at + 1].0;
    let near =
        (10..known.len() / 2).filter(|at| gap(at) > 0.02).min_by(|a, b| gap(a).total_cmp(&gap(b))).expect("a pair");
    let targets = [near + 1, near, known.len() - 1].map(|at| known[at].1.clone());
    let question = [Question::new(ids(&prompt), targets.to_vec())];
    let (mut wrong, mut undecided, mut calls) = (0, 0, [0, 0]);
    for seed in 0..RUNS {
        let estimation = ConditionalEstimation {
            stop: Stop::ErrorProbability(ERROR),
            max_draws: 120,
            ..ConditionalEstimation::new(ConditionalModel::masked(&table), 60, seed)
        };
        let answer = run(&estimation, &question).remove(0);
        let ranking = answer.ranking.expect("several targets");
        assert_eq!(ranking.decided, ranking.error_probability <= ERROR);
        undecided += usize::from(!ranking.decided);
        wrong += usize::from(ranking.decided && ranking.best != 1);
        calls[0] += answer.targets[0].calls + answer.targets[1].calls;
        calls[1] += 2 * answer.targets[2].calls;
    }
    assert!(wrong as f64 <= ERROR * RUNS as f64, "{wrong} of {RUNS} wrong, {undecided} undecided");
    assert!(calls[1] * 3 < calls[0] * 2, "the draws go where the ranking is undecided: {calls:?}");
}

#[test]
fn targets_that_are_alike_stay_undecided() {
    let denoiser = CostOfCount { length: 6, timed: false };
    let estimation = ConditionalEstimation {
        stop: Stop::ErrorProbability(0.05),
        max_draws: 64,
        ..ConditionalEstimation::new(ConditionalModel::masked(&denoiser), 32, 0)
    };
    for length in [3, 6] {
        let question = Question::new(vec![1; 3], vec![vec![0; length]; 2]);
        let ranking = run(&estimation, &[question]).remove(0).ranking.expect("two targets");
        assert!(!ranking.decided && ranking.error_probability >= 0.5, "{ranking:?}");
    }
}
