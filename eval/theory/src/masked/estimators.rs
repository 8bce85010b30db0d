//! Exact mean and variance of single-sample estimators of the any-order bound: equal means, different variances.
//!
//! Sources: Ou et al. 2024 (RADD: lambda-DCE, k-DCE), Hoogeboom et al. 2021 (ARDM). The moments are over the data, the
//! masks and the random time or count.

use super::enumeration::Enumeration;
use crate::quadrature::integrate;

/// Mean and variance of one draw, nats and nats squared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Nats.
    pub mean: f64,
    /// Nats squared.
    pub variance: f64,
}

impl Moments {
    fn of(mean: f64, square: f64) -> Self {
        Self { mean, variance: square - mean * mean }
    }
}

/// Sums over the sets of n masked tokens, in expectation over x; arrays are indexed by n = 0..=L.
pub struct SetSums {
    length: usize,
    /// E sum over sets of S, the sum of the cross-entropies of the masked tokens, nats.
    pub loss: Vec<f64>,
    /// E sum over sets of S^2, nats squared.
    pub square: Vec<f64>,
    /// E sum over sets of the sum of the squared cross-entropies of the masked tokens, nats squared.
    pub token_square: Vec<f64>,
}

impl SetSums {
    /// Sums over all sets by enumeration. Cost: O(K 2^L L) for K outcomes.
    pub fn new(enumeration: &Enumeration) -> Self {
        let size = enumeration.length() + 1;
        let mut sums = Self {
            length: enumeration.length(),
            loss: vec![0.0; size],
            square: vec![0.0; size],
            token_square: vec![0.0; size],
        };
        for &(x, q) in &enumeration.outcomes {
            for visible in 0..1u32 << enumeration.length() {
                let tokens = enumeration.token_losses(x, visible);
                let (n, loss) = (tokens.len(), tokens.iter().sum::<f64>());
                sums.loss[n] += q * loss;
                sums.square[n] += q * loss * loss;
                sums.token_square[n] += q * tokens.iter().map(|ce| ce * ce).sum::<f64>();
            }
        }
        sums
    }

    /// k-DCE, (L / k) S with k ~ U{1..L} masks at uniformly random positions [RADD, k-DCE]. ARDM's estimator is the
    /// same.
    pub fn k_dce(&self) -> Moments {
        let scaled = |n: usize| self.length as f64 / n as f64;
        let mean = self.over_counts(|n| scaled(n) * self.loss[n]);
        Moments::of(mean, self.over_counts(|n| scaled(n).powi(2) * self.square[n]))
    }

    /// The same with one of the masked tokens only, L (-log mu_n): one step of an any-order autoregression.
    pub fn one_token(&self) -> Moments {
        let length = self.length as f64;
        let mean = self.over_counts(|n| length * self.loss[n] / n as f64);
        Moments::of(mean, self.over_counts(|n| length * length * self.token_square[n] / n as f64))
    }

    /// lambda-DCE, S / lambda with mask rate lambda ~ U(lowest, 1) and independent masks [RADD, lambda-DCE].
    ///
    /// A factor 1 - lowest makes the rates below `lowest` all that its mean lacks. As `lowest` goes to 0 the variance
    /// grows without bound, as -log(lowest) times [`SetSums::divergence`]: with probability lambda L a single mask is
    /// weighted by 1 / lambda.
    pub fn lambda_dce(&self, lowest: f64) -> Moments {
        let moment = |power: i32, sums: &[f64]| {
            let integrand = |log_rate: f64| {
                let rate: f64 = log_rate.exp();
                let sets =
                    |(n, s): (usize, &f64)| rate.powi(n as i32) * (1.0 - rate).powi((self.length - n) as i32) * s;
                rate.powi(1 - power) * sums.iter().enumerate().skip(1).map(sets).sum::<f64>()
            };
            integrate(lowest.ln(), 0.0, &mut { integrand }).value
        };
        Moments::of(moment(1, &self.loss), (1.0 - lowest) * moment(2, &self.square))
    }

    /// The growth of lambda-DCE's second moment per unit of -log(lowest).
    pub fn divergence(&self) -> f64 {
        self.square[1]
    }

    /// The mean over n ~ U{1..L} of the average over sets of n masks.
    fn over_counts(&self, sum_over_sets: impl Fn(usize) -> f64) -> f64 {
        let mut choose = 1.0;
        let mut total = 0.0;
        for n in 1..=self.length {
            choose *= (self.length - n + 1) as f64 / n as f64;
            total += sum_over_sets(n) / choose;
        }
        total / self.length as f64
    }
}

/// AO-ARM, -log p(x) along one uniformly random order, with L network calls [ARDM, any-order bound]. Cost: O(K L! L).
pub fn ao_arm(enumeration: &Enumeration) -> Moments {
    let orders = permutations(enumeration.length());
    let (mut mean, mut square) = (0.0, 0.0);
    for &(x, q) in &enumeration.outcomes {
        for order in &orders {
            let mut visible = 0u32;
            let mut total = 0.0;
            for &n in order {
                total += enumeration.token_loss(x, visible, n);
                visible |= 1 << n;
            }
            mean += q * total / orders.len() as f64;
            square += q * total * total / orders.len() as f64;
        }
    }
    Moments::of(mean, square)
}

/// All orders of `0..n`, lexicographic.
pub fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let longer = |shorter: &Vec<usize>, first: usize| -> Vec<usize> {
        std::iter::once(first).chain(shorter.iter().map(|&i| if i >= first { i + 1 } else { i })).collect()
    };
    let shorter = permutations(n - 1);
    (0..n).flat_map(|first| shorter.iter().map(move |rest| longer(rest, first))).collect()
}
