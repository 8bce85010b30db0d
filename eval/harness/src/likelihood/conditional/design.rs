//! Which positions of a target are hidden in each call of the network.
//!
//! The bound is a mean over the number k of hidden tokens and over the sets of that size. k = L has one set, which is asked
//! about once; a sweep estimates the rest with [`SWEEP`] calls: one k from each of as many strata of 1..L-1, narrow where k is
//! small and its sets differ most, and sets that follow one another in one random order of the positions, so that every token
//! is hidden about as often as the others. Sweeps are independent: their spread is the error.

use elbow_impls::Key;
use elbow_impls::corruption::PermutationStream;
use elbow_impls::key::open_uniform;

/// Calls of the network in a sweep, or L - 1 where that is less.
pub const SWEEP: usize = 8;

/// Fewest sweeps of a standard error.
pub const MIN_SWEEPS: usize = 4;

/// Hidden positions of a target in one call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HiddenSet {
    /// True where the token is hidden, one entry per position of the target.
    pub hidden: Vec<bool>,
    /// The weight of each hidden token's cost, so that the sum over the calls of a sweep has the bound's mean.
    pub weight: f64,
}

impl HiddenSet {
    /// Every token hidden, of weight 1: k = L.
    pub fn all(length: usize) -> Self {
        Self { hidden: vec![true; length], weight: 1.0 }
    }

    /// The number of hidden tokens.
    pub fn count(&self) -> usize {
        self.hidden.iter().filter(|hidden| **hidden).count()
    }
}

/// Every set of hidden positions, weighted so that the sum is the bound: no draw is left.
pub(super) fn all_sets(length: usize) -> Vec<HiddenSet> {
    let mut choose = vec![1.0; length + 1];
    for k in 1..=length {
        choose[k] = choose[k - 1] * (length - k + 1) as f64 / k as f64;
    }
    let set = |bits: u32| {
        let k = bits.count_ones() as usize;
        HiddenSet { hidden: (0..length).map(|n| bits >> n & 1 == 1).collect(), weight: 1.0 / (k as f64 * choose[k]) }
    };
    (1..1 << length).map(set).collect()
}

/// The sweeps over a target of L tokens, two or more.
pub(super) struct Sweeps {
    length: usize,
    /// The first and the last k of each stratum: together 1..=L-1.
    strata: Vec<[usize; 2]>,
}

impl Sweeps {
    /// Strata of nearly equal shares of sqrt(1/k - 1/L), the deviation of a mean of k of L tokens: the calls go where it is.
    pub fn new(length: usize) -> Self {
        let (last, count) = (length - 1, SWEEP.min(length - 1));
        let deviations: Vec<f64> = (1..=last).map(|k| (1.0 / k as f64 - 1.0 / length as f64).sqrt()).collect();
        let total: f64 = deviations.iter().sum();
        let (mut strata, mut first, mut share) = (Vec::with_capacity(count), 1, 0.0);
        for k in 1..=last {
            share += deviations[k - 1] / total;
            let ended = strata.len() + 1;
            let (due, needed) = (share >= ended as f64 / count as f64, last - k == count - ended);
            if (due && ended < count) || needed || k == last {
                strata.push([first, k]);
                first = k + 1;
            }
        }
        Self { length, strata }
    }

    /// Calls per sweep.
    pub fn calls(&self) -> usize {
        self.strata.len()
    }

    /// The share of the sweeps' mean in the bound; the rest is k = L's.
    pub fn share(&self) -> f64 {
        (self.length - 1) as f64 / self.length as f64
    }

    /// The hidden sets of one sweep. Their weights are those of a mean over k = 1..L-1.
    pub fn draw(&self, key: &Key) -> Vec<HiddenSet> {
        let mut rng = key.fold(0).rng();
        let mut orders = PermutationStream::new(1, self.length, &key.fold(1));
        let set = |&[first, last]: &[usize; 2]| {
            let size = last - first + 1;
            let k = (first + (open_uniform(&mut rng) * size as f64) as usize).min(last);
            let weight = size as f64 / (self.length - 1) as f64 * self.length as f64 / k as f64;
            HiddenSet { hidden: orders.window(0, k), weight }
        };
        self.strata.iter().map(set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strata_hold_every_number_once() {
        for length in [2, 3, 8, 9, 10, 13, 32, 100, 1024] {
            let sweeps = Sweeps::new(length);
            let held: Vec<usize> = sweeps.strata.iter().flat_map(|&[first, last]| first..=last).collect();
            assert_eq!(held, (1..length).collect::<Vec<_>>(), "{:?}", sweeps.strata);
            assert_eq!(sweeps.calls(), SWEEP.min(length - 1), "{:?}", sweeps.strata);
        }
        let wide = Sweeps::new(64).strata;
        assert!(wide[0][1] < 4 && wide[7][1] - wide[7][0] > 10, "narrow where k is small: {wide:?}");
    }

    #[test]
    fn all_sets_weigh_every_token_once() {
        for length in 1..=6 {
            let mut weights = vec![0.0; length];
            for set in all_sets(length) {
                (0..length).filter(|&n| set.hidden[n]).for_each(|n| weights[n] += set.weight);
            }
            assert!(weights.iter().all(|weight| (weight - 1.0_f64).abs() < 1e-12), "{weights:?}");
        }
    }
}
