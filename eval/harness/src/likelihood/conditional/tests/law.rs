//! The law of the hidden sets.

use super::*;

/// The probability of counts as far from uniform as these, in groups that are each uniform: chi squared.
fn probability(groups: &[Vec<f64>]) -> f64 {
    let (mut sum, mut freedom) = (0.0, 0.0);
    for counts in groups.iter().filter(|counts| counts.len() > 1) {
        let expected = counts.iter().sum::<f64>() / counts.len() as f64;
        sum += counts.iter().map(|count| (count - expected).powi(2) / expected).sum::<f64>();
        freedom += counts.len() as f64 - 1.0;
    }
    if freedom == 0.0 {
        return 1.0;
    }
    ChiSquared::new(freedom).expect("degrees of freedom").sf(sum)
}

/// A law is refused below this probability.
const REFUSED: f64 = 1e-4;

#[test]
fn the_numbers_of_hidden_tokens_are_uniform_in_each_stratum_and_the_public_ones_are_not() {
    const DRAWS: u64 = 8000;
    for (length, batch) in [(8, 16), (12, 32), (100, 32)] {
        let sweeps = Sweeps::new(length);
        let key = Key::new(5, "law");
        let mut by_stratum = vec![vec![0.0; length]; sweeps.calls()];
        let (mut weighted, mut public) = (vec![0.0; length], vec![0.0; length]);
        for draw in 0..DRAWS {
            for (stratum, set) in sweeps.draw(&key.fold(draw)).iter().enumerate() {
                by_stratum[stratum][set.count() - 1] += 1.0;
                weighted[set.count() - 1] += set.weight * set.count() as f64 / length as f64 / DRAWS as f64;
            }
            // One draw of each batch: those of a batch depend on each other.
            let mut rng = key.fold(draw).rng();
            let first = (open_uniform(&mut rng) * length as f64) as usize + 1;
            let place = (open_uniform(&mut rng) * batch as f64) as usize;
            public[published_counts(first, length, batch)[place] - 1] += 1.0;
        }
        let possible = |counts: Vec<f64>| counts.into_iter().filter(|count| *count > 0.0).collect::<Vec<_>>();
        let groups: Vec<Vec<f64>> = by_stratum.into_iter().map(possible).collect();
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), length - 1, "every number comes");
        assert!(probability(&groups) > REFUSED, "{length}: {}", probability(&groups));
        let mean = 1.0 / (length - 1) as f64;
        assert!(weighted[..length - 1].iter().all(|w| (w / mean - 1.0).abs() < 0.25), "{weighted:?}");
        assert!(probability(&[public.clone()]) < REFUSED, "witness, {length}: {public:?}");
    }
}

#[test]
fn the_sets_of_hidden_tokens_are_uniform() {
    const DRAWS: u64 = 4000;
    const LENGTH: usize = 5;
    let sweeps = Sweeps::new(LENGTH);
    let laws = |key: &dyn Fn(u64) -> Key| {
        let mut counts = vec![std::collections::BTreeMap::new(); LENGTH - 1];
        for set in (0..DRAWS).flat_map(|draw| sweeps.draw(&key(draw))) {
            *counts[set.count() - 1].entry(set.hidden).or_insert(0.0) += 1.0;
        }
        let sets = [5, 10, 10, 5];
        let group = |(counts, sets): (&std::collections::BTreeMap<_, f64>, usize)| {
            let mut group: Vec<f64> = counts.values().copied().collect();
            group.resize(sets, 0.0);
            group
        };
        counts.iter().zip(sets).map(group).collect::<Vec<_>>()
    };
    let found = laws(&|draw| Key::new(draw, "sets"));
    assert!(probability(&found) > REFUSED, "{found:?}");
    assert!(probability(&laws(&|draw| Key::new(draw % 7, "sets"))) < REFUSED, "witness: few keys");
}
