//! The mean and the error of draws, and the public estimator beside them.

use super::*;

/// f(k), the mean of (L/k) times the costs over all sets of k tokens, for k = 1..=L: through the production calls.
fn costs_by_count(model: &ConditionalModel, prompt: &[u32], target: &[u32]) -> Vec<f64> {
    let length = target.len();
    let sets: Vec<Vec<bool>> = (1..1u32 << length).map(|s| (0..length).map(|n| s >> n & 1 == 1).collect()).collect();
    let calls: Vec<Call> = sets.iter().map(|hidden| Call { prompt, target, hidden }).collect();
    let (mut sums, mut counts) = (vec![0.0; length], vec![0.0; length]);
    for (set, costs) in sets.iter().zip(costs(model, &calls, &Device::flex()).expect("costs")) {
        let k = set.iter().filter(|hidden| **hidden).count();
        sums[k - 1] += length as f64 / k as f64 * costs.iter().sum::<f64>();
        counts[k - 1] += 1.0;
    }
    sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
}

/// The mean of the public estimator for a cost of each number of hidden tokens.
fn published_mean(costs: &[f64], batch: usize) -> f64 {
    let length = costs.len();
    let draws = (1..=length).flat_map(|first| published_counts(first, length, batch));
    draws.map(|k| costs[k - 1]).sum::<f64>() / (length * batch) as f64
}

#[test]
fn draws_have_the_exact_mean_and_an_honest_error() {
    const RUNS: usize = 300;
    let (toy, all, table) = toy(8);
    let model = ConditionalModel::masked(&table);
    let x = toy.outcomes.len() / 3;
    let word = ids(&toy.outcomes[x].0);
    let question = [Question::new(word[..1].to_vec(), vec![word[1..].to_vec()])];
    let exact = -conditional_any_order_nll(&all, x, 1, 0b1111_1110);
    let found: Vec<TargetLikelihood> = (0..RUNS as u64)
        .map(|seed| run(&ConditionalEstimation::new(model.clone(), 64, seed), &question).remove(0).targets.remove(0))
        .collect();
    let values: Vec<f64> = found.iter().map(|target| target.log_likelihood).collect();
    let Estimate { value, standard_error, .. } = Estimate::of(&values);
    assert!((value - exact).abs() < 4.0 * standard_error, "{value} +- {standard_error} against {exact}");
    let public = -published_mean(&costs_by_count(&model, &word[..1], &word[1..]), 14);
    assert!((public - exact).abs() > 4.0 * standard_error, "witness: the public law, {public} against {exact}");

    let variance = standard_error.powi(2) * RUNS as f64;
    let stated = found.iter().map(|target| target.standard_error.powi(2)).sum::<f64>() / RUNS as f64;
    assert!((0.75..1.35).contains(&(stated / variance)), "stated {stated}, true {variance}");
    let holds = |t: &&TargetLikelihood| {
        let (low, high) = student_interval(t.log_likelihood, t.standard_error, t.sweeps, 0.95);
        low <= exact && exact <= high
    };
    let coverage = found.iter().filter(holds).count() as f64 / RUNS as f64;
    assert!(coverage > 0.91, "{coverage} of the intervals hold the exact number");
}

/// The public law's excess on the toy, as computed beside it: its length, its batch, percent.
const EXCESS: [(usize, usize, f64); 5] = [(2, 4, 13.6), (4, 8, 7.9), (8, 16, 4.3), (16, 32, 2.2), (48, 32, 0.8)];

#[test]
fn the_public_estimator_is_off_by_known_shares_and_ours_is_not() {
    for (length, batch, percent) in EXCESS {
        let denoiser = CostOfCount { length, timed: false };
        let model = ConditionalModel::masked(&denoiser);
        let (prompt, target) = (vec![1, 0, 1], vec![0; length]);
        let sets: Vec<Vec<bool>> = (1..=length).map(|k| (0..length).map(|n| n < k).collect()).collect();
        let calls: Vec<Call> = sets.iter().map(|hidden| Call { prompt: &prompt, target: &target, hidden }).collect();
        let found = costs(&model, &calls, &Device::flex()).expect("costs");
        let by_count: Vec<f64> =
            (1..).zip(found).map(|(k, costs)| length as f64 / f64::from(k) * costs.iter().sum::<f64>()).collect();
        let exact = by_count.iter().sum::<f64>() / length as f64;
        let excess = 100.0 * (published_mean(&by_count, batch) / exact - 1.0);
        assert!((excess - percent).abs() < 0.05, "{length}, {batch}: {excess} % against {percent} %");
        let estimation = ConditionalEstimation::new(model, 256, 1);
        let ours = run(&estimation, &[Question::new(prompt, vec![target])]).remove(0).targets.remove(0);
        let off = (ours.log_likelihood + exact).abs();
        assert!(off < 4.0 * ours.standard_error + SINGLE * exact, "{ours:?} against {exact}");
        assert!(off < 0.1 * percent / 100.0 * exact, "{ours:?} against {exact}");
    }
}
